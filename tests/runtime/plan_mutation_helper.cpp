#include "plan_mutation_helper.hpp"

#include <gradloom/graph/error.hpp>

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <memory>

namespace gradloom::test {

namespace {

bool apart(const Address& a, size_t a_bytes, const Address& b, size_t b_bytes) {
  return a.base != b.base || a.offset + a_bytes <= b.offset || b.offset + b_bytes <= a.offset;
}

/// Does this order of a mutated plan give other results? An Error tells as well: indices that are wrong point nowhere.
bool differs(const Results& expected, const Plan& mutated, const RandomGraph& made, uint64_t order) {
  try {
    return !difference(expected, results_in_random_order(mutated, made, order)).empty();
  } catch (const Error&) {
    return true;
  }
}

/// Does some order of the mutated plan of this graph give other results, while the plan as made gives the right ones?
bool caught(const Mutation& mutation, uint64_t seed, const std::function<RandomGraph(uint64_t)>& make) {
  const RandomGraph made = make(seed);
  const Fusion fusion = seed % 2 == 0 ? Fusion::on : Fusion::off;
  Random random(seed);
  Plan mutated = plan_of(made, fusion);
  if (!mutation.apply(mutated, random)) return false;
  const Results expected = results_as_written(made);
  for (uint64_t order = 0; order < 4; ++order) {
    if (!differs(expected, mutated, made, order)) continue;
    const Plan right = plan_of(made, fusion);
    BOOST_TEST(difference(expected, results_in_random_order(right, made, order)) == "");
    return true;
  }
  return false;
}

}  // namespace

void check_all_caught(std::span<const Mutation> mutations, RandomGraphOptions options) {
  check_all_caught(mutations, [options](uint64_t seed) { return random_graph(seed, options); });
}

void check_all_caught(std::span<const Mutation> mutations, const std::function<RandomGraph(uint64_t)>& make) {
  constexpr uint64_t most_graphs = 3000;
  for (const Mutation& mutation : mutations) {
    uint64_t seed = 0;
    while (seed < most_graphs && !caught(mutation, seed, make)) ++seed;
    BOOST_TEST_MESSAGE(mutation.name << ": caught by graph " << seed);
    BOOST_TEST(seed < most_graphs, mutation.name << " was not caught");
  }
}

bool is_late_copy(const Plan& plan, const Task& task) {
  return task.commits && task.params != plan.kernels[static_cast<size_t>(task.node)].params.get();
}

size_t bytes_of(const TensorType& type) {
  return static_cast<size_t>(type.shape.element_count().value()) * size_of(type.dtype);
}
const TensorType& input_type(const Plan& plan, const Task& task, int i) {
  const Value& value = node_of(plan, task).inputs[static_cast<size_t>(i)];
  return plan.module.graph.node(value.node).outputs[static_cast<size_t>(value.output)];
}

bool apart_from_outputs(Plan& plan, const Task& task, const Address& address, size_t bytes) {
  for (int i = 0; i < task.outputs; ++i) {
    if (!apart(address, bytes, output(plan, task, i), bytes_of(node_of(plan, task).outputs[static_cast<size_t>(i)])))
      return false;
  }
  return true;
}
bool apart_from_inputs(Plan& plan, const Task& task, const Address& address, size_t bytes) {
  for (int i = 0; i < task.inputs; ++i) {
    if (!apart(address, bytes, input(plan, task, i), bytes_of(input_type(plan, task, i)))) return false;
  }
  return true;
}

bool wrap(Plan& plan, Task* task, Kernel instead) {
  if (task == nullptr) return false;
  const auto wrapped = std::make_shared<const Wrapped>(Wrapped{task->run, task->again, task->params});
  task->run = instead;
  task->params = wrapped.get();
  plan.kernels.emplace_back().params = wrapped;
  return true;
}

bool read_64_bytes_off(Plan& plan, Random& random) {
  const Task* const task =
      any_task(plan, random, [&](const Task& t) { return t.inputs > 0 && !is_late_copy(plan, t); });
  if (task == nullptr) return false;
  const int i = static_cast<int>(random() % static_cast<uint64_t>(task->inputs));
  Address shifted = input(plan, *task, i);
  shifted.offset += 64;
  if (!apart_from_outputs(plan, *task, shifted, bytes_of(input_type(plan, *task, i)))) return false;
  input(plan, *task, i) = shifted;
  return true;
}

bool operands_swapped(Plan& plan, Random& random) {
  const Task* const task = any_task(plan, random, [&](const Task& t) {
    return t.inputs >= 2 && !node_of(plan, t).op->properties.commutative &&
           input_type(plan, t, 0) == input_type(plan, t, 1);
  });
  if (task == nullptr) return false;
  std::swap(input(plan, *task, 0), input(plan, *task, 1));
  return true;
}

bool stale_constant(Plan& plan, Random& random) {
  if (plan.constants.empty()) return false;
  auto& [base, bytes] = plan.constants[random() % plan.constants.size()];
  for (const Storage& storage : plan.storages) {
    if (storage.address.base != base || storage.bytes == 0) continue;
    const TensorType& type = plan.module.graph.node(storage.first_value_node).outputs[0];
    if (!is_float(type.dtype)) return false;
    const auto old = std::make_shared<std::vector<std::byte>>(storage.bytes);
    std::memcpy(old->data(), bytes, storage.bytes);
    for (size_t i = size_of(type.dtype) - 1; i < old->size(); i += size_of(type.dtype))
      (*old)[i] ^= std::byte{0x80};            // the sign
    plan.kernels.emplace_back().params = old;  // kept alive with the plan
    bytes = old->data();
    return true;
  }
  return false;
}

bool outputs_swapped(Plan& plan, Random& random) { return swap_two(plan.outputs, random); }

}  // namespace gradloom::test
