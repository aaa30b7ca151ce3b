// An operator's call while a model is built: what converters are handed, and the converters that are no one-liners.
#pragma once

#include "onnx/onnx_model_helper.hpp"
#include "onnx/onnx_ops_helper.hpp"
#include <gradloom/graph/needed_internal.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/padding.hpp>
#include <gradloom/runtime/program.hpp>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gradloom::test::onnx {

using Ints = std::vector<int64_t>;
using Tensors = std::vector<Tensor>;
using Values = std::map<std::string, Tensor>;

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

/// Those of the inputs that the Tensors depend on: a run takes no others. Throws NoCounterpart for what depends on the
/// step of a loop.
inline Batch needed_of(const Graph& graph, std::span<const Tensor> tensors, const Batch& given) {
  const std::vector<bool> needed = needed_nodes(graph, tensors);
  for (int id = 0; id < graph.node_count(); ++id) {
    if (needed[static_cast<size_t>(id)] && graph.node(id).op->name == "body_argument") {
      throw NoCounterpart{"a number that a loop's step computes"};
    }
  }
  Batch batch;
  for (const Tensor& input : graph.inputs()) {
    if (needed[static_cast<size_t>(input.node_id())]) batch.set(input.name(), *given.find(input.name()));
  }
  return batch;
}

/// The results of a model, or of a body, whose inputs are among the values. A body sees those around it too.
Tensors results_of(const Model& model, int64_t opset, Values values, Built& built);

/// A node being converted: its inputs as Tensors, its attributes with their defaults.
class Call {
 public:
  Call(const Node& of, Tensors inputs, int64_t version, const Values& named, Built& so_far)
      : node(of), in(std::move(inputs)), opset(version), values(named), built(so_far), graph(so_far.graph) {}

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
    State state = built.state;
    const Batch inputs = needed_of(graph, {&tensor, 1}, built.inputs);
    const CompileOptions options{.outputs = {tensor}, .mode = Mode::inference, .optimize = Optimize::none};
    return compile(options).run(state, inputs)[0];
  }
  [[nodiscard]] Ints ints_of(size_t k) const { return value(cast(in[k], DType::i64)).to_vector<int64_t>(); }
  [[nodiscard]] std::vector<double> floats_of(size_t k) const {
    return value(cast(in[k], DType::f64)).to_vector<double>();
  }
  /// An attribute that later versions made an input.
  [[nodiscard]] Ints ints_or_input(const char* name, size_t k, Ints otherwise = {}) const {
    return has(k) ? ints_of(k) : ints(name, std::move(otherwise));
  }
  [[nodiscard]] int axis(const char* name, int64_t otherwise) const {
    const int64_t given = i(name, otherwise);
    return static_cast<int>(given < 0 ? given + x().rank() : given);
  }

  /// The results of the body that it has, for these arguments.
  [[nodiscard]] Tensors body(std::span<const Tensor> arguments) const {
    const Model& model = attribute("body")->g.at(0);
    Values seen = values;
    for (size_t k = 0; k < model.inputs.size(); ++k) seen[model.inputs[k]] = arguments[k];
    return results_of(model, opset, std::move(seen), built);
  }

  const Node& node;
  Tensors in;
  int64_t opset;
  const Values& values;  // by name, of all that was converted before
  Built& built;
  Graph& graph;
};

// ---- onnx_windows_helper.cpp

/// From [n, c, spatial...] to [n, spatial..., c], and back.
Tensor channels_last(const Tensor& x);
Tensor channels_first(const Tensor& x);
/// What the attributes say about windows of those sizes over x, [n, c, spatial...].
Padding padding_of(const Call& c, const Ints& window);

Tensors averaged_windows(Call& c);
Tensors largest_of_windows(Call& c);
Tensors unpooled(Call& c);

// ---- onnx_resize_helper.cpp

Tensors depth_moved_to_space(Call& c);
Tensors space_moved_to_depth(Call& c);
Tensors resized(Call& c);

// ---- onnx_indices_helper.cpp

Tensors compressed(Call& c);
Tensors reversed_sequences(Call& c);
Tensors gathered_points(Call& c);
Tensors scattered_elements(Call& c);
Tensors scattered_points(Call& c);

// ---- onnx_loops_helper.cpp

Tensors simple_recurrence(Call& c);
Tensors lstm_recurrence(Call& c);
Tensors gru_recurrence(Call& c);
Tensors scanned(Call& c);
Tensors looped(Call& c);

// ---- onnx_training_helper.cpp

Tensors differentiated(Call& c);
Tensors adagrad_step(Call& c);
Tensors adam_step(Call& c);
Tensors momentum_step(Call& c);
/// BatchNormalization with training_mode.
Tensors normalized_in_training(Call& c);

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
Tensors normalized_responses(Call& c);

}  // namespace gradloom::test::onnx
