// The text form of a graph: readable, stable, and it parses back. One line a node:
//
//     graph {
//       %0 "x" = input() {dtype = f32, shape = [batch, 2]} : f32[batch, 2] @train.cpp:31
//       %1 "layer/b" = parameter() {...} : f32[2] @train.cpp:32
//       %2 = broadcast(%1) {shape = [batch, 2]} : f32[batch, 2] in "layer/broadcast" @train.cpp:33
//       %3 = add(%0, %2) : f32[batch, 2] in "layer" @train.cpp:33
//       output %3
//     }
//
// that is: number, name, op, inputs (%4.1 is the second output of node 4), attributes, types of the outputs, path and
// line. `output`, `update %1 = %7` (side updates) and `constraint [n, m] at %5 "..."` (sizes that must turn out equal)
// follow. Attributes: true, 3, 3.0, "text", f32 (a dtype), (0, 1) (integers), dim(n + 1), [n, 2] (a shape), literal
// f32[2] {1, 0.5} (data; an element that decimals cannot tell, such as a nan with a payload, as bits:7fa00001), graph
// {...} (a body).
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/subgraph.hpp>

#include <span>
#include <string>
#include <string_view>

namespace gradloom::inline v0 {

/// The whole graph.
[[nodiscard]] GRADLOOM_API std::string to_text(const Graph& graph);
/// What some tensors of the graph need, numbered anew, with them as outputs; without side updates.
[[nodiscard]] GRADLOOM_API std::string to_text(const Graph& graph, std::span<const Tensor> outputs);
/// The whole graph with its outputs.
[[nodiscard]] GRADLOOM_API std::string to_text(const Subgraph& body);

/// The inverse: to_text(parse_text(text, ops)) == text for every text that to_text made of a graph with these ops.
/// Everything is checked as when the graph was built. Throws Error with the line and column of the text. Scopes and
/// random streams of the result are numbered from the start: it is for reading, comparing and compiling, not for
/// building on.
[[nodiscard]] GRADLOOM_API Subgraph parse_text(std::string_view text, std::span<const OpDef* const> ops);

}  // namespace gradloom::inline v0
