// Would the oracle notice a kernel that is wrong in one place? For each op whose kernels are more than a loop over
// elements: one that leaves out its last chunk, and one whose first element is off by the last bit.
#include "../random_image_graph_helper.hpp"
#include "plan_mutation_helper.hpp"
#include <gradloom/graph/subgraph.hpp>

#include <boost/test/unit_test.hpp>

#include <iterator>
#include <memory>
#include <string_view>
#include <utility>

using namespace gradloom;
using namespace gradloom::test;

namespace {

constexpr const char* ops[] = {"convolution",
                               "convolution_data_gradient",
                               "convolution_weight_gradient",
                               "max_pool",
                               "pool_sum",
                               "pool_spread",
                               "resample",
                               "resample_transposed",
                               "attention",
                               "attention_gradient",
                               "biased_attention",
                               "gather",
                               "scatter_add",
                               "take_along_axis",
                               "add_along_axis",
                               "update_slice",
                               "argsort",
                               "concat",
                               "pad",
                               "slice",
                               "transpose",
                               "matmul"};

/// Does a task run this op, alone or as the product of a region?
bool runs(const Plan& plan, const Task& task, std::string_view op) {
  const Node& node = node_of(plan, task);
  if (node.op->name == op) return true;
  if (node.op->name != "region") return false;
  const Graph& body = node.attributes.get<std::shared_ptr<const Subgraph>>("body")->graph;
  for (int id = 0; id < body.node_count(); ++id) {
    if (body.node(id).op->name == op) return true;
  }
  return false;
}

template <int op>
bool last_chunk_left_out(Plan& plan, Random& random) {
  return wrap(plan, any_task(plan, random, [&](const Task& task) { return runs(plan, task, ops[op]); }),
              [](const KernelCall& call) {
                if (call.chunk + 1 < call.chunks) Wrapped::run_as(call);
              });
}

template <int op>
bool first_element_off(Plan& plan, Random& random) {
  return wrap(plan,
              any_task(plan, random,
                       [&](const Task& task) {
                         return runs(plan, task, ops[op]) && task.chunks == 1 &&
                                bytes_of(node_of(plan, task).outputs[0]) > 0;
                       }),
              [](const KernelCall& call) {
                Wrapped::run_as(call);
                *static_cast<std::byte*>(call.outputs[0]) ^= std::byte{1};
              });
}

template <size_t... op>
std::vector<Mutation> mutations_of(std::index_sequence<op...>) {
  std::vector<Mutation> all;
  (all.push_back({ops[op], last_chunk_left_out<op>}), ...);
  (all.push_back({ops[op], first_element_off<op>}), ...);
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_kernel_mutation)

BOOST_AUTO_TEST_CASE(every_wrong_kernel_is_caught) {
  check_all_caught(mutations_of(std::make_index_sequence<std::size(ops)>()),
                   [](uint64_t seed) { return seed / 2 % 2 == 0 ? random_image_graph(seed) : random_graph(seed); });
}

BOOST_AUTO_TEST_SUITE_END()
