#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/convolution.hpp>
#include <gradloom/ops/fusible_product_internal.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/packed_product_internal.hpp>

#include <algorithm>

namespace gradloom::inline v0 {

namespace {

/// A smaller product is all edge: its epilogue would run on copies of parts of blocks.
constexpr int64_t narrowest_product = 16, lowest_product = 4;

bool is_convolution(const Node& node) {
  return node.op == &convolution_def || node.op == &convolution_data_gradient_def;
}

/// Are its rows made one after the other, with the columns of a group at a place where an epilogue can begin?
bool is_in_order(const Graph& graph, const Node& node) {
  const auto& strides = node.attributes.get<std::vector<int64_t>>("strides");
  const int64_t groups = node.attributes.get<int64_t>("groups");
  const int64_t columns = node.outputs[0].shape[-1].value();
  const bool is_depthwise =
      groups == columns && graph.node(node.inputs[0].node).outputs[0].shape[-1].value() == columns;
  const bool dense = std::all_of(strides.begin(), strides.end(), [](int64_t stride) { return stride == 1; });
  return (node.op == &convolution_def || dense) &&
         (groups == 1 || is_depthwise || columns / groups % narrowest_product == 0);
}

template <class T>
ProductMemory<T> memory_of(const KernelCall& call) {
  return {.a = static_cast<const T*>(call.inputs[0]),
          .b = static_cast<const T*>(call.inputs[1]),
          .result = static_cast<T*>(call.outputs[0]),
          .scratch = call.scratch,
          .shared = call.shared,
          .continues = call.continues};
}

template <class T>
void prepare(const KernelCall& call) {
  static_cast<const FusibleProduct<T>*>(call.params)->prepare(call.chunk, memory_of<T>(call));
}

template <class T>
void finish(const KernelCall& call) {
  const auto& product = *static_cast<const FusibleProduct<T>*>(call.params);
  if (call.traffic != nullptr) {
    const ProductTraffic moved = product.traffic(call.chunk);
    constexpr int64_t size = sizeof(T);
    call.count(moved.read * size, moved.made * size);
  }
  product.finish(call.chunk, memory_of<T>(call));
}

template <class T>
void bake(FusibleProduct<T>& product, const void* b) {
  if (b != nullptr && product.prepare_chunks > 0) product.bake(static_cast<const T*>(b));
}

}  // namespace

bool is_fusible_product(const Graph& graph, const Node& node) {
  if (node.op != &matmul_def && node.op != &packed_matmul_def && !is_convolution(node)) return false;
  if (!is_float(node.outputs[0].dtype) || (is_convolution(node) && !is_in_order(graph, node))) return false;
  const int64_t columns = node.outputs[0].shape[-1].value();
  return columns >= narrowest_product && node.outputs[0].shape.element_count().value() >= lowest_product * columns;
}

bool has_one_matrix(const Graph& graph, const Node& node) {
  if (node.op != &matmul_def) return true;
  const auto rank = [&](size_t i) {
    const Value& value = node.inputs[i];
    return graph.node(value.node).outputs[static_cast<size_t>(value.output)].shape.rank();
  };
  return rank(1) == 2 && (rank(0) == 2 || !node.attributes.get<bool>("transpose_a"));
}

const void* constant_input(const KernelRequest& request, int input) {
  const Node& node = request.graph().node(request.node().inputs[static_cast<size_t>(input)].node);
  return is_constant(node) ? literal_of(node).bytes.data() : nullptr;
}

template <class T>
std::shared_ptr<const FusibleProduct<T>> fusible_product(const KernelRequest& request, const void* b) {
  const Node& node = request.node();
  auto product = is_convolution(node)            ? convolution_product<T>(request)
                 : node.op == &packed_matmul_def ? packed_product<T>(request)
                                                 : matmul_product<T>(request);
  bake(*product, b);
  return product;
}
template std::shared_ptr<const FusibleProduct<float>> fusible_product(const KernelRequest& request, const void* b);
template std::shared_ptr<const FusibleProduct<double>> fusible_product(const KernelRequest& request, const void* b);

template <class T>
KernelPlan plan_product(const KernelRequest& request, std::shared_ptr<FusibleProduct<T>> product) {
  KernelPlan plan;
  if (product->chunks == 0) return plan;
  bake(*product, constant_input(request, 1));
  if (product->prepare_chunks > 0) plan.steps.push_back({prepare<T>, product->prepare_chunks});
  plan.steps.push_back({finish<T>, product->chunks});
  plan.scratch_bytes = product->scratch_bytes;
  plan.shared_bytes = product->shared_bytes;
  plan.nanoseconds = product->nanoseconds;
  plan.remark = product->remark;
  plan.params = std::move(product);
  return plan;
}
template KernelPlan plan_product(const KernelRequest& request, std::shared_ptr<FusibleProduct<float>> product);
template KernelPlan plan_product(const KernelRequest& request, std::shared_ptr<FusibleProduct<double>> product);

}  // namespace gradloom::inline v0
