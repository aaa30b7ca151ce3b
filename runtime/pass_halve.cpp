// halve: products of f32 become products of bf16, added as f32, where the CPU multiplies these at twice the speed. What
// the network computes is rounded where it is made, once for all products that read it; parameters are where they are
// packed.
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/packed_product_internal.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/runtime/node_plan_internal.hpp>
#include <gradloom/runtime/passes_internal.hpp>

#include <memory>

namespace gradloom::inline v0 {

namespace {

class Halver final : public Rewriter {
 public:
  Halver(const Module& from, const PassOptions& options) : Rewriter(from), from_(from.graph), options_(options) {}

 protected:
  std::vector<Tensor> rewrite(const Node& node, std::span<const Tensor> inputs) override {
    if (node.op != &matmul_def || node.outputs[0].dtype != DType::f32) return Rewriter::rewrite(node, inputs);
    const Tensor right = rounded(node, inputs[1]);
    if (!suits_pairs(from_, node, is_constant(right.node()))) return Rewriter::rewrite(node, inputs);
    const bool transpose_a = node.attributes.get<bool>("transpose_a");
    const int64_t k = inputs[0].shape()[transpose_a ? -2 : -1].value();
    Tensor rows = rounded(node, inputs[0]);
    if (transpose_a || k % 2 != 0) {
      rows = add(node, pair_rows_def, {&rows, 1}, {{"transpose", transpose_a}});
    } else if (rows.dtype() == DType::f32) {
      rows = add(node, to_bf16_def, {&rows, 1}, {});
    }
    return {packed_matmul(graph(), node, rows, panels(node, right))};
  }

 private:
  /// What a product reads of x: parameters and constants as they are, and bf16 of all else, whatever shape it has
  /// there.
  Tensor rounded(const Node& product, const Tensor& x) {
    if (made_by(x, reshape_def)) {
      const Tensor from = rounded(product, input_of(x));
      return from.dtype() == x.dtype() ? x : graph().add_copy(x.node(), {&from, 1}, x.node().attributes);
    }
    if (made_by(x, to_f32_def) && input_of(x).dtype() == DType::bf16) return input_of(x);
    if (is_parameter(x.node()) || is_constant(x.node())) return x;
    return add(product, to_bf16_def, {&x, 1}, {});
  }

  /// What a product reads of its right-hand side: made now, if that is a constant.
  Tensor panels(const Node& product, const Tensor& weights) {
    const Tensor made = pack_weights(graph(), product, weights, true);
    if (!is_constant(weights.node())) return made;
    const void* const from[] = {literal_of(weights.node()).bytes.data()};
    const auto literal = std::make_shared<const Literal>(computed_value({graph(), made.node(), options_.isa}, from));
    return add(product, constant_def, {}, {{"literal", literal}});
  }

  Tensor add(const Node& like, const OpDef& op, std::span<const Tensor> inputs, const Attributes& attributes) {
    Node node = like;  // its line and path
    node.op = &op;
    node.name.clear();
    return graph().add_copy(node, inputs, attributes);
  }

  const Graph& from_;
  const PassOptions& options_;
};

}  // namespace

Module halve(const Module& module, const PassOptions& options) { return Halver(module, options).run(); }

}  // namespace gradloom::inline v0
