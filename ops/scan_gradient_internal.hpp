#pragma once

#include <gradloom/ops/gradient.hpp>

namespace gradloom::inline v0 {

/// The gradient rule of scan.
[[nodiscard]] Gradients scan_gradients(const Vjp& v);

/// Is a value of a body made again where a gradient needs it, rather than stored for each step? What computes nothing.
[[nodiscard]] bool is_recomputed(const Node& node);

}  // namespace gradloom::inline v0
