// An operator's call while a model is built: what converters are handed, and the converters that are no one-liners.
#pragma once

#include "onnx/onnx_model_helper.hpp"
#include "onnx/onnx_ops_helper.hpp"
#include <gradloom/graph/needed_internal.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/runtime/program.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gradloom::test::onnx {

using Ints = std::vector<int64_t>;
using Tensors = std::vector<Tensor>;

inline DType dtype_of_code(int64_t code) {
  switch (code) {
    case 1:
      return DType::f32;
    case 2:
      return DType::u8;
    case 6:
      return DType::i32;
    case 7:
      return DType::i64;
    case 9:
      return DType::boolean;
    case 11:
      return DType::f64;
    default:
      throw NoCounterpart{"a dtype"};
  }
}

inline Tensor constant_of(Graph& g, const Array& value) {
  return constant(g, value.dtype(), value.sizes(), {static_cast<const std::byte*>(value.raw()), value.byte_size()},
                  SourceLocation::current());
}

inline Shape shape_of(const Ints& sizes) { return Shape(std::span<const int64_t>(sizes)); }
inline Ints sizes_of(const Tensor& x) { return x.shape().sizes(); }

/// Those of the inputs that the Tensors depend on: a run takes no others.
inline Batch needed_of(const Graph& graph, std::span<const Tensor> tensors, const Batch& given) {
  const std::vector<bool> needed = needed_nodes(graph, tensors);
  Batch batch;
  for (const Tensor& input : graph.inputs()) {
    if (needed[static_cast<size_t>(input.node_id())]) batch.set(input.name(), *given.find(input.name()));
  }
  return batch;
}

/// A node being converted: its inputs as Tensors, its attributes with their defaults.
class Call {
 public:
  Call(const Node& of, Tensors inputs, int64_t version, Graph& building, const Batch& given)
      : node(of), in(std::move(inputs)), opset(version), graph(building), given_(given) {}

  [[nodiscard]] bool has(size_t i) const { return i < in.size() && in[i].valid(); }
  [[nodiscard]] const Tensor& x() const { return in[0]; }
  [[nodiscard]] const Attribute* attribute(const char* name) const {
    const auto found = node.attributes.find(name);
    return found == node.attributes.end() ? nullptr : &found->second;
  }
  [[nodiscard]] int64_t i(const char* name, int64_t otherwise) const {
    return attribute(name) ? attribute(name)->i : otherwise;
  }
  [[nodiscard]] double f(const char* name, double otherwise) const {
    return attribute(name) ? static_cast<double>(attribute(name)->f) : otherwise;
  }
  [[nodiscard]] std::string s(const char* name, const char* otherwise) const {
    return attribute(name) ? attribute(name)->s : otherwise;
  }
  [[nodiscard]] Ints ints(const char* name, Ints otherwise = {}) const {
    return attribute(name) ? attribute(name)->ints : otherwise;
  }
  /// The value of a Tensor, for what Gradloom takes as a number.
  [[nodiscard]] Array value(const Tensor& tensor) const {
    State state;
    return compile({.outputs = {tensor}, .optimize = Optimize::none})
        .run(state, needed_of(graph, {&tensor, 1}, given_))[0];
  }
  [[nodiscard]] Ints ints_of(size_t k) const {
    const Tensor wide = cast(in[k], DType::i64);
    return value(wide).to_vector<int64_t>();
  }
  /// An attribute that later versions made an input.
  [[nodiscard]] Ints ints_or_input(const char* name, size_t k, Ints otherwise = {}) const {
    return has(k) ? ints_of(k) : ints(name, std::move(otherwise));
  }
  [[nodiscard]] int axis(const char* name, int64_t otherwise) const {
    const int64_t given = i(name, otherwise);
    return static_cast<int>(given < 0 ? given + x().rank() : given);
  }

  const Node& node;
  Tensors in;
  int64_t opset;
  Graph& graph;

 private:
  const Batch& given_;
};

// ---- onnx_movement_helper.cpp

/// Indices from the end made positive.
Tensor from_front(const Tensor& indices, const Dim& size);
Tensors reshaped(Call& c);
Tensors flattened(Call& c);
Tensors unsqueezed(Call& c);
Tensors sliced(Call& c);
Tensors split_up(Call& c);
Tensors padded(Call& c);
Tensors expanded(Call& c);
Tensors one_hot_of(Call& c);
Tensors ranged(Call& c);
Tensors like_eye(Call& c);
Tensors filled(Call& c);

// ---- onnx_layers_helper.cpp

Tensors gemm(Call& c);
Tensors convolved(Call& c);
Tensors transposed_convolution(Call& c);
Tensors layer_normalized(Call& c);
Tensors cross_entropy(Call& c);
Tensors negative_log_likelihood(Call& c);
Tensors batch_normalized(Call& c);
Tensors normalized_instances(Call& c);

}  // namespace gradloom::test::onnx
