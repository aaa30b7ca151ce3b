// attention: softmax(scale q k^T + bias) v in blocks. The kernels are in attention_kernel.cpp; the gradient is an op of
// its own, which takes from here the logarithm of each row's sum and no matrix of scores.
#include <gradloom/graph/error.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/attention.hpp>
#include <gradloom/ops/attention_internal.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/dropout.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/random.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/refuse_internal.hpp>
#include <gradloom/ops/sample.hpp>
#include <gradloom/ops/where.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace gradloom::inline v0 {

namespace {

constexpr int bias_input = 3, key_input = 4;

// ---- shape

std::vector<TensorType> shape(const ShapeContext& context) {
  const int inputs = context.input_count();
  check_attention(context, inputs > bias_input ? bias_input : -1, inputs > key_input ? key_input : -1);
  const Shape& q = context.shape(0);
  std::vector<Dim> dims = q.dims();
  dims.back() = context.shape(2)[-1];
  return {{context.dtype(0), Shape(std::move(dims))},
          {context.dtype(0), Shape(std::vector<Dim>(q.begin(), q.end() - 1))}};
}

// ---- gradient

// By the whole matrix, which is as large as the bias.
Gradient bias_gradient(const Vjp& v, const Tensor& lse, const Tensor& delta, const Tensor& dout) {
  const Tensor bias = v.input(bias_input), key = v.input_count() > key_input ? v.input(key_input) : Tensor();
  if (bias.dtype() == DType::boolean) return Gradient::none();
  const AttentionMatrices matrices(v.input(0), v.input(1), v.attributes());
  const Tensor p = matrices.probabilities(bias, lse);
  const Tensor dp = matmul(matrices.of_heads(dout), matrices.of_kv_heads(v.input(2)), {.transpose_b = true});
  return matrices.to_bias(p * (matrices.dropped(dp, key) - matrices.of_rows(delta)), bias.shape());
}

// With o = P v and z = log(sum(exp(s))): ds = P (dout v^T - delta), where delta = sum(dout o) - dz, for dz/ds = P.
Gradients vjp(const Vjp& v) {
  const bool biased = v.input_count() > bias_input, dropped = v.input_count() > key_input;
  const Tensor out = v.output(0), lse = v.output(1);
  const Tensor dout = v.has_cotangent(0) ? v.cotangent(0) : zeros_like(out);
  Tensor delta = sum(dout * out, {.axes = {-1}});
  if (v.has_cotangent(1)) delta = delta - v.cotangent(1);

  std::vector<Tensor> inputs = {v.input(0), v.input(1), v.input(2), lse, delta, dout};
  if (biased) inputs.push_back(v.input(bias_input));
  if (dropped) inputs.push_back(v.input(key_input));
  const OpDef& op = dropped  ? dropped_attention_gradient_def
                    : biased ? biased_attention_gradient_def
                             : attention_gradient_def;
  const Tensor dq = v.graph().add(op, inputs, v.attributes(), v.node().location);
  const auto output = [&](int i) { return v.graph().tensor(dq.node_id(), i); };
  Gradients gradients = {dq, output(1), output(2)};
  if (!biased) return gradients;
  gradients.push_back(bias_gradient(v, lse, delta, dout));
  if (dropped) gradients.push_back(Gradient::none());
  return gradients;
}

// ---- kernel

int64_t heads_together(const AttentionPlan& plan) {
  const bool few = plan.form.queries <= attention_few_queries;
  return few ? attention_heads_together(plan.form, plan.element_bytes) : 1;
}

void run(const KernelCall& call) {
  const auto& plan = *static_cast<const AttentionPlan*>(call.params);
  const AttentionForm& form = plan.form;
  const int64_t blocks = chunk_count(form.queries, attention_query_block), together = heads_together(plan);
  const int64_t parts = chunk_count(form.heads, together), part = call.chunk / blocks % parts;
  const int64_t block = call.chunk % blocks, batch = call.chunk / blocks / parts;
  const int64_t head = part * together, last_head = std::min(form.heads, head + together);
  const int64_t begin = chunk_begin(form.queries, blocks, block), end = chunk_begin(form.queries, blocks, block + 1);
  plan.kernels.forward[plan.type](form,
                                  {.q = call.inputs[0],
                                   .k = call.inputs[1],
                                   .v = call.inputs[2],
                                   .bias = form.bias == AttentionBias::none ? nullptr : call.inputs[bias_input],
                                   .key = form.dropout > 0 ? *static_cast<const int64_t*>(call.inputs[key_input]) : 0,
                                   .output = call.outputs[0],
                                   .lse = call.outputs[1],
                                   .batch = batch,
                                   .head = head,
                                   .last_head = last_head,
                                   .begin = begin,
                                   .end = end,
                                   .scratch = call.scratch});
  const bool first = block == 0 && head % form.group() == 0;  // k and v are counted once
  const int64_t heads = last_head - head, rows = heads * (end - begin);
  const int64_t shared = first ? form.keys * std::max<int64_t>(1, heads / form.group()) : 0;
  call.count((rows * form.depth + shared * (form.depth + form.value_depth)) * plan.element_bytes,
             rows * (form.value_depth + 1) * plan.element_bytes);
}

KernelPlan plan(const KernelRequest& request) {
  auto params = plan_attention(request, request.input_count() > bias_input ? bias_input : -1);
  const AttentionForm& form = params->form;
  KernelPlan plan;
  const int64_t rows = form.batch * form.heads * form.queries;
  if (rows == 0) return plan;
  plan.steps = {{run, form.batch * chunk_count(form.heads, heads_together(*params)) *
                          chunk_count(form.queries, attention_query_block)}};
  plan.scratch_bytes = params->kernels.forward_scratch[params->type](form);
  const double scores = static_cast<double>(rows) * static_cast<double>(form.keys) * (form.causal ? 0.5 : 1);
  plan.nanoseconds = 100 + scores * (1 + static_cast<double>(form.depth + form.value_depth) / 40);
  plan.params = std::move(params);
  return plan;
}

// ---- samples

Attributes attributes_of(double scale, bool causal) { return {{"scale", scale}, {"causal", causal}}; }

std::vector<Sample> samples() {
  return {{.inputs = {{{5, 2, 3}}, {{5, 2, 3}}, {{5, 2, 4}}}, .attributes = attributes_of(0.7, false)},
          {.inputs = {{{2, 3, 4, 2}}, {{2, 5, 2, 2}}, {{2, 5, 2, 3}}}, .attributes = attributes_of(1, true)},
          // Of five queries the first two see none of three keys.
          {.inputs = {{{5, 1, 2}}, {{3, 1, 2}}, {{3, 1, 2}}}, .attributes = attributes_of(0.5, true)}};
}

std::vector<Sample> biased_samples() {
  return {{.inputs = {{{4, 2, 3}}, {{3, 1, 3}}, {{3, 1, 2}}, {{2, 4, 3}}}, .attributes = attributes_of(0.7, false)},
          {.inputs = {{{2, 3, 2, 2}}, {{2, 3, 2, 2}}, {{2, 3, 2, 2}}, {{2, 1, 1, 3}}},
           .attributes = attributes_of(1, true)},
          {.inputs = {{{4, 2, 3}}, {{5, 2, 3}}, {{5, 2, 2}}, {{1, 4, 5}, 0, 1, DType::boolean}},
           .attributes = attributes_of(0.7, false)}};
}

// With a key that drops nothing, as in inference.
Tensor without_dropout(Graph& graph, const Node& node, std::span<const Tensor> inputs) {
  return without_attention_dropout(graph, node, inputs, attention_def, biased_attention_def);
}

std::vector<Sample> dropped_samples() { return with_attention_dropout(biased_samples()); }

}  // namespace

const OpDef attention_def{.name = "attention",
                          .inputs = {"q", "k", "v"},
                          .rule = attention_rule,
                          .shape = shape,
                          .vjp = vjp,
                          .plan = plan,
                          .samples = samples};

const OpDef biased_attention_def{.name = "biased_attention",
                                 .inputs = {"q", "k", "v", "bias"},
                                 .rule = biased_attention_rule,
                                 .shape = shape,
                                 .vjp = vjp,
                                 .plan = plan,
                                 .samples = biased_samples};

const OpDef dropped_attention_def{.name = "dropped_attention",
                                  .inputs = {"q", "k", "v", "bias", "key"},
                                  .rule = dropped_attention_rule,
                                  .shape = shape,
                                  .vjp = vjp,
                                  .plan = plan,
                                  .simplify = without_dropout,
                                  .samples = dropped_samples};

namespace {

/// Mask and bias as one input of the op, with all of q's axes; or an empty Tensor.
Tensor bias_of(const Tensor& q, const AttentionOptions& options) {
  Tensor bias = options.mask;
  if (options.bias.valid()) {
    bias = cast(options.bias, q.dtype());
    if (options.mask.valid()) bias = where(options.mask, bias, -std::numeric_limits<double>::infinity());
  }
  if (!bias.valid()) return {};
  std::vector<Dim> dims(static_cast<size_t>(std::max(q.rank() - bias.rank(), 0)), Dim(1));
  dims.insert(dims.end(), bias.shape().begin(), bias.shape().end());
  return reshape(bias, Shape(std::move(dims)));
}

/// Drawn anew in every run, as random tensors are: it decides which weights are dropped.
Tensor dropout_key(Graph& graph, SourceLocation location) {
  constexpr double two_to_53 = 9007199254740992;  // as many bits as a random double has
  return cast(random_uniform(graph, {}, 0, two_to_53, DType::f64, location), DType::i64);
}

}  // namespace

Tensor attention(const Operand& q, const Tensor& k, const Tensor& v, const AttentionOptions& options) {
  const SourceScope scope(q, "attention");
  const Tensor& query = q.tensor();
  const Tensor shown[] = {query, k, v};
  const auto fail = [&](const std::string& problem) {
    const bool all = k.valid() && v.valid();
    refuse(attention_def, std::span(shown, all ? 3 : 1), problem, q.location());
  };
  for (const Tensor* tensor : {&k, &v}) {
    if (!tensor->valid() || &tensor->graph() != &query.graph())
      fail(std::string(tensor == &k ? "k" : "v") + " is an empty Tensor or of another graph");
  }
  if (options.mask.valid() && options.mask.dtype() != DType::boolean)
    fail(fmt::format("the mask is {}, and not boolean", to_string(options.mask.dtype())));
  if (options.bias.valid() && !is_float(options.bias.dtype()))
    fail(fmt::format("the bias is {}, and no float", to_string(options.bias.dtype())));
  double scale = options.scale;
  if (scale == 0) {
    if (query.rank() < 1 || !query.dim(-1).known()) fail("the depth of q is not known, so a scale must be given");
    scale = 1 / std::sqrt(static_cast<double>(std::max<int64_t>(query.dim(-1).value(), 1)));
  }
  if (!(options.dropout >= 0 && options.dropout < 1))
    fail(fmt::format("dropout is {}, and not at least 0 and less than 1", options.dropout));
  Attributes attributes = attributes_of(scale, options.causal);
  const Tensor bias = bias_of(query, options);
  std::vector<Tensor> inputs(std::begin(shown), std::end(shown));
  if (bias.valid()) inputs.push_back(bias);
  Graph& graph = query.graph();
  if (options.dropout == 0)
    return graph.add(bias.valid() ? biased_attention_def : attention_def, inputs, attributes, q.location());
  if (!bias.valid()) {  // a mask that hides nothing
    inputs.push_back(
        full(graph, Shape(std::vector<Dim>(static_cast<size_t>(query.rank()), Dim(1))), 1, DType::boolean));
  }
  // One op for both modes: with an op for each, a training step would have the gradients of both, one of them of zeros.
  inputs.push_back(by_mode(dropout_key(graph, q.location()), constant(graph, -1, DType::i64, q.location())));
  attributes.set("rate", options.dropout);
  return graph.add(dropped_attention_def, inputs, attributes, q.location());
}

}  // namespace gradloom::inline v0
