// What planted mistakes of plans are made of. A mutation changes a plan's data only: nothing in the runtime knows of
// it.
#pragma once

#include "plan_runner_helper.hpp"
#include <gradloom/graph/op_def.hpp>

#include <functional>
#include <random>
#include <span>
#include <vector>

namespace gradloom::test {

using Random = std::mt19937_64;

struct Mutation {
  const char* name;
  /// False if it found no place in this plan.
  bool (*apply)(Plan& plan, Random& random);
};

/// For each of them, some random graph's plan with the mistake must give other results than the graph as written, in
/// some order that it allows, where the plan as made gives the right ones.
void check_all_caught(std::span<const Mutation> mutations, RandomGraphOptions options = {});
/// The same with graphs of another kind, by seed.
void check_all_caught(std::span<const Mutation> mutations, const std::function<RandomGraph(uint64_t)>& make);

/// Any of these, or null.
template <class T>
const T* any_of(const std::vector<T>& choices, Random& random) {
  return choices.empty() ? nullptr : &choices[random() % choices.size()];
}

template <class Predicate>
Task* any_task(Plan& plan, Random& random, Predicate fits) {
  std::vector<Task*> choices;
  for (Task& task : plan.tasks) {
    if (fits(task)) choices.push_back(&task);
  }
  Task* const* const choice = any_of(choices, random);
  return choice == nullptr ? nullptr : *choice;
}

inline const Node& node_of(const Plan& plan, const Task& task) { return plan.module.graph.node(task.node); }
inline Address& input(Plan& plan, const Task& task, int i) {
  return plan.addresses[static_cast<size_t>(task.inputs_at + i)];
}
inline Address& output(Plan& plan, const Task& task, int i) {
  return plan.addresses[static_cast<size_t>(task.outputs_at + i)];
}
inline bool same(const Address& a, const Address& b) { return a.base == b.base && a.offset == b.offset; }

/// A copy of a new value into the State, beside the tasks of the node that made it.
bool is_late_copy(const Plan& plan, const Task& task);

size_t bytes_of(const TensorType& type);
const TensorType& input_type(const Plan& plan, const Task& task, int i);

// Kernels may assume that what they read and what they write is the same memory or apart. Mutations leave it at that:
// what is tested is the oracle, not memcpy.
bool apart_from_outputs(Plan& plan, const Task& task, const Address& address, size_t bytes);
bool apart_from_inputs(Plan& plan, const Task& task, const Address& address, size_t bytes);

template <class Slots>
bool swap_two(Slots& slots, Random& random) {
  if (slots.empty()) return false;
  Slot &a = slots[random() % slots.size()], &b = slots[random() % slots.size()];
  if (&a == &b || a.bytes() != b.bytes()) return false;
  std::swap(a.base, b.base);
  return true;
}

struct Wrapped {
  Kernel run;
  bool (*again)(const KernelCall& call);
  const void* params;

  /// The kernel that was wrapped, and whether it goes on.
  static void run_as(const KernelCall& call) { of(call).run(real(call)); }
  static bool again_as(const KernelCall& call) { return of(call).again(real(call)); }

 private:
  static const Wrapped& of(const KernelCall& call) { return *static_cast<const Wrapped*>(call.params); }
  static KernelCall real(const KernelCall& call) {
    KernelCall real = call;
    real.params = of(call).params;
    return real;
  }
};

/// Puts `instead` in the place of a task's kernel; it may go on to that one by Wrapped::run_as.
bool wrap(Plan& plan, Task* task, Kernel instead);

// Mistakes that the plan of a loop's body can have as well.
bool read_64_bytes_off(Plan& plan, Random& random);
bool operands_swapped(Plan& plan, Random& random);
bool outputs_swapped(Plan& plan, Random& random);
bool stale_constant(Plan& plan, Random& random);

}  // namespace gradloom::test
