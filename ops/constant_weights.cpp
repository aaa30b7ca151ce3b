#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/constant_weights_internal.hpp>
#include <gradloom/ops/convolution.hpp>
#include <gradloom/ops/matmul.hpp>

#include <cmath>
#include <cstring>

namespace gradloom::inline v0 {

namespace {

/// Which element of the result's last axis an element of the weights goes into: that of its column, the last axis of
/// the weights, or else of its row, the one before. With groups, each group of columns has rows of its own.
struct Channels {
  int64_t rows, columns;
  bool by_row;
  int64_t groups;

  [[nodiscard]] int64_t of(int64_t element) const {
    const int64_t row = element / columns % rows, column = element % columns;
    return by_row ? column / (columns / groups) * rows + row : column;
  }
};

Channels channels_of(const Node& product, const std::vector<int64_t>& sizes) {
  const int64_t rows = sizes[sizes.size() - 2], columns = sizes.back();
  if (product.op == &matmul_def) return {rows, columns, product.attributes.get<bool>("transpose_b"), 1};
  return {rows, columns, product.op == &convolution_data_gradient_def, product.attributes.get<int64_t>("groups")};
}

template <class T>
bool scale_elements(std::vector<std::byte>& bytes, const Channels& channels, std::span<const double> scale) {
  const size_t count = bytes.size() / sizeof(T);
  for (size_t i = 0; i < count; ++i) {
    T element;
    std::memcpy(&element, &bytes[i * sizeof(T)], sizeof(T));
    // For f32 this is the rounded product: that in double is exact.
    element = static_cast<T>(element * scale[static_cast<size_t>(channels.of(static_cast<int64_t>(i)))]);
    if (!std::isfinite(element)) return false;
    std::memcpy(&bytes[i * sizeof(T)], &element, sizeof(T));
  }
  return true;
}

}  // namespace

bool has_constant_weights(const Graph& graph, const Node& node) {
  const bool is_product =
      node.op == &matmul_def || node.op == &convolution_def || node.op == &convolution_data_gradient_def;
  return is_product && is_float(node.outputs[0].dtype) && is_constant(graph.node(node.inputs[1].node));
}

std::optional<Literal> scaled_weights(const Graph& graph, const Node& product, std::span<const double> scale) {
  Literal weights = literal_of(graph.node(product.inputs[1].node));
  const Channels channels = channels_of(product, weights.sizes);
  const bool finite = weights.dtype == DType::f64 ? scale_elements<double>(weights.bytes, channels, scale)
                                                  : scale_elements<float>(weights.bytes, channels, scale);
  return finite ? std::optional(std::move(weights)) : std::nullopt;
}

}  // namespace gradloom::inline v0
