// What explain() prints of a plan.
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/runtime/plan_internal.hpp>
#include <gradloom/runtime/region_internal.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace gradloom::inline v0 {

namespace {

std::string_view name_of(Storage::Kind kind) {
  switch (kind) {
    case Storage::Kind::arena:
      return "arena";
    case Storage::Kind::input:
      return "input";
    case Storage::Kind::parameter:
      return "state";
    case Storage::Kind::constant:
      return "constant";
    case Storage::Kind::output:
      return "output";
  }
  return "";
}

}  // namespace

std::string kernel_name(const Node& node) {
  if (!is_region(node)) return std::string(node.op->name);
  const Graph& body = body_of(node).graph;
  std::string ops;
  for (int id = 0; id < body.node_count(); ++id) {
    if (is_input(body.node(id)) || body.node(id).op == &broadcast_def) continue;
    ops += (ops.empty() ? "" : ", ") + std::string(body.node(id).op->name);
  }
  return fmt::format("region({})", ops);
}

std::string describe(const Plan& plan) {
  const Graph& graph = plan.module.graph;
  std::string text = "---- memory\n";
  text += fmt::format("arena {} bytes, scratch {} bytes a worker\n", plan.arena_bytes, plan.scratch_bytes);
  for (const Storage& storage : plan.storages) {
    if (storage.bytes == 0) continue;
    const Node& node = graph.node(storage.first_value_node);
    text += fmt::format(
        "  {:<8} {:>12} at {:<10} {}{}\n", name_of(storage.kind), storage.bytes,
        storage.kind == Storage::Kind::arena ? std::to_string(storage.address.offset) : "-", node.label(),
        storage.writers.size() > 1 ? fmt::format(", reused in place {} times", storage.writers.size() - 1) : "");
  }
  text += fmt::format("---- tasks\n{} tasks, {:.1f} us in all, {:.1f} us on the longest path\n", plan.tasks.size(),
                      plan.nanoseconds / 1000, plan.critical_nanoseconds / 1000);
  for (size_t i = 0; i < plan.tasks.size(); ++i) {
    const Task& task = plan.tasks[i];
    const Node& node = graph.node(task.node);
    std::string next;
    for (int s = 0; s < task.successors; ++s) {
      next += fmt::format("{}{}", s == 0 ? " -> " : ", ", plan.successors[static_cast<size_t>(task.successors_at + s)]);
    }
    if (task.then >= 0) next += fmt::format("{}{} chunk by chunk", next.empty() ? " -> " : ", ", task.then);
    const std::string place = to_string(node.location);
    text += fmt::format("  {:>4} {} {} chunks {}, {:.1f} us{}{}{}\n", i, kernel_name(node),
                        node.outputs.empty() ? "" : to_string(node.outputs[0]), task.chunks, task.nanoseconds / 1000,
                        task.commits ? ", writes the State" : "", place.empty() ? "" : ", " + place, next);
    const std::string& remark = plan.kernels[static_cast<size_t>(task.node)].remark;
    if (!remark.empty()) text += fmt::format("       {}\n", remark);
  }
  return text;
}

}  // namespace gradloom::inline v0
