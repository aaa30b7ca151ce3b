// From the user's function to a body graph. The function runs once, in the user's own graph, with stand-ins for its
// arguments, so that layers, scopes and gradients work inside it as anywhere; what it made is then copied into a graph
// of its own. Whatever it uses from before becomes an input of the body: a constant of the loop.
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/subgraph.hpp>

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gradloom::inline v0 {

/// Stands for an argument of a body while its function runs.
extern const OpDef body_argument_def;

/// Follows what a body's function makes, from here to finish().
class BodyTrace {
 public:
  BodyTrace(Graph& graph, std::string_view op, SourceLocation location);

  /// An argument of that type. All arguments are made before the function runs.
  Tensor argument(const TensorType& type);
  /// After the function has run: throws Error if it registered a side update, which no single step could make, or if a
  /// result is empty or of another graph.
  void finish(std::span<const Tensor> results);

  /// What the results use that was there before: parameters, inputs and nodes made earlier, each once, in order.
  [[nodiscard]] std::vector<Tensor> captured(std::span<const Tensor> results) const;
  /// A body with the arguments (named by `names`) and then `constants` as inputs, and the results as outputs.
  [[nodiscard]] std::shared_ptr<Subgraph> extract(std::span<const Tensor> results, std::span<const std::string> names,
                                                  std::span<const Tensor> constants) const;

  [[noreturn]] void fail(std::string problem, std::string_view rule) const;

 private:
  [[nodiscard]] bool is_inside(const Node& node) const;

  Graph& graph_;
  std::string op_;
  SourceLocation location_;
  std::vector<Tensor> arguments_;
  int first_;  // node that the function made, or could have
  size_t side_updates_;
};

/// "f32[32, 784]" of a Tensor.
[[nodiscard]] std::string type_text(const Tensor& tensor);
[[nodiscard]] const TensorType& type_of(const Tensor& tensor);

}  // namespace gradloom::inline v0
