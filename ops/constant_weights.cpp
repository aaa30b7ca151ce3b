#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/constant_weights_internal.hpp>
#include <gradloom/ops/fusible_product_internal.hpp>

#include <cmath>
#include <cstring>

namespace gradloom::inline v0 {

namespace {

template <class T>
bool scale_elements(std::vector<std::byte>& bytes, const WeightChannels& channels, std::span<const double> scale) {
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
  return node.op->product != nullptr && node.op->product->channels != nullptr && is_float(node.outputs[0].dtype) &&
         is_constant(graph.node(node.inputs[1].node));
}

std::optional<Literal> scaled_weights(const Graph& graph, const Node& product, std::span<const double> scale) {
  Literal weights = literal_of(graph.node(product.inputs[1].node));
  const WeightChannels channels = product.op->product->channels(product, weights.sizes);
  const bool finite = weights.dtype == DType::f64 ? scale_elements<double>(weights.bytes, channels, scale)
                                                  : scale_elements<float>(weights.bytes, channels, scale);
  return finite ? std::optional(std::move(weights)) : std::nullopt;
}

}  // namespace gradloom::inline v0
