// The two ops that a Graph makes itself.
#pragma once

#include <gradloom/graph/export.hpp>
#include <gradloom/graph/initializer.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/op_def.hpp>

namespace gradloom::inline v0 {

/// No inputs; attributes dtype, shape. The node's name is what a run binds.
GRADLOOM_API extern const OpDef input_def;
/// No inputs; attributes dtype, shape, trainable and the parts of an Initializer.
GRADLOOM_API extern const OpDef parameter_def;

[[nodiscard]] inline bool is_input(const Node& node) { return node.op == &input_def; }
[[nodiscard]] inline bool is_parameter(const Node& node) { return node.op == &parameter_def; }
[[nodiscard]] GRADLOOM_API bool is_trainable(const Node& parameter);
[[nodiscard]] GRADLOOM_API Initializer initializer_of(const Node& parameter);

}  // namespace gradloom::inline v0
