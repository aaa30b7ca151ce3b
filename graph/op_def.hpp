// What an op is. One constant OpDef per op, defined in the op's own file; a node points to it. Passes, autodiff and the
// runtime ask the OpDef; nothing anywhere lists op names.
#pragma once

#include <gradloom/graph/attributes.hpp>
#include <gradloom/graph/export.hpp>
#include <gradloom/graph/shape.hpp>
#include <gradloom/graph/tensor.hpp>

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gradloom::inline v0 {

class Node;
class Vjp;
class Gradients;
class KernelRequest;
struct KernelPlan;
struct PointwiseTable;
struct ProductTable;
struct Sample;
struct OpDef;

/// The type of a value: what a shape rule takes and returns.
struct TensorType {
  DType dtype = DType::f32;
  Shape shape{};
  bool operator==(const TensorType&) const = default;
};

/// What a shape rule sees of the node being built.
class GRADLOOM_API ShapeContext {
 public:
  virtual ~ShapeContext();
  [[nodiscard]] virtual const OpDef& op() const = 0;
  [[nodiscard]] virtual int input_count() const = 0;
  [[nodiscard]] virtual const TensorType& input(int i) const = 0;
  [[nodiscard]] virtual const Attributes& attributes() const = 0;

  /// Throws the Error for this node: op, name, the user's line, the operands, the op's rule.
  [[noreturn]] virtual void fail(const std::string& problem) const = 0;
  /// Requires that two sizes are equal and returns the one that is known better. Sizes that differ for certain fail
  /// with
  /// "`what` differ, 784 and 512"; a pair that only a binding can decide is noted and checked when the Program is
  /// specialised.
  virtual Dim require_equal(const Dim& a, const Dim& b, std::string_view what) const = 0;

  [[nodiscard]] const Shape& shape(int i) const { return input(i).shape; }
  [[nodiscard]] DType dtype(int i) const { return input(i).dtype; }
  /// An axis attribute made non-negative. Fails if the rank has no such axis.
  [[nodiscard]] int axis(int64_t axis, int rank) const;
};

/// Properties that passes ask for.
struct OpProperties {
  bool commutative = false;  ///< the first two inputs may be swapped
  bool may_throw = false;    ///< the kernel checks values (indices): it runs before anything in the State is written
  bool random = false;       ///< draws from a stream: never merged with an equal node, never folded
  bool per_run = false;      ///< depends on the State's step or seed: never folded
  bool by_mode = false;      ///< is input 0 in training and input 1 in inference: a pass picks
  bool alias = false;        ///< output 0 is input 0's bytes under another shape: no kernel runs
  bool takes_bf16 = false;   ///< moves elements without looking at them, or reads bf16 as f32
  bool runs_bodies = false;  ///< its Subgraph attributes are run: passes and plans go into them
};

struct OpDef {
  std::string_view name{};
  /// Names of the inputs for messages ("lhs", "rhs"); the last one stands for all further ones if `variadic`.
  std::vector<std::string_view> inputs{};
  bool variadic = false;
  /// What the op needs, for messages: "matmul needs lhs [..., m, k] and rhs [..., k, n]".
  std::string_view rule{};
  /// The types of the outputs, or a failure through the context.
  std::vector<TensorType> (*shape)(const ShapeContext&) = nullptr;
  /// The gradient rule: builds nodes. Null only together with `no_gradient`.
  Gradients (*vjp)(const Vjp&) = nullptr;
  /// Why there is no gradient, for ops that have none ("its result is an index").
  std::string_view no_gradient{};
  /// For pointwise ops: the loops per instruction set and dtype. Null for others.
  const PointwiseTable* pointwise = nullptr;
  /// For pointwise ops: the same function of plain doubles (booleans as 0 and 1), which tests compare the kernels with.
  /// Its result is still to be converted to the output's dtype.
  double (*reference)(const double* inputs) = nullptr;
  /// For pointwise ops: the largest error of the float kernels, in units in the last place. 0.5 is correct rounding,
  /// and demanded to the bit.
  double ulps = 0.5;
  /// For products of floats: how a fused region runs a node with more behind it. Null for others.
  const ProductTable* product = nullptr;
  /// For reductions over "axes" that a fused region can take along: the FusedReduce (as a number) that combines.
  int fused_reduce = -1;
  /// For other ops: how to run a node whose sizes are known. Null for pointwise and for alias ops.
  KernelPlan (*plan)(const KernelRequest&) = nullptr;
  OpProperties properties{};
  /// A simpler equivalent of a node with these inputs (which are in `graph`), or an empty Tensor: x + 0 -> x. What it
  /// returns may differ in bits only where the op's doc says so. For an op of several outputs: output 0 of a node that
  /// has the same.
  Tensor (*simplify)(Graph& graph, const Node& node, std::span<const Tensor> inputs) = nullptr;
  /// An equivalent that does not overflow or cancel where this one does, or that needs fewer exponentials, or an empty
  /// Tensor: log(1 + exp(x)) -> softplus(x).
  Tensor (*stabilize)(Graph& graph, const Node& node, std::span<const Tensor> inputs) = nullptr;
  /// For the conformance test: inputs, attributes, ranges.
  std::vector<Sample> (*samples)() = nullptr;
};

}  // namespace gradloom::inline v0
