#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/graph/text.hpp>
#include <gradloom/graph/verify.hpp>
#include <gradloom/ops/op_table.hpp>
#include <gradloom/ops/parse.hpp>
#include <gradloom/ops/pointwise_table.hpp>
#include <gradloom/ops/sample.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace gradloom;

namespace {

/// The samples of a pointwise op stand for every dtype that it has kernels for, f32 or not.
DType supported(const OpDef& op, DType dtype) {
  if (op.pointwise == nullptr) return dtype;
  const auto& loops = op.pointwise->isa[0]->loops;
  if (loops[static_cast<size_t>(dtype)] != nullptr) return dtype;
  const auto first = std::find_if(std::begin(loops), std::end(loops), [](auto loop) { return loop != nullptr; });
  return static_cast<DType>(first - std::begin(loops));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_parse)

BOOST_AUTO_TEST_CASE(every_op_of_the_library_prints_and_parses_back) {
  Graph g;
  for (const OpDef* op : all_ops()) {
    if (op->samples == nullptr) continue;
    for (const Sample& sample : op->samples()) {
      const Scope scope = g.numbered_scope(op->name);
      std::vector<Tensor> inputs;
      for (const SampleInput& input : sample.inputs) {
        inputs.push_back(g.input("input_" + std::to_string(inputs.size()), Shape(std::span(input.sizes)),
                                 supported(*op, input.dtype)));
      }
      const Tensor y = g.add(*op, inputs, sample.attributes, SourceLocation::current());
      if (op->vjp != nullptr && sample.differentiable && is_float(y.dtype()) && is_float(inputs[0].dtype())) {
        (void)gradient(y, inputs[0]);
      }
    }
  }
  verify(g);
  const std::string text = to_text(g);
  const Subgraph parsed = parse_text(text);
  verify(parsed.graph);
  BOOST_TEST((to_text(parsed) == text));
}

BOOST_AUTO_TEST_SUITE_END()
