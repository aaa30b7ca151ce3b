#pragma once

#include <gradloom/runtime/module_internal.hpp>

namespace gradloom::inline v0 {

/// The value whose bytes a value is: itself, or the input of the alias ops (reshape) that made it.
[[nodiscard]] Value root_of(const Graph& graph, Value value);

/// Gives every output and every update bytes of its own: what is an input, a parameter, a constant, or wanted twice, is
/// copied. After this the planner may write each of them where it is to end up.
[[nodiscard]] Module settle(const Module& module);

}  // namespace gradloom::inline v0
