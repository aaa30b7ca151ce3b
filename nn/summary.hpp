#pragma once

#include <gradloom/graph/dim.hpp>
#include <gradloom/graph/tensor.hpp>

#include <string>
#include <vector>

namespace gradloom::inline v0::nn {

/// A table of what computes a Tensor: a line per layer, that is per scope with parameters, and per op or composition
/// between them, in order; with the shape of its result, the number of its parameters, its floating-point operations (a
/// multiply-add is two; an element of a pointwise op, of what is reduced, or of a pooling window is one; moving,
/// sorting and looking up are none; a scan's body counts for each step, that of a while_loop once, and all branches of
/// a cond; attention counts all pairs, causal or not) and the bytes of its result. Sizes that are symbols stay symbols,
/// unless `sizes` has values for them. A layer's parameters count in the line that uses them first.
///   std::puts(nn::summary(scores).c_str());
///   std::puts(nn::summary(scores, {{"batch", 64}}).c_str());
[[nodiscard]] GRADLOOM_API std::string summary(const Tensor& output, const std::vector<SymbolBinding>& sizes = {});

}  // namespace gradloom::inline v0::nn
