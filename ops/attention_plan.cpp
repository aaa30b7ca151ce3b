#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/attention_internal.hpp>
#include <gradloom/ops/patterns.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace gradloom::inline v0 {

namespace baseline {
extern const AttentionKernels attention_kernels;
}
namespace avx2 {
extern const AttentionKernels attention_kernels;
}
namespace avx512 {
extern const AttentionKernels attention_kernels;
}

namespace {

void check_bias(const ShapeContext& context, int input) {
  const Shape &q = context.shape(0), &bias = context.shape(input);
  const int rank = q.rank();
  if (context.dtype(input) != DType::boolean && context.dtype(input) != context.dtype(0))
    context.fail("the bias is neither boolean nor of q's dtype");
  if (bias.rank() != rank) context.fail(fmt::format("the bias has {} axes, the scores have {}", bias.rank(), rank));
  std::vector<Dim> scores(q.begin(), q.end() - 3);
  for (const Dim& dim : {q[-2], q[-3], context.shape(1)[-3]}) scores.push_back(dim);
  for (int axis = 0; axis < rank; ++axis) {
    if (bias[axis] != Dim(1))
      (void)context.require_equal(bias[axis], scores[static_cast<size_t>(axis)],
                                  fmt::format("axis {} of the bias and of the scores", axis));
  }
}

}  // namespace

void check_attention(const ShapeContext& context, int bias, int key) {
  const Shape &q = context.shape(0), &k = context.shape(1), &v = context.shape(2);
  const int rank = q.rank();
  if (rank < 3) context.fail("q has fewer than three axes");
  if (k.rank() != rank || v.rank() != rank) context.fail("the numbers of axes differ");
  if (!is_float(context.dtype(0))) context.fail("q is no float");
  if (context.dtype(1) != context.dtype(0) || context.dtype(2) != context.dtype(0)) context.fail("the dtypes differ");
  for (int axis = 0; axis < rank - 3; ++axis) {
    (void)context.require_equal(q[axis], k[axis], fmt::format("axis {} of q and k", axis));
    (void)context.require_equal(q[axis], v[axis], fmt::format("axis {} of q and v", axis));
  }
  (void)context.require_equal(q[-1], k[-1], "the depths of q and k");
  (void)context.require_equal(k[-2], v[-2], "the heads of k and v");
  (void)context.require_equal(k[-3], v[-3], "the keys of k and v");
  if (!q[-2].known() || !k[-2].known()) context.fail("the number of heads is not known");
  const int64_t heads = q[-2].value(), kv_heads = k[-2].value();
  if (kv_heads < 1 || heads % kv_heads != 0)
    context.fail(fmt::format("{} heads are no multiple of {}", heads, kv_heads));
  if (bias >= 0) check_bias(context, bias);
  if (key < 0) return;
  if (context.dtype(key) != DType::i64 || context.shape(key).rank() != 0) context.fail("the key is no i64 scalar");
  const double rate = context.attributes().get<double>("rate");
  if (!(rate >= 0 && rate < 1)) context.fail(fmt::format("the rate is {}, and not at least 0 and less than 1", rate));
}

Tensor without_attention_dropout(Graph& graph, const Node& node, std::span<const Tensor> inputs, const OpDef& plain,
                                 const OpDef& biased) {
  const std::optional<double> key = uniform_value(inputs.back());
  if (!key || *key >= 0) return {};
  const Tensor& mask = inputs[inputs.size() - 2];
  const bool hides_nothing = mask.dtype() == DType::boolean && is_uniform(mask, 1);
  const Attributes attributes{{"scale", node.attributes.get<double>("scale")},
                              {"causal", node.attributes.get<bool>("causal")}};
  return graph.add(hides_nothing ? plain : biased, inputs.first(inputs.size() - (hides_nothing ? 2 : 1)), attributes,
                   node.location);
}

std::vector<Sample> with_attention_dropout(std::vector<Sample> biased) {
  for (Sample& sample : biased) {
    sample.inputs.push_back({{}, 1, 1000, DType::i64});
    sample.attributes.set("rate", 0.4);
  }
  return biased;
}

std::shared_ptr<AttentionPlan> plan_attention(const KernelRequest& request, int bias) {
  auto plan = std::make_shared<AttentionPlan>();
  const std::vector<int64_t> q = request.input_sizes(0), k = request.input_sizes(1), v = request.input_sizes(2);
  const size_t rank = q.size();
  AttentionForm& form = plan->form;
  form.batch = 1;
  for (size_t axis = 0; axis + 3 < rank; ++axis) form.batch *= q[axis];
  form.queries = q[rank - 3];
  form.keys = k[rank - 3];
  form.heads = q[rank - 2];
  form.kv_heads = k[rank - 2];
  form.depth = q[rank - 1];
  form.value_depth = v[rank - 1];
  form.scale = request.attributes().get<double>("scale");
  form.causal = request.attributes().get<bool>("causal");
  form.dropout = request.attributes().get_or<double>("rate", 0);
  plan->kernels = request.pick(baseline::attention_kernels, avx2::attention_kernels, avx512::attention_kernels);
  plan->type = request.input(0).dtype == DType::f64 ? 1 : 0;
  plan->element_bytes = static_cast<int64_t>(size_of(request.input(0).dtype));
  if (bias < 0) return plan;

  form.bias = request.input(bias).dtype == DType::boolean ? AttentionBias::mask : AttentionBias::added;
  const std::vector<int64_t> sizes = request.input_sizes(bias);
  std::vector<int64_t> strides(rank);
  for (int64_t axis = static_cast<int64_t>(rank) - 1, stride = 1; axis >= 0; --axis) {
    const auto i = static_cast<size_t>(axis);
    strides[i] = sizes[i] == 1 ? 0 : stride;
    stride *= sizes[i];
  }
  form.bias_head = strides[rank - 3];
  form.bias_query = strides[rank - 2];
  form.bias_key = strides[rank - 1];
  for (int64_t batch = 0; batch < form.batch; ++batch) {
    int64_t at = 0, rest = batch;
    for (size_t axis = rank - 3; axis-- > 0; rest /= q[axis]) at += rest % q[axis] * strides[axis];
    plan->bias_batch.push_back(at);
  }
  form.bias_batch = plan->bias_batch.data();
  return plan;
}

}  // namespace gradloom::inline v0
