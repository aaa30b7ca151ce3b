#pragma once

#include <gradloom/graph/dtype.hpp>
#include <gradloom/graph/export.hpp>
#include <gradloom/graph/shape.hpp>
#include <gradloom/graph/source_location.hpp>

#include <string>
#include <string_view>

namespace gradloom::inline v0 {

class Graph;
class Node;
struct GraphData;

/// A handle on one output of a node of a Graph: symbolic, with a dtype and a shape, without data. Cheap to copy. Using
/// a Tensor after its Graph was destroyed throws Error (the handle keeps just enough alive to tell).
class GRADLOOM_API Tensor {
 public:
  Tensor() = default;
  Tensor(const Tensor& other);
  Tensor(Tensor&& other) noexcept;
  Tensor& operator=(const Tensor& other);
  Tensor& operator=(Tensor&& other) noexcept;
  ~Tensor();

  [[nodiscard]] const Shape& shape() const;
  [[nodiscard]] DType dtype() const;
  [[nodiscard]] int rank() const { return shape().rank(); }
  /// The size of an axis; a negative axis counts from the end.
  [[nodiscard]] const Dim& dim(int axis) const { return shape()[axis]; }
  /// The name of the node: its own, or "op_id".
  [[nodiscard]] std::string name() const;
  /// Names the node (for messages, explain() and drawings) and returns the same Tensor.
  const Tensor& named(std::string_view name) const;

  /// False for a default-constructed Tensor, which belongs to no graph.
  [[nodiscard]] bool valid() const { return graph_ != nullptr; }
  /// The graph it belongs to. Throws Error if there is none, or if it was destroyed.
  [[nodiscard]] Graph& graph() const;
  [[nodiscard]] const Node& node() const;
  [[nodiscard]] int node_id() const { return node_; }
  [[nodiscard]] int output() const { return output_; }

  /// The same output of the same node? (Not equality of values: that is gl::equal.)
  friend bool same(const Tensor& a, const Tensor& b) {
    return a.graph_ == b.graph_ && a.node_ == b.node_ && a.output_ == b.output_;
  }

 private:
  friend class Graph;
  Tensor(GraphData* graph, int node, int output);

  GraphData* graph_ = nullptr;
  int node_ = -1;
  int output_ = 0;
};

/// What every op takes: a Tensor, or a number (which takes the other side's dtype), and the line where it was written.
/// Made implicitly; its default argument is how `a * b` knows the user's line.
class GRADLOOM_API Operand {
 public:
  Operand(const Tensor& tensor, SourceLocation location = SourceLocation::current())  // NOLINT: implicit
      : tensor_(tensor), location_(location) {}
  Operand(int value, SourceLocation location = SourceLocation::current())  // NOLINT
      : integer_(value), number_(value), location_(location) {}
  Operand(long value, SourceLocation location = SourceLocation::current())  // NOLINT
      : integer_(value), number_(static_cast<double>(value)), location_(location) {}
  Operand(long long value, SourceLocation location = SourceLocation::current())  // NOLINT
      : integer_(value), number_(static_cast<double>(value)), location_(location) {}
  Operand(double value, SourceLocation location = SourceLocation::current())  // NOLINT
      : number_(value), fractional_(true), location_(location) {}

  [[nodiscard]] bool is_number() const { return !tensor_.valid(); }
  [[nodiscard]] const Tensor& tensor() const { return tensor_; }
  [[nodiscard]] double number() const { return number_; }
  [[nodiscard]] int64_t integer() const { return integer_; }
  /// True for a number written as double: 2.0, not 2.
  [[nodiscard]] bool fractional() const { return fractional_; }
  [[nodiscard]] const SourceLocation& location() const { return location_; }

 private:
  Tensor tensor_;
  int64_t integer_ = 0;
  double number_ = 0;
  bool fractional_ = false;
  SourceLocation location_;
};

}  // namespace gradloom::inline v0
