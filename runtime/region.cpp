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

}  // namespace

const OpDef region_def{
    .name = "region",
    .inputs = {"operand"},
    .variadic = true,
    .rule = "a region's operands fit its body",
    .shape = shape,
    .no_gradient = "regions are made after differentiation",
    .plan = [](const KernelRequest& request) { return plan_flat_region(request, body_of(request.node())); }};

const Subgraph& body_of(const Node& region) { return *region.attributes.get<std::shared_ptr<const Subgraph>>("body"); }

}  // namespace gradloom::inline v0
