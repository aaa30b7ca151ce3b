// Would the oracle notice? Plans with a planted mistake must give other results than the graph as written, in some
// order that they allow. A mutation changes the plan's data only: nothing in the runtime knows of this test.
#include "plan_mutation_helper.hpp"
#include <gradloom/runtime/settle_internal.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>

using namespace gradloom;
using namespace gradloom::test;

namespace {

// ---- Edges

/// Loses one of the dependencies that `fits`.
template <class Predicate>
bool lose_dependency(Plan& plan, Random& random, Predicate fits) {
  struct Edge {
    Task* from;
    int* to;
  };
  std::vector<Edge> edges;
  for (Task& from : plan.tasks) {
    for (int i = 0; i < from.successors; ++i) {
      int& to = plan.successors[static_cast<size_t>(from.successors_at + i)];
      if (fits(from, plan.tasks[static_cast<size_t>(to)])) edges.push_back({&from, &to});
    }
  }
  const Edge* const edge = any_of(edges, random);
  if (edge == nullptr) return false;
  --plan.tasks[static_cast<size_t>(*edge->to)].dependencies;
  std::swap(*edge->to, plan.successors[static_cast<size_t>(edge->from->successors_at + edge->from->successors - 1)]);
  --edge->from->successors;
  return true;
}

bool result_not_awaited(Plan& plan, Random& random) {
  return lose_dependency(plan, random,
                         [](const Task& from, const Task& to) { return from.node != to.node && !to.commits; });
}

bool step_not_awaited(Plan& plan, Random& random) {
  return lose_dependency(
      plan, random, [&](const Task& from, const Task& to) { return from.node == to.node && !is_late_copy(plan, to); });
}

bool commit_before_a_reader(Plan& plan, Random& random) {
  return lose_dependency(plan, random, [&](const Task& from, const Task& to) {
    if (!to.commits || is_late_copy(plan, to)) return false;
    for (int i = 0; i < from.inputs; ++i) {
      if (input(plan, from, i).base == output(plan, to, 0).base) return true;
    }
    return false;
  });
}

bool late_copy_too_early(Plan& plan, Random& random) {
  return lose_dependency(plan, random, [&](const Task&, const Task& to) { return is_late_copy(plan, to); });
}

bool chunk_not_awaited(Plan& plan, Random& random) {
  Task* const before = any_task(plan, random, [](const Task& task) { return task.then >= 0; });
  if (before == nullptr) return false;
  plan.tasks[static_cast<size_t>(before->then)].follows = false;  // begins at once: it waits for nothing else
  before->then = -1;
  return true;
}

// ---- Memory

/// Moves a value of the arena to another place, for its writer and its readers. `in_place`: the writer may read there.
bool move_value(Plan& plan, const Value& value, const Address& to, bool in_place) {
  const Graph& graph = plan.module.graph;
  const size_t bytes = bytes_of(graph.node(value.node).outputs[static_cast<size_t>(value.output)]);
  std::vector<Address*> places;
  for (const Task& task : plan.tasks) {
    if (task.node == value.node) {
      Address& place = output(plan, task, value.output);
      if (task.commits || place.base != 0 || same(place, to)) return false;
      if (!in_place && !apart_from_inputs(plan, task, to, bytes)) return false;
      places.push_back(&place);
      continue;
    }
    for (int i = 0; i < task.inputs && !is_late_copy(plan, task); ++i) {
      if (root_of(graph, node_of(plan, task).inputs[static_cast<size_t>(i)]) != value) continue;
      if (!apart_from_outputs(plan, task, to, bytes)) return false;
      places.push_back(&input(plan, task, i));
    }
  }
  for (Address* const place : places) *place = to;
  return bytes > 0 && !places.empty();
}

bool live_values_share_memory(Plan& plan, Random& random) {
  const Task* const keeper = any_task(plan, random, [](const Task& task) { return task.outputs == 1; });
  const Task* const mover = any_task(plan, random, [](const Task& task) { return task.outputs == 1; });
  if (keeper == nullptr || keeper->node == mover->node || output(plan, *keeper, 0).base != 0) return false;
  if (bytes_of(node_of(plan, *mover).outputs[0]) > bytes_of(node_of(plan, *keeper).outputs[0])) return false;
  return move_value(plan, {mover->node, 0}, Address(output(plan, *keeper, 0)), false);
}

bool in_place_of_a_value_still_needed(Plan& plan, Random& random) {
  const Task* const task = any_task(plan, random, [](const Task&) { return true; });
  if (task == nullptr || is_late_copy(plan, *task)) return false;
  const auto* const pair = any_of(plan.kernels[static_cast<size_t>(task->node)].in_place, random);
  if (pair == nullptr) return false;
  const Address taken = input(plan, *task, pair->first);
  if (taken.base != 0) return false;
  if (bytes_of(input_type(plan, *task, pair->first)) !=
      bytes_of(node_of(plan, *task).outputs[static_cast<size_t>(pair->second)]))
    return false;
  return move_value(plan, {task->node, pair->second}, taken, true);
}

bool shared_memory_over_an_input(Plan& plan, Random& random) {
  Task* const task = any_task(plan, random, [](const Task& t) { return t.shared_offset >= 0; });
  if (task == nullptr) return false;
  const Address& place = input(plan, *task, 0);
  if (place.base != 0 ||
      bytes_of(input_type(plan, *task, 0)) < plan.kernels[static_cast<size_t>(task->node)].shared_bytes)
    return false;
  const int node = task->node;
  for (Task& step : plan.tasks) {
    if (step.node == node) step.shared_offset = static_cast<int64_t>(place.offset);
  }
  return true;
}

bool write_64_bytes_off(Plan& plan, Random& random) {
  const Task* const task = any_task(plan, random, [&](const Task& t) { return !is_late_copy(plan, t); });
  if (task == nullptr) return false;
  Address shifted = output(plan, *task, 0);
  shifted.offset += 64;
  if (!apart_from_inputs(plan, *task, shifted, bytes_of(node_of(plan, *task).outputs[0]))) return false;
  output(plan, *task, 0) = shifted;
  return true;
}

bool parameters_swapped(Plan& plan, Random& random) { return swap_two(plan.parameters, random); }

// ---- Kernels

bool has_chunks(const Task& task) { return task.chunks > 1; }

bool task_skipped(Plan& plan, Random& random) {
  return wrap(plan, any_task(plan, random, [](const Task& task) { return !task.commits; }), [](const KernelCall&) {});
}

bool update_lost(Plan& plan, Random& random) {
  return wrap(plan, any_task(plan, random, [](const Task& task) { return task.commits; }), [](const KernelCall&) {});
}

bool last_chunk_dropped(Plan& plan, Random& random) {
  return wrap(plan, any_task(plan, random, has_chunks), [](const KernelCall& call) {
    if (call.chunk + 1 < call.chunks) Wrapped::run_as(call);
  });
}

bool chunk_does_its_neighbours_work(Plan& plan, Random& random) {
  return wrap(plan, any_task(plan, random, has_chunks), [](const KernelCall& call) {
    KernelCall other = call;
    if (other.chunk == 0) other.chunk = 1;
    Wrapped::run_as(other);
  });
}

bool chunk_follows_its_neighbour(Plan& plan, Random& random) {
  return wrap(plan, any_task(plan, random, [](const Task& task) { return task.follows; }), [](const KernelCall& call) {
    KernelCall other = call;
    other.chunk = (call.chunk + 1) % call.chunks;
    Wrapped::run_as(other);
  });
}

bool in_place_task_runs_twice(Plan& plan, Random& random) {
  const auto in_place = [&](const Task& task) {
    for (int i = 0; i < task.inputs; ++i) {
      if (same(input(plan, task, i), output(plan, task, 0))) return true;
    }
    return false;
  };
  return wrap(plan, any_task(plan, random, in_place), [](const KernelCall& call) {
    Wrapped::run_as(call);
    Wrapped::run_as(call);
  });
}

bool late_copy_cut_short(Plan& plan, Random& random) {
  Task* const task = any_task(plan, random, [&](const Task& t) { return is_late_copy(plan, t); });
  if (task == nullptr) return false;
  const auto half = std::make_shared<const size_t>(*static_cast<const size_t*>(task->params) / 2);
  task->params = half.get();
  plan.kernels.emplace_back().params = half;
  return true;
}

const Mutation mutations[] = {
    {"a result is not awaited", result_not_awaited},
    {"a step is not awaited by the next step", step_not_awaited},
    {"a chunk does not wait for the one that it follows", chunk_not_awaited},
    {"a chunk follows its neighbour", chunk_follows_its_neighbour},
    {"the State is written before a reader of the old value", commit_before_a_reader},
    {"a late copy into the State comes too early", late_copy_too_early},
    {"live values share memory", live_values_share_memory},
    {"in place of a value that is still needed", in_place_of_a_value_still_needed},
    {"memory shared by steps lies over an input", shared_memory_over_an_input},
    {"a read is 64 bytes off", read_64_bytes_off},
    {"a write is 64 bytes off", write_64_bytes_off},
    {"two outputs are swapped", outputs_swapped},
    {"two parameters are swapped", parameters_swapped},
    {"two operands are swapped", operands_swapped},
    {"a constant is stale", stale_constant},
    {"a task is skipped", task_skipped},
    {"an update is lost", update_lost},
    {"the last chunk is dropped", last_chunk_dropped},
    {"a chunk does its neighbour's work", chunk_does_its_neighbours_work},
    {"a task in place runs twice", in_place_task_runs_twice},
    {"a late copy is cut short", late_copy_cut_short},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_mutation)

BOOST_AUTO_TEST_CASE(every_planted_mistake_of_a_plan_is_caught) { check_all_caught(mutations); }

BOOST_AUTO_TEST_SUITE_END()
