#pragma once

#include <gradloom/graph/tensor.hpp>

#include <string_view>
#include <vector>

namespace gradloom::inline v0 {

/// Einstein's summation, as NumPy's einsum: letters name the axes of the operands, axes with one letter go together,
/// and letters that the result does not name are summed over.
///   einsum("ij,jk->ik", {a, b})          // a matrix product
///   einsum("bhqd,bhkd->bhqk", {q, k})    // attention scores
///   einsum("...ij->...ji", {x})          // a transpose
///   einsum("ii", {x})                    // a trace
/// `...` stands for any further axes, which broadcast; a letter twice in one operand takes its diagonal; without `->`
/// the result has `...` first and then the letters that occur once, in the order of the alphabet. Spaces are ignored. A
/// size of 1 goes together with any other. dtypes are promoted; u8 and booleans become i64.
///
/// It is made of transposes, matrix products, products and sums, operand by operand from the left: choose their order
/// so that what comes between is small. Throws Error for a malformed equation, another number of operands or of axes,
/// and sizes of one letter that differ.
[[nodiscard]] GRADLOOM_API Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands,
                                         SourceLocation location = SourceLocation::current());

}  // namespace gradloom::inline v0
