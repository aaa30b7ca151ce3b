#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/fusible_product_internal.hpp>

#include <type_traits>

namespace gradloom::inline v0 {

namespace {

constexpr int64_t lowest_product = 4;  // rows; see kNarrowestProduct

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

/// The product of a node, with what it needs of b prepared if that is known.
template <class T>
std::shared_ptr<FusibleProduct<T>> product_of(const KernelRequest& request, const void* b, int sharing = 1) {
  const ProductTable& table = *request.node().op->product;
  std::shared_ptr<FusibleProduct<T>> product;
  if constexpr (std::is_same_v<T, float>) {
    product = table.f32(request);
  } else {
    product = table.f64(request);
  }
  if (sharing > 1) product->share_chunks(sharing);
  if (b != nullptr && product->prepare_chunks > 0) product->bake(static_cast<const T*>(b));
  return product;
}

template <class T>
KernelPlan plan_of(const KernelRequest& request) {
  KernelPlan plan;
  auto product = product_of<T>(request, constant_input(request, 1));
  if (product->chunks == 0) return plan;
  if (product->prepare_chunks > 0) plan.steps.push_back({prepare<T>, product->prepare_chunks});
  plan.steps.push_back({finish<T>, product->chunks});
  plan.scratch_bytes = product->scratch_bytes;
  plan.shared_bytes = product->shared_bytes;
  plan.nanoseconds = product->nanoseconds;
  plan.remark = product->remark;
  plan.params = std::move(product);
  return plan;
}

}  // namespace

bool is_fusible_product(const Graph& graph, const Node& node) {
  const ProductTable* const table = node.op->product;
  if (table == nullptr || !is_float(node.outputs[0].dtype)) return false;
  if (table->is_in_order != nullptr && !table->is_in_order(graph, node)) return false;
  const int64_t columns = node.outputs[0].shape[-1].value();
  return columns >= kNarrowestProduct && node.outputs[0].shape.element_count().value() >= lowest_product * columns;
}

bool has_one_matrix(const Graph& graph, const Node& node) {
  const ProductTable& table = *node.op->product;
  return table.has_one_matrix == nullptr || table.has_one_matrix(graph, node);
}

bool are_side_by_side(const Graph& graph, const Node& a, const Node& b) {
  return a.op == b.op && a.op->product != nullptr && a.op->product->side_by_side != nullptr &&
         a.outputs[0] == b.outputs[0] && a.op->product->side_by_side(graph, a, b);
}

const void* constant_input(const KernelRequest& request, int input) {
  const Node& node = request.graph().node(request.node().inputs[static_cast<size_t>(input)].node);
  return is_constant(node) ? literal_of(node).bytes.data() : nullptr;
}

template <class T>
std::shared_ptr<const FusibleProduct<T>> fusible_product(const KernelRequest& request, const void* b, int sharing) {
  return product_of<T>(request, b, sharing);
}
template std::shared_ptr<const FusibleProduct<float>> fusible_product(const KernelRequest& request, const void* b,
                                                                      int sharing);
template std::shared_ptr<const FusibleProduct<double>> fusible_product(const KernelRequest& request, const void* b,
                                                                       int sharing);

KernelPlan plan_product(const KernelRequest& request) {
  return request.output().dtype == DType::f64 ? plan_of<double>(request) : plan_of<float>(request);
}

}  // namespace gradloom::inline v0
