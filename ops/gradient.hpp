// What a gradient rule is handed and what it returns.
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/tensor.hpp>

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gradloom::inline v0 {

/// Reverse mode, lent to rules of ops that hold a body: the gradients of sum_i <ys[i], cotangents[i]> by xs, all of one
/// graph. An empty Tensor stands for an x that no y depends on.
using Differentiate = std::vector<Tensor> (*)(std::span<const Tensor> ys, std::span<const Tensor> cotangents,
                                              std::span<const Tensor> xs);

/// A node seen by its gradient rule (vector-Jacobian product): its inputs, its outputs, and the incoming gradients.
class GRADLOOM_API Vjp {
 public:
  /// `cotangents` has one Tensor per output; an empty one is a symbolic zero.
  Vjp(Graph& graph, const Node& node, std::vector<Tensor> cotangents, Differentiate lent = nullptr)
      : graph_(graph), node_(node), cotangents_(std::move(cotangents)), differentiate_(lent) {}

  [[nodiscard]] Graph& graph() const { return graph_; }
  [[nodiscard]] const Node& node() const { return node_; }
  [[nodiscard]] const Attributes& attributes() const { return node_.attributes; }
  [[nodiscard]] int input_count() const { return static_cast<int>(node_.inputs.size()); }
  [[nodiscard]] Tensor input(int i) const {
    const Value& value = node_.inputs[static_cast<size_t>(i)];
    return graph_.tensor(value.node, value.output);
  }
  [[nodiscard]] Tensor output(int i = 0) const { return graph_.tensor(node_.id, i); }
  /// The incoming gradient of output i. Only outputs whose `has_cotangent` is true have one.
  [[nodiscard]] const Tensor& cotangent(int i = 0) const { return cotangents_[static_cast<size_t>(i)]; }
  [[nodiscard]] bool has_cotangent(int i) const { return cotangents_[static_cast<size_t>(i)].valid(); }
  [[nodiscard]] Differentiate differentiate() const { return differentiate_; }

 private:
  Graph& graph_;
  const Node& node_;
  std::vector<Tensor> cotangents_;
  Differentiate differentiate_;
};

/// The gradient with respect to one input: a Tensor of the input's shape and dtype, or why there is none.
class Gradient {
 public:
  enum class Kind { tensor, none, not_implemented };

  Gradient(Tensor tensor) : tensor_(std::move(tensor)) {}  // NOLINT: rules return Tensors
  /// Mathematically zero or undefined everywhere that matters (an index, a step function): no path goes through here.
  static Gradient none() { return Gradient(Kind::none, {}); }
  /// A path through here is an Error that gives this reason.
  static Gradient not_implemented(std::string why) { return Gradient(Kind::not_implemented, std::move(why)); }

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] const Tensor& tensor() const { return tensor_; }
  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  Gradient(Kind kind, std::string why) : kind_(kind), why_(std::move(why)) {}
  Kind kind_ = Kind::tensor;
  Tensor tensor_;
  std::string why_;
};

/// One Gradient per input, in order.
class Gradients : public std::vector<Gradient> {
 public:
  using vector::vector;
};

}  // namespace gradloom::inline v0
