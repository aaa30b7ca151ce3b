// The Errors of layers, losses and optimisers: the same form as those of ops.
#pragma once

#include <gradloom/graph/tensor.hpp>

#include <initializer_list>
#include <string>
#include <string_view>

namespace gradloom::inline v0::nn {

/// A Tensor that a message shows, and its name there: {"target", t}.
struct Shown {
  std::string_view name;
  Tensor tensor;
};

/// Throws the Error of a function of Tensors: its name, the user's line (that of `at`, or of the composition around
/// it), the Tensors it was given, its rule.
[[noreturn]] void refuse(std::string_view function, const Operand& at, std::string problem,
                         std::initializer_list<Shown> tensors, std::string_view rule);

/// Requires that two Tensors of one graph have the same shape; sizes that only a binding can compare pass, the ops that
/// follow note them. Unlike ops, losses do not broadcast: [batch, 1] against [batch] would quietly be [batch, batch].
void require_same_shape(std::string_view function, const Operand& at, const Shown& a, const Shown& b,
                        std::string_view rule);

/// Can these two sizes be equal, without stretching a 1?
[[nodiscard]] bool may_be_equal(const Dim& a, const Dim& b);

}  // namespace gradloom::inline v0::nn
