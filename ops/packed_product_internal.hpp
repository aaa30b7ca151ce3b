// A product in two nodes: weights are packed by one, and used by the other, which a pass can set apart: packing goes in
// front of a loop, or is folded where the weights are constants. Made by the pass "pack", after differentiation.
#pragma once

#include <gradloom/graph/op_def.hpp>
#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

/// [k, n] (transposed: [n, k]) -> a row of packed_elements(k, n), in the order of the instruction set it runs on.
/// Floats of known sizes.
extern const OpDef pack_weights_def;
/// [..., m, k] and pack_weights of [k, n] -> [..., m, n], with the bits of matmul. Packed f32 may have been cast to
/// bf16.
extern const OpDef packed_matmul_def;

/// Is this a matmul for which it pays that its second operand is packed apart, if that stays the same? `as_bf16`: and
/// then rounded.
[[nodiscard]] bool suits_packing(const Graph& graph, const Node& node, bool as_bf16 = false);
/// Where suits_packing(): the node that packs, and the product with what it made.
[[nodiscard]] Tensor pack_weights(Graph& graph, const Node& matmul, const Tensor& weights);
[[nodiscard]] Tensor packed_matmul(Graph& graph, const Node& matmul, const Tensor& a, const Tensor& packed);

}  // namespace gradloom::inline v0
