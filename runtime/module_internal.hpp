// What passes work on: a graph with what is wanted from it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/kernel.hpp>

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
  explicit Rewriter(const Module& from) : from_(from) {}
  virtual ~Rewriter() = default;

  [[nodiscard]] Module run();

 protected:
  /// The outputs, in the new graph, of a node whose inputs are there already. The default copies it.
  virtual std::vector<Tensor> rewrite(const Node& node, std::span<const Tensor> inputs);
  [[nodiscard]] std::vector<Tensor> copy(const Node& node, std::span<const Tensor> inputs, const Attributes& attributes);
  [[nodiscard]] const Module& from() const { return from_; }
  [[nodiscard]] Graph& graph() { return to_.graph; }

 private:
  const Module& from_;
  Module to_;
};

/// Which nodes of a graph the module's outputs and updates (the updated parameters included) need.
[[nodiscard]] std::vector<bool> needed_nodes(const Module& module);

}  // namespace gradloom::inline v0
