// From a module to a plan: kernels, storages, the order of writes to the State, memory, tasks.
#include <gradloom/graph/bodies.hpp>
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/runtime/joined_chunks_internal.hpp>
#include <gradloom/runtime/memory_plan_internal.hpp>
#include <gradloom/runtime/node_plan_internal.hpp>
#include <gradloom/runtime/plan_internal.hpp>
#include <gradloom/runtime/settle_internal.hpp>

#include <algorithm>
#include <cassert>
#include <map>

namespace gradloom::inline v0 {

namespace {

class Planner {
 public:
  Planner(Module module, Isa isa, Joining joining, int64_t calls) : isa_(isa), joining_(joining), calls_(calls) {
    plan_.module = std::move(module);
    const size_t n = static_cast<size_t>(graph().node_count());
    plan_.kernels.resize(n);
    order_.resize(n);
  }

  Plan run() {
    plan_kernels();
    place_lent_values();
    place_outputs();
    place_the_rest();
    record_accesses();
    connect();
    place_updates();
    bound_lifetimes();
    NodeOrder order(order_);
    // An error must find the State untouched, and a write to it all that may throw behind it.
    const JoinedChunks joined(graph(), plan_.kernels, order,
                              [this](int id) { return joining_ == Joining::chunks && !may_throw(id) && !commits(id); });
    joined.loosen(order);
    share_in_place(graph(), plan_.kernels, order, joined, storage_of_, plan_.storages);
    plan_.arena_bytes = place_in_arena(order, plan_.storages);
    make_tasks(order, joined);
    return std::move(plan_);
  }

 private:
  const Graph& graph() const { return plan_.module.graph; }
  bool runs(int node) const { return !plan_.kernels[static_cast<size_t>(node)].steps.empty(); }
  bool may_throw(int node) const { return has_property(graph().node(node), &OpProperties::may_throw); }
  bool commits(int node) const { return std::find(commits_.begin(), commits_.end(), node) != commits_.end(); }
  int storage(Value value) const { return storage_of_.at(root_of(graph(), value)); }

  void plan_kernels() {
    for (int id = 0; id < graph().node_count(); ++id) {
      const Node& node = graph().node(id);
      if (is_input(node) || is_parameter(node) || is_constant(node) || node.op->properties.alias) continue;
      KernelPlan& kernel = plan_.kernels[static_cast<size_t>(id)];
      kernel = plan_node({graph(), node, isa_, calls_});
      plan_.scratch_bytes = std::max(plan_.scratch_bytes, kernel.scratch_bytes);
      plan_.nanoseconds += kernel.nanoseconds;
    }
  }

  int add_storage(Storage::Kind kind, Value value, int base) {
    const TensorType& type = graph().node(value.node).outputs[static_cast<size_t>(value.output)];
    Storage storage;
    storage.kind = kind;
    storage.bytes = static_cast<size_t>(type.shape.element_count().value()) * size_of(type.dtype);
    storage.address.base = base;
    storage.first_value_node = value.node;
    plan_.storages.push_back(std::move(storage));
    const int id = static_cast<int>(plan_.storages.size()) - 1;
    storage_of_[value] = id;
    return id;
  }

  Slot slot(int id, int base) const {
    const Node& node = graph().node(id);
    return {node.name, node.outputs[0].dtype, node.outputs[0].shape.sizes(), base, id};
  }

  void place_lent_values() {
    for (int id = 0; id < graph().node_count(); ++id) {
      const Node& node = graph().node(id);
      if (is_input(node)) {
        add_storage(Storage::Kind::input, {id, 0}, plan_.bases);
        plan_.inputs.push_back(slot(id, plan_.bases++));
      } else if (is_parameter(node)) {
        add_storage(Storage::Kind::parameter, {id, 0}, plan_.bases);
        plan_.parameters.push_back(slot(id, plan_.bases++));
      } else if (is_constant(node)) {
        add_storage(Storage::Kind::constant, {id, 0}, plan_.bases);
        plan_.constants.emplace_back(plan_.bases++, literal_of(node).bytes.data());
      }
    }
  }

  void place_outputs() {
    for (const Tensor& output : plan_.module.outputs) {
      const Value root = root_of(graph(), {output.node_id(), output.output()});
      add_storage(Storage::Kind::output, root, plan_.bases);
      plan_.outputs.push_back({output.name(), output.dtype(), output.shape().sizes(), plan_.bases++, output.node_id()});
    }
  }

  void place_the_rest() {
    for (int id = 0; id < graph().node_count(); ++id) {
      if (!runs(id)) continue;
      for (int i = 0; i < graph().node(id).output_count(); ++i) {
        if (!storage_of_.contains({id, i})) add_storage(Storage::Kind::arena, {id, i}, 0);
      }
    }
    // Values of nodes that do nothing (no elements) are never touched, but have an address all the same.
    for (int id = 0; id < graph().node_count(); ++id) {
      const Node& node = graph().node(id);
      if (node.op->properties.alias) continue;
      for (int i = 0; i < node.output_count(); ++i) {
        if (!storage_of_.contains({id, i})) add_storage(Storage::Kind::arena, {id, i}, 0);
      }
    }
  }

  void record_accesses() {
    for (int id = 0; id < graph().node_count(); ++id) {
      if (!runs(id)) continue;
      const Node& node = graph().node(id);
      for (const Value& value : node.inputs) plan_.storages[static_cast<size_t>(storage(value))].readers.push_back(id);
      for (int i = 0; i < node.output_count(); ++i) {
        plan_.storages[static_cast<size_t>(storage_of_.at({id, i}))].writers.push_back(id);
      }
      const size_t shared = plan_.kernels[static_cast<size_t>(id)].shared_bytes;
      if (shared > 0) {
        Storage scratch;
        scratch.bytes = shared;
        scratch.writers = {id};
        scratch.first_value_node = id;
        shared_of_[id] = static_cast<int>(plan_.storages.size());
        plan_.storages.push_back(std::move(scratch));
      }
    }
  }

  void connect() {
    for (int id = 0; id < graph().node_count(); ++id) {
      if (!runs(id)) continue;
      for (const Value& value : graph().node(id).inputs) {
        const int producer = root_of(graph(), value).node;
        if (runs(producer)) order_.add(producer, id);
      }
    }
  }

  // A new value is written straight into the State where everybody who still needs the old one, and everybody who may
  // yet throw, can come first; otherwise it is made in the arena and copied at the end.
  void place_updates() {
    for (const Update& update : plan_.module.updates) {
      plan_.updates = true;
      const Value value = root_of(graph(), {update.value.node_id(), update.value.output()});
      const int old_storage = storage_of_.at({update.parameter.node_id(), 0});
      const int new_storage = storage_of_.at(value);
      const int writer = value.node;
      if (!runs(writer)) continue;  // no elements
      if (writes_in_place(writer, value, old_storage)) {
        wait_for_readers(writer, old_storage);
        Storage& storage = plan_.storages[static_cast<size_t>(new_storage)];
        storage.kind = Storage::Kind::parameter;
        storage.address = plan_.storages[static_cast<size_t>(old_storage)].address;
        commits_.push_back(writer);
      } else {
        plan_.storages[static_cast<size_t>(new_storage)].kept = true;
        late_copies_.push_back({value, old_storage, writer, update.parameter.node_id()});
      }
    }
  }

  bool writes_in_place(int writer, Value value, int old_storage) const {
    const Node& node = graph().node(writer);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (storage(node.inputs[i]) != old_storage) continue;
      const auto& pairs = plan_.kernels[static_cast<size_t>(writer)].in_place;
      if (std::find(pairs.begin(), pairs.end(), std::pair(static_cast<int>(i), value.output)) == pairs.end())
        return false;
    }
    if (may_throw(writer)) return false;
    for (const int reader : plan_.storages[static_cast<size_t>(old_storage)].readers) {
      if (reader != writer && order_.reaches(writer, reader)) return false;
    }
    for (int id = 0; id < graph().node_count(); ++id) {
      if (runs(id) && may_throw(id) && order_.reaches(writer, id)) return false;
    }
    return true;
  }

  void wait_for_readers(int writer, int old_storage) {
    for (const int reader : plan_.storages[static_cast<size_t>(old_storage)].readers) {
      if (reader != writer) order_.add(reader, writer);
    }
    for (int id = 0; id < graph().node_count(); ++id) {
      if (runs(id) && may_throw(id)) order_.add(id, writer);
    }
  }

  // Whoever touches a large value has done so before nodes that come much later in the sequence begin: else a gradient
  // of the weights, which nothing waits for, could come last of all, and all that it reads would be kept until then.
  // Nor does it begin before nodes that come much earlier have ended: else weights, which wait for nothing, could all
  // be packed first of all.
  void bound_lifetimes() {
    constexpr size_t large = size_t{256} << 10;
    constexpr int64_t window = 128;  // chunks: two each for 64 threads, if none depended on another
    constexpr int candidates = 8;
    const NodeOrder order(order_);
    std::vector<int> running;
    for (const int id : order.sequence()) {
      if (runs(id)) running.push_back(id);
    }
    const auto chunks_of = [&](int id) {
      int64_t most = 0;
      for (const KernelStep& step : plan_.kernels[static_cast<size_t>(id)].steps) most = std::max(most, step.chunks);
      return most;
    };
    const auto fewer = [&](int a, int b) { return order.descendant_count(a) < order.descendant_count(b); };
    size_t later = 0;
    int64_t chunks = 0;  // of running[i] ... running[later - 1]
    for (size_t i = 0; i < running.size(); ++i) {
      while (later < running.size() && chunks < window) chunks += chunks_of(running[later++]);
      if (later == running.size()) break;
      // Of the next few that which most others wait for: what follows it is what comes later, side by side or not.
      const auto here = running.begin() + static_cast<int64_t>(i),
                 there = running.begin() + static_cast<int64_t>(later);
      if (later + candidates <= running.size() && touches(*here, large)) {
        const int next = *std::max_element(there, there + candidates, fewer);
        if (!order.precedes(*here, next)) order_.add(*here, next);
      }
      if (touches(*there, large)) {
        const int64_t before = std::min<int64_t>(candidates, static_cast<int64_t>(i));
        const int last = *std::max_element(here - before, here + 1, fewer);
        if (!order.precedes(last, *there)) order_.add(last, *there);
      }
      chunks -= chunks_of(running[i]);
    }
  }

  // Does a node read or write something in the arena of so many bytes?
  bool touches(int id, size_t bytes) const {
    const Node& node = graph().node(id);
    const auto is_large = [&](int storage) {
      const Storage& at = plan_.storages[static_cast<size_t>(storage)];
      return at.kind == Storage::Kind::arena && at.bytes >= bytes;
    };
    for (int i = 0; i < node.output_count(); ++i) {
      if (is_large(storage_of_.at({id, i}))) return true;
    }
    if (const auto shared = shared_of_.find(id); shared != shared_of_.end() && is_large(shared->second)) return true;
    return std::any_of(node.inputs.begin(), node.inputs.end(),
                       [&](const Value& value) { return is_large(storage(value)); });
  }

  Address address_of(int storage) const { return plan_.storages[static_cast<size_t>(storage)].address; }

  void make_tasks(const NodeOrder& order, const JoinedChunks& joined) {
    std::vector<int> first_task(plan_.kernels.size(), -1), last_task(plan_.kernels.size(), -1);
    std::vector<std::vector<int>> after;  // by task
    const auto add_task = [&](Task task) {
      plan_.tasks.push_back(task);
      after.emplace_back();
      return static_cast<int>(plan_.tasks.size()) - 1;
    };
    for (const int id : order.sequence()) {
      if (!runs(id)) continue;
      const Node& node = graph().node(id);
      const KernelPlan& kernel = plan_.kernels[static_cast<size_t>(id)];
      Task task;
      task.node = id;
      task.commits = commits(id);
      task.inputs = static_cast<int>(node.inputs.size());
      task.outputs = node.output_count();
      task.inputs_at = static_cast<int>(plan_.addresses.size());
      for (const Value& value : node.inputs) plan_.addresses.push_back(address_of(storage(value)));
      task.outputs_at = static_cast<int>(plan_.addresses.size());
      for (int i = 0; i < node.output_count(); ++i) plan_.addresses.push_back(address_of(storage_of_.at({id, i})));
      if (const auto shared = shared_of_.find(id); shared != shared_of_.end()) {
        task.shared_offset = static_cast<int64_t>(address_of(shared->second).offset);
      }
      for (const KernelStep& step : kernel.steps) {
        task.run = step.run;
        task.params = step.params != nullptr ? step.params : kernel.params.get();
        task.chunks = step.chunks;
        task.again = step.again;
        task.back = step.back;
        task.nanoseconds =
            step.nanoseconds > 0 ? step.nanoseconds : kernel.nanoseconds / static_cast<double>(kernel.steps.size());
        const int made = add_task(task);
        if (first_task[static_cast<size_t>(id)] < 0) first_task[static_cast<size_t>(id)] = made;
        if (last_task[static_cast<size_t>(id)] >= 0)
          after[static_cast<size_t>(last_task[static_cast<size_t>(id)])].push_back(made);
        last_task[static_cast<size_t>(id)] = made;
      }
      if (joined.follows(id)) {
        plan_.tasks[static_cast<size_t>(first_task[static_cast<size_t>(id)])].follows = true;
        continue;  // the chain that it follows has waited for all
      }
      for (const int before : order.before(id)) {
        after[static_cast<size_t>(last_task[static_cast<size_t>(before)])].push_back(
            first_task[static_cast<size_t>(id)]);
      }
    }
    for (size_t id = 0; id < first_task.size(); ++id) {
      if (const int next = joined.next(static_cast<int>(id)); next >= 0)
        plan_.tasks[static_cast<size_t>(last_task[id])].then = first_task[static_cast<size_t>(next)];
    }
    add_late_copies(add_task, after);
    finish_tasks(after);
  }

  // The copies into the State wait for every other task: simple, and they are rare (an update that other nodes read the
  // old value beside).
  template <class AddTask>
  void add_late_copies(AddTask add_task, std::vector<std::vector<int>>& after) {
    const int others = static_cast<int>(plan_.tasks.size());
    for (const LateCopy& copy : late_copies_) {
      const Storage& from = plan_.storages[static_cast<size_t>(storage_of_.at(copy.from))];
      copy_bytes_.push_back(std::make_shared<size_t>(from.bytes));
      Task task;
      task.run = [](const KernelCall& call) {
        const size_t bytes = *static_cast<const size_t*>(call.params);
        __builtin_memcpy(call.outputs[0], call.inputs[0], bytes);
        call.count(static_cast<int64_t>(bytes), static_cast<int64_t>(bytes));
      };
      task.params = copy_bytes_.back().get();
      task.node = copy.writer;
      task.nanoseconds = 0.1 * static_cast<double>(from.bytes);
      task.commits = true;
      task.inputs = task.outputs = 1;
      task.inputs_at = static_cast<int>(plan_.addresses.size());
      plan_.addresses.push_back(from.address);
      task.outputs_at = static_cast<int>(plan_.addresses.size());
      plan_.addresses.push_back(address_of(copy.to));
      const int made = add_task(task);
      for (int other = 0; other < others; ++other) {
        // Of a node's steps, the last: those of a loop end many times.
        const bool goes_on = other + 1 < others && plan_.tasks[static_cast<size_t>(other)].node ==
                                                       plan_.tasks[static_cast<size_t>(other) + 1].node;
        if (!goes_on) after[static_cast<size_t>(other)].push_back(made);
      }
    }
    for (auto& bytes : copy_bytes_) {  // kept alive with the plan
      KernelPlan keeper;
      keeper.params = bytes;
      plan_.kernels.push_back(std::move(keeper));
    }
  }

  void finish_tasks(const std::vector<std::vector<int>>& after) {
    std::vector<double> spans(plan_.tasks.size());
    for (size_t i = plan_.tasks.size(); i-- > 0;) {
      Task& task = plan_.tasks[i];
      task.successors_at = static_cast<int>(plan_.successors.size());
      task.successors = static_cast<int>(after[i].size());
      double longest = 0;
      if (task.then >= 0) {
        longest = plan_.tasks[static_cast<size_t>(task.then)].priority;
        spans[i] = spans[static_cast<size_t>(task.then)];
      }
      for (const int next : after[i]) {
        assert(next > static_cast<int>(i));
        plan_.successors.push_back(next);
        ++plan_.tasks[static_cast<size_t>(next)].dependencies;
        longest = std::max(longest, plan_.tasks[static_cast<size_t>(next)].priority);
        spans[i] = std::max(spans[i], spans[static_cast<size_t>(next)]);
      }
      task.priority = task.nanoseconds + longest;
      plan_.critical_nanoseconds = std::max(plan_.critical_nanoseconds, task.priority);
      spans[i] += task.nanoseconds / static_cast<double>(task.chunks);
      plan_.span_nanoseconds = std::max(plan_.span_nanoseconds, spans[i]);
    }
  }

  struct LateCopy {
    Value from;  // its storage may yet change, when it is made in place of another
    int to, writer, parameter;
  };

  Isa isa_;
  Joining joining_;
  int64_t calls_;
  Plan plan_;
  std::map<Value, int> storage_of_;  // roots only
  std::map<int, int> shared_of_;     // node -> storage
  NodeOrder::Edges order_;
  std::vector<int> commits_;
  std::vector<LateCopy> late_copies_;
  std::vector<std::shared_ptr<size_t>> copy_bytes_;
};

}  // namespace

Plan make_plan(Module module, Isa isa, Joining joining, int64_t calls) {
  return Planner(settle(module), isa, joining, calls).run();
}

}  // namespace gradloom::inline v0
