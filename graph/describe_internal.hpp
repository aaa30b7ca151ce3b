// How nodes appear in messages.
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>

#include <string>

namespace gradloom::inline v0 {

/// "train.cpp:41", without folders; "" if unknown.
[[nodiscard]] std::string to_string(const SourceLocation& location);
/// "f32[32, 784]"
[[nodiscard]] std::string to_string(const TensorType& type);
/// The operand lines of a message: `lhs "x"  f32[32, 784]  input, train.cpp:31`, aligned, one a line.
[[nodiscard]] std::string describe_operands(const Graph& graph, const OpDef& op, std::span<const Value> inputs);
/// The name of operand i of an op: "lhs", or "input 3".
[[nodiscard]] std::string operand_name(const OpDef& op, int i);
/// Of the candidates, the one nearest to `name` by edit distance, or "" if none is near. For "did you mean".
[[nodiscard]] std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

}  // namespace gradloom::inline v0
