#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/ops/cond.hpp>
#include <gradloom/ops/fusible_product_internal.hpp>
#include <gradloom/ops/pointwise_table.hpp>
#include <gradloom/ops/scan.hpp>
#include <gradloom/ops/while_loop.hpp>
#include <gradloom/runtime/body_plan_internal.hpp>
#include <gradloom/runtime/node_plan_internal.hpp>

#include <fmt/format.h>

#include <cassert>
#include <cstring>
#include <new>

namespace gradloom::inline v0 {

namespace {

struct PointwiseParams {
  PointwiseLoop loop = nullptr;
  int64_t count = 0;
  int inputs = 0;
  size_t input_bytes[3] = {};
  size_t output_bytes = 0;
};

void run_pointwise(const KernelCall& call) {
  const auto& params = *static_cast<const PointwiseParams*>(call.params);
  const int64_t begin = chunk_begin(params.count, call.chunks, call.chunk);
  const int64_t end = chunk_begin(params.count, call.chunks, call.chunk + 1);
  const void* inputs[3];
  size_t input_bytes = 0;  // of one element of each
  for (int i = 0; i < params.inputs; ++i) {
    inputs[i] = static_cast<const std::byte*>(call.inputs[i]) + static_cast<size_t>(begin) * params.input_bytes[i];
    input_bytes += params.input_bytes[i];
  }
  call.count((end - begin) * static_cast<int64_t>(input_bytes),
             (end - begin) * static_cast<int64_t>(params.output_bytes));
  params.loop(inputs, static_cast<std::byte*>(call.outputs[0]) + static_cast<size_t>(begin) * params.output_bytes,
              end - begin);
}

KernelPlan plan_pointwise(const KernelRequest& request) {
  const Node& node = request.node();
  const int last = request.input_count() - 1;
  const PointwiseTable& table = *node.op->pointwise;
  auto params = std::make_shared<PointwiseParams>();
  // An op of a user's own may lack an instruction set; a lower one serves.
  for (int isa = static_cast<int>(request.isa()); isa >= 0 && params->loop == nullptr; --isa) {
    if (table.isa[isa] != nullptr) params->loop = table.isa[isa]->loops[static_cast<size_t>(request.input(last).dtype)];
  }
  assert(params->loop != nullptr && "the shape rule lets a dtype pass for which there is no kernel");
  params->count = request.output().shape.element_count().value();
  params->inputs = last + 1;
  KernelPlan plan;
  for (int i = 0; i <= last; ++i) {
    params->input_bytes[i] = size_of(request.input(i).dtype);
    if (params->input_bytes[i] == size_of(request.output().dtype)) plan.in_place.emplace_back(i, 0);
  }
  params->output_bytes = size_of(request.output().dtype);
  if (params->count > 0) {
    plan.steps = {{run_pointwise, chunk_count(params->count, pointwise_grain)}};
    plan.steps[0].share = {.elements = params->count, .inputs = ~uint64_t{0}};
  }
  plan.nanoseconds = 10 + 0.5 * static_cast<double>(params->count);
  plan.params = std::move(params);
  return plan;
}

struct CopyParams {
  size_t bytes = 0;
};

void copy_bytes(const KernelCall& call) {
  const size_t bytes = static_cast<const CopyParams*>(call.params)->bytes;
  std::memcpy(call.outputs[0], call.inputs[0], bytes);
  call.count(static_cast<int64_t>(bytes), static_cast<int64_t>(bytes));
}

KernelPlan plan_alias(const KernelRequest& request) {
  auto params = std::make_shared<CopyParams>();
  params->bytes = static_cast<size_t>(request.output().shape.element_count().value()) * size_of(request.output().dtype);
  KernelPlan plan;
  if (params->bytes > 0) {
    plan.steps = {{copy_bytes, 1}};
  }
  plan.nanoseconds = 10 + 0.05 * static_cast<double>(params->bytes);
  plan.params = std::move(params);
  return plan;
}

}  // namespace

KernelPlan plan_node(const KernelRequest& request) {
  const OpDef& op = *request.node().op;
  if (op.properties.alias) return plan_alias(request);
  if (op.pointwise != nullptr) return plan_pointwise(request);
  if (op.plan != nullptr) return op.plan(request);
  // By the shape rule, so that a copy of the op with another gradient rule runs.
  if (op.shape == scan_def.shape) return plan_scan(request);
  if (op.shape == cond_def.shape) return plan_cond(request);
  if (op.shape == while_loop_def.shape) return plan_while_loop(request);
  throw Error({.problem = "it cannot run: the op has no kernel",
               .op = std::string(op.name),
               .node = request.node().name,
               .location = to_string(request.node().location),
               .rule = std::string(op.rule)});
}

void run_plan(const KernelPlan& plan, std::span<const void* const> inputs, std::span<void* const> outputs,
              const RunInfo& run) {
  constexpr std::align_val_t alignment{64};
  const auto make = [](size_t bytes) { return bytes == 0 ? nullptr : ::operator new(bytes, alignment); };
  struct Freed {
    void* bytes;
    ~Freed() { ::operator delete(bytes, alignment); }
  };
  const Freed scratch{make(plan.scratch_bytes)}, shared{make(plan.shared_bytes)};
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const KernelStep& step = plan.steps[i];
    KernelCall call{.inputs = inputs.data(),
                    .outputs = outputs.data(),
                    .params = step.params != nullptr ? step.params : plan.params.get(),
                    .scratch = scratch.bytes,
                    .shared = shared.bytes,
                    .chunks = step.chunks,
                    .run = &run};
    for (; call.chunk < step.chunks; ++call.chunk) step.run(call);
    call.chunk = 0;
    if (step.again != nullptr && step.again(call)) i -= static_cast<size_t>(step.back) + 1;
  }
}

Literal computed_value(const KernelRequest& request, std::span<const void* const> inputs) {
  const TensorType& type = request.output();
  Literal literal{type.dtype, type.shape.sizes(), {}};
  const size_t bytes = static_cast<size_t>(type.shape.element_count().value()) * size_of(type.dtype);
  ProductBuffer aligned;  // as kernels want their outputs
  aligned.allocate(bytes);
  void* const outputs[] = {aligned.data()};
  run_plan(plan_node(request), inputs, outputs, {});
  const auto* const begin = static_cast<const std::byte*>(aligned.data());
  literal.bytes.assign(begin, begin + bytes);
  return literal;
}

}  // namespace gradloom::inline v0
