// Every op of the library that has a gradient rule, at its own sample inputs: gradients of first and second order against
// central differences.
#include <cmath>
#include <random>

#include <boost/test/unit_test.hpp>

#include <gradloom/autodiff/gradcheck.hpp>

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/op_table.hpp>
#include <gradloom/ops/sample.hpp>

using namespace gradloom;

namespace {

Array draw(const SampleInput& input, std::mt19937_64& random) {
  const auto fill = [&](auto zero, auto draw_one) {
    using T = decltype(zero);
    Array array(std::span(input.sizes), dtype_of<T>);
    for (T& element : array.data<T>()) element = static_cast<T>(draw_one());
    return array;
  };
  std::uniform_real_distribution<double> real(input.low, input.high);
  std::uniform_int_distribution<int64_t> whole(static_cast<int64_t>(std::ceil(input.low)),
                                               static_cast<int64_t>(std::floor(input.high)));
  switch (input.dtype) {
    case DType::boolean: return fill(false, [&] { return whole(random) != 0; });
    case DType::u8: return fill(uint8_t{}, [&] { return whole(random); });
    case DType::i32: return fill(int32_t{}, [&] { return whole(random); });
    case DType::i64: return fill(int64_t{}, [&] { return whole(random); });
    default: return fill(double{}, [&] { return real(random); });
  }
}

/// The types of the op's outputs at these points, with floats as f64.
std::vector<TensorType> output_types(const OpDef& op, const Sample& sample) {
  Graph graph;
  std::vector<Tensor> inputs;
  for (const SampleInput& input : sample.inputs) {
    inputs.push_back(graph.input("input_" + std::to_string(inputs.size()), Shape(std::span(input.sizes)),
                                 is_float(input.dtype) ? DType::f64 : input.dtype));
  }
  return graph.add(op, inputs, sample.attributes, {}).node().outputs;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(autodiff_conformance)

BOOST_AUTO_TEST_CASE(every_gradient_rule_agrees_with_differences) {
  int checked = 0;
  for (const OpDef* op : all_ops()) {
    if (op->vjp == nullptr || op->samples == nullptr) continue;
    const std::vector<Sample> samples = op->samples();
    for (size_t s = 0; s < samples.size(); ++s) {
      const Sample& sample = samples[s];
      if (!sample.differentiable) continue;
      const std::vector<TensorType> outputs = output_types(*op, sample);
      for (size_t output = 0; output < outputs.size(); ++output) {
        if (outputs[output].dtype != DType::f64) continue;  // a cast
        std::mt19937_64 random(17 * s + output + 1);
        std::vector<Array> points;
        for (const SampleInput& input : sample.inputs) points.push_back(draw(input, random));
        const auto apply = [&](std::span<const Tensor> x) {
          Graph& graph = x[0].graph();
          return graph.tensor(graph.add(*op, x, sample.attributes, {}).node_id(), static_cast<int>(output));
        };
        const std::string what = std::string(op->name) + ", sample " + std::to_string(s) + ", output " + std::to_string(output);
        try {
          const GradcheckReport report = gradcheck(apply, points);
          BOOST_TEST(report.passed, what + ": " + report.message);
          ++checked;
        } catch (const std::exception& error) {
          BOOST_ERROR(what + ": " + error.what());
        }
      }
    }
  }
  BOOST_TEST(checked >= 10);
}

BOOST_AUTO_TEST_CASE(every_op_says_how_it_is_differentiated_or_why_not) {
  for (const OpDef* op : all_ops()) BOOST_TEST((op->vjp != nullptr) != !op->no_gradient.empty(), op->name);
}

BOOST_AUTO_TEST_SUITE_END()
