#pragma once

#include <gradloom/graph/dtype.hpp>
#include <gradloom/graph/export.hpp>
#include <gradloom/graph/initializer.hpp>
#include <gradloom/graph/shape.hpp>
#include <gradloom/graph/source_location.hpp>
#include <gradloom/graph/tensor.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gradloom::inline v0 {

class Attributes;
class Node;
struct OpDef;

/// Two sizes that must turn out equal, and where that was asked for. Checked when a Program is specialised.
struct DimConstraint {
  Dim a, b;
  int node = -1;
  std::string what;
};

/// A new value for a parameter at the end of a run.
struct Update {
  Tensor parameter;
  Tensor value;
};

struct ParameterOptions {
  DType dtype = DType::f32;
  bool trainable = true;  ///< false: optimisers leave it alone (frozen, or state such as running statistics)
};

/// Ends a scope when it goes out of scope itself.
class GRADLOOM_API Scope {
 public:
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  Scope(Scope&& other) noexcept : graph_(other.graph_), length_(other.length_) { other.graph_ = nullptr; }
  Scope& operator=(Scope&&) = delete;
  ~Scope();

 private:
  friend class Graph;
  Scope(GraphData* graph, size_t length) : graph_(graph), length_(length) {}
  GraphData* graph_;
  size_t length_;  // of the path before
};

/// Owns nodes, in the order in which they were made. Built by one thread at a time; compile() works on a snapshot.
class GRADLOOM_API Graph {
 public:
  Graph();
  ~Graph();
  Graph(Graph&& other) noexcept;
  Graph& operator=(Graph&& other) noexcept;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// A value that every run is given by name. Throws Error if the scope has that name already.
  Tensor input(std::string_view name, Shape shape, DType dtype = DType::f32,
               SourceLocation location = SourceLocation::current());
  /// A persistent input, kept in a State under its full scoped name ("dense_1/weight"). The first run draws its value
  /// by `initializer` if the State lacks it. The shape must be known. Throws Error if the name is taken.
  Tensor parameter(std::string_view name, Shape shape, Initializer initializer = {}, ParameterOptions options = {},
                   SourceLocation location = SourceLocation::current());

  /// Opens the scope of that name: names made until it ends are "name/...". A name can be opened again.
  [[nodiscard]] Scope scope(std::string_view name);
  /// Opens "base_1", "base_2", ...: the next free number within the enclosing scope.
  [[nodiscard]] Scope numbered_scope(std::string_view base);
  /// The path of open scopes, "" or "encoder/dense_1".
  [[nodiscard]] const std::string& path() const;

  /// A value that training runs write to `parameter` after all else, besides the Program's own updates: for running
  /// statistics and the like. A Program leaves out those that need inputs which its outputs and updates do not (of
  /// another network of the graph); of several for one parameter it takes the last of the others. Programs compiled for
  /// inference have none.
  void add_side_update(Update update);
  [[nodiscard]] std::span<const Update> side_updates() const;

  /// Every parameter, in order of creation.
  [[nodiscard]] std::vector<Tensor> parameters() const;
  /// Every input, in order of creation.
  [[nodiscard]] std::vector<Tensor> inputs() const;
  /// The parameter of that full name. Throws Error with the nearest name if there is none.
  [[nodiscard]] Tensor find_parameter(std::string_view full_name) const;

  // ---- for op authors and passes: <gradloom/graph/node.hpp>

  /// Applies an op: checks the inputs by the op's shape rule and adds a node. Throws Error with the user's line (that
  /// of the outermost SourceScope, else `location`) and changes nothing on failure. Returns output 0.
  Tensor add(const OpDef& op, std::span<const Tensor> inputs, const Attributes& attributes, SourceLocation location);
  /// The user's line as messages give it: that of the outermost composition that is open, else `location`.
  [[nodiscard]] SourceLocation user_line(SourceLocation location) const;
  [[nodiscard]] int node_count() const;
  [[nodiscard]] const Node& node(int id) const;
  [[nodiscard]] Tensor tensor(int node, int output = 0) const;
  [[nodiscard]] std::span<const DimConstraint> constraints() const;
  /// A number that names a random stream: a hash of the open scopes and of how many streams they had before.
  [[nodiscard]] int64_t next_stream();
  void set_name(const Tensor& tensor, std::string_view name);
  /// For passes: adds a node with `original`'s op, name, path and line. Returns output 0.
  Tensor add_copy(const Node& original, std::span<const Tensor> inputs, const Attributes& attributes);

 private:
  friend class Tensor;
  friend class SourceScope;
  GraphData* data_;
};

/// Opened by a composition: nodes made until it ends report the user's line (that of the outermost composition) and
/// carry the composition's name in their path ("mish/softplus").
class GRADLOOM_API SourceScope {
 public:
  SourceScope(Graph& graph, std::string_view composition, SourceLocation location);
  /// The graph and the line of an operand. Throws Error if it is a number.
  SourceScope(const Operand& operand, std::string_view composition);
  /// For nodes derived from `origin` (its gradient, or what a pass puts in its place: no derivation): they take its
  /// path and line, whatever scopes are open around.
  SourceScope(Graph& graph, const Node& origin, std::string_view derivation);
  ~SourceScope();
  SourceScope(const SourceScope&) = delete;
  SourceScope& operator=(const SourceScope&) = delete;

 private:
  GraphData* data_;
  std::string path_;         // before
  SourceLocation location_;  // before
};

}  // namespace gradloom::inline v0
