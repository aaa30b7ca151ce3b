// A product in two nodes: weights are packed by one, and used by the other, which a pass can set apart: packing goes in
// front of a loop, or is folded where the weights are constants. Made by the pass "pack", after differentiation. The
// same with both operands as bf16, where the CPU multiplies that: made by the pass "halve".
#pragma once

#include <gradloom/graph/op_def.hpp>
#include <gradloom/graph/tensor.hpp>
#include <gradloom/ops/kernel.hpp>

namespace gradloom::inline v0 {

/// [k, n] (transposed: [n, k]) -> a row of packed_elements(k, n), in the order of the instruction set it runs on.
/// Floats of known sizes.
extern const OpDef pack_weights_def;
/// [..., m, k] and pack_weights of [k, n] -> [..., m, n], with the bits of matmul. Packed f32 may have been cast to
/// bf16.
extern const OpDef packed_matmul_def;

/// [k, n] (transposed: [n, k]) of f32 or bf16 -> a row of packed_elements(pairs_for(k), n) of i32: panels of pairs.
extern const OpDef pair_panels_def;
/// [..., m, k] (transposed: [k, m]) of f32 or bf16 -> [..., m, 2 * pairs_for(k)] of bf16. Of an even k, not transposed,
/// that is a cast.
extern const OpDef pair_rows_def;
/// [..., m, k] of bf16 (then k is even), or of f32, which it rounds, and pair_panels of [k, n] -> [..., m, n] of f32:
/// products of bf16, added as f32.
extern const OpDef paired_matmul_def;

/// Has the CPU instructions for products of bf16, and may this instruction set use them?
[[nodiscard]] bool multiplies_bf16(Isa isa);

/// Is this a matmul for which it pays that its second operand is packed apart, if that stays the same? `as_bf16`: and
/// then rounded.
[[nodiscard]] bool suits_packing(const Graph& graph, const Node& node, bool as_bf16 = false);
/// Is this a matmul for which products of bf16 are faster, with what it takes to round and pack the operands?
/// `packed_once`: the second one is for many products.
[[nodiscard]] bool suits_pairs(const Graph& graph, const Node& node, bool packed_once);
/// Where that holds: the node that packs, as f32 or f64 or as pairs of bf16, and the product with what it made.
[[nodiscard]] Tensor pack_weights(Graph& graph, const Node& matmul, const Tensor& weights, bool pairs = false);
[[nodiscard]] Tensor packed_matmul(Graph& graph, const Node& matmul, const Tensor& a, const Tensor& packed);

}  // namespace gradloom::inline v0
