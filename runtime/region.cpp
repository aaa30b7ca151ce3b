#include <gradloom/ops/fusible_product_internal.hpp>
#include <gradloom/runtime/region_internal.hpp>

namespace gradloom::inline v0 {

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  std::vector<TensorType> types;
  for (const Tensor& output : context.attributes().get<std::shared_ptr<const Subgraph>>("body")->outputs) {
    types.push_back({output.dtype(), output.shape()});
  }
  return types;
}

KernelPlan plan(const KernelRequest& request) {
  const Subgraph& body = body_of(request.node());
  bool reduces_rows = false;
  for (int id = 0; id < body.graph.node_count(); ++id) {
    const Node& node = body.graph.node(id);
    if (is_fusible_product(body.graph, node)) return plan_product_region(request, body);
    if (node.op->fused_reduce < 0) continue;
    const auto space = row_space(node, body.graph.node(node.inputs[0].node).outputs[0].shape);
    reduces_rows = reduces_rows || !space->sums_short_rows();
  }
  return reduces_rows ? plan_row_region(request, body) : plan_flat_region(request, body);
}

}  // namespace

const OpDef region_def{.name = "region",
                       .inputs = {"operand"},
                       .variadic = true,
                       .rule = "a region's operands fit its body",
                       .shape = shape,
                       .no_gradient = "regions are made after differentiation",
                       .plan = plan,
                       .properties = {.takes_bf16 = true}};

const Subgraph& body_of(const Node& region) { return *region.attributes.get<std::shared_ptr<const Subgraph>>("body"); }

}  // namespace gradloom::inline v0
