#pragma once

#include <gradloom/graph/attributes.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/graph/source_location.hpp>
#include <gradloom/graph/tensor.hpp>

#include <string>
#include <vector>

namespace gradloom::inline v0 {

/// One output of one node, inside a graph.
struct Value {
  int node = -1;
  int output = 0;
  friend bool operator==(const Value&, const Value&) = default;
  friend auto operator<=>(const Value&, const Value&) = default;
};

/// An op applied to values. Its inputs exist before it does, so a graph is acyclic by construction.
class Node {
 public:
  int id = -1;
  const OpDef* op = nullptr;
  std::vector<Value> inputs;
  Attributes attributes;
  std::vector<TensorType> outputs;
  std::string name;  ///< the user's, or empty
  std::string path;  ///< the scopes and compositions around it: "encoder/dense_1", "mish/softplus"
  SourceLocation location;

  [[nodiscard]] int output_count() const { return static_cast<int>(outputs.size()); }
  /// The user's name, or "op_id".
  [[nodiscard]] GRADLOOM_API std::string label() const;
};

}  // namespace gradloom::inline v0
