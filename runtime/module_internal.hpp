// What passes work on: a graph with what is wanted from it.
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/kernel.hpp>

#include <span>
#include <string>
#include <vector>

namespace gradloom::inline v0 {

/// A graph, the tensors wanted from it and the parameters it updates. Moving a Module keeps its Tensors good.
struct Module {
  Graph graph;
  std::vector<Tensor> outputs;
  std::vector<Update> updates;
};

/// Copies what a Module's outputs and updates need into a new Module, node by node in order; a pass overrides what
/// becomes of a node. What is not needed is not copied: every pass removes dead code.
class Rewriter {
 public:
  /// OpDef::simplify or OpDef::stabilize.
  using RewriteRule = Tensor (*)(Graph& graph, const Node& node, std::span<const Tensor> inputs);

  explicit Rewriter(const Module& from) : Rewriter(from.graph, from.outputs, from.updates) {}
  Rewriter(const Graph& graph, std::span<const Tensor> outputs, std::span<const Update> updates)
      : from_(graph), outputs_(outputs), updates_(updates) {}
  virtual ~Rewriter() = default;

  [[nodiscard]] Module run();

 protected:
  /// The outputs, in the new graph, of a node whose inputs are there already. The default copies it.
  virtual std::vector<Tensor> rewrite(const Node& node, std::span<const Tensor> inputs);
  /// What an op's own rule puts in the place of a node, or an empty Tensor. It takes the node's line, path and name.
  [[nodiscard]] Tensor apply(RewriteRule rule, const Node& node, std::span<const Tensor> inputs);
  [[nodiscard]] std::vector<Tensor> copy(const Node& node, std::span<const Tensor> inputs,
                                         const Attributes& attributes);
  [[nodiscard]] std::span<const Update> updates() const { return updates_; }
  [[nodiscard]] Graph& graph() { return to_.graph; }

 private:
  const Graph& from_;
  std::span<const Tensor> outputs_;
  std::span<const Update> updates_;
  Module to_;
};

/// Which nodes of a graph these outputs and updates (the updated parameters included) need.
[[nodiscard]] std::vector<bool> needed_nodes(const Graph& graph, std::span<const Tensor> outputs,
                                             std::span<const Update> updates);
[[nodiscard]] inline std::vector<bool> needed_nodes(const Module& module) {
  return needed_nodes(module.graph, module.outputs, module.updates);
}

}  // namespace gradloom::inline v0
