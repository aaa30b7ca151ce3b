// attention_gradient: the gradients of attention, from its inputs and the logarithm of each row's sum, in blocks. Each
// chunk owns some blocks of keys of one head: their dk and dv, and a copy of dq for what they add to it; the copies are
// added in order in the end.
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/attention.hpp>
#include <gradloom/ops/attention_internal.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/sample.hpp>

#include <algorithm>

namespace gradloom::inline v0 {

namespace {

enum Input { q_in, k_in, v_in, lse_in, delta_in, dout_in, bias_in, key_in };

bool is_biased(int inputs) { return inputs > bias_in; }
bool is_dropped(int inputs) { return inputs > key_in; }

// ---- shape

std::vector<TensorType> shape(const ShapeContext& context) {
  const int inputs = context.input_count();
  check_attention(context, is_biased(inputs) ? bias_in : -1, is_dropped(inputs) ? key_in : -1);
  const Shape &q = context.shape(q_in), &v = context.shape(v_in);
  for (const int input : {lse_in, delta_in, dout_in}) {
    const std::string name(context.op().inputs[static_cast<size_t>(input)]);
    const int rank = q.rank() - (input == dout_in ? 0 : 1);
    if (context.dtype(input) != context.dtype(q_in)) context.fail("the dtypes differ");
    if (context.shape(input).rank() != rank) context.fail(name + " does not fit q");
    for (int axis = 0; axis < rank; ++axis) {
      (void)context.require_equal(context.shape(input)[axis], axis == q.rank() - 1 ? v[-1] : q[axis],
                                  "axis " + std::to_string(axis) + " of " + name + " and the result");
    }
  }
  return {context.input(q_in), context.input(k_in), context.input(v_in)};
}

// ---- gradient

// With P = exp(s q k^T + bias - lse), S = P (g v^T - delta), dq = s S k, dk = s S^T q, dv = P^T g, and a, b, c the
// cotangents of dq, dk, dv, by the product rule:
//   W = s (a k^T + q b^T), the cotangent of S;  U = g c^T + W (g v^T - delta), that of P;  Z = U P, that of the scores.
// Dropout puts its factors at g v^T, g c^T, and at the P and W P that are multiplied with c, v or g.
Gradients vjp(const Vjp& v) {
  const bool biased = is_biased(v.input_count());
  const AttentionMatrices matrices(v.input(q_in), v.input(k_in), v.attributes());
  const Tensor bias = biased ? v.input(bias_in) : Tensor();
  const Tensor key = is_dropped(v.input_count()) ? v.input(key_in) : Tensor();
  const Tensor &q = matrices.q(), &k = matrices.k();
  const Tensor values = matrices.of_kv_heads(v.input(v_in)), g = matrices.of_heads(v.input(dout_in));
  const auto cotangent = [&](int i) { return v.has_cotangent(i) ? v.cotangent(i) : zeros_like(v.output(i)); };
  const Tensor a = matrices.of_heads(cotangent(0));
  const Tensor b = matrices.of_kv_heads(cotangent(1)), c = matrices.of_kv_heads(cotangent(2));
  const double scale = matrices.scale();
  const ReduceOptions over_keys{.axes = {-1}, .keepdims = true};
  const MatmulOptions times_transposed{.transpose_b = true}, transposed_times{.transpose_a = true};

  const Tensor p = matrices.probabilities(bias, v.input(lse_in));
  const auto dropped = [&](const Tensor& x) { return matrices.dropped(x, key); };
  const Tensor centred = dropped(matmul(g, values, times_transposed)) - matrices.of_rows(v.input(delta_in));
  const Tensor slopes = p * centred;
  const Tensor w = scale * (matmul(a, k, times_transposed) + matmul(q, b, times_transposed));
  const Tensor wp = w * p;
  const Tensor kept_p = dropped(p), kept_wp = dropped(wp);
  const Tensor z = (dropped(matmul(g, c, times_transposed)) + w * centred) * p;
  Gradients gradients = {
      matrices.to_heads(scale * (matmul(z, k) + matmul(slopes, b))),
      matrices.to_kv_heads(scale * (matmul(z, q, transposed_times) + matmul(slopes, a, transposed_times))),
      matrices.to_kv_heads(matmul(kept_wp, g, transposed_times)),
      matrices.to_rows(-sum(z, over_keys)),
      matrices.to_rows(-sum(wp, over_keys)),
      matrices.to_heads(matmul(kept_p, c) + matmul(kept_wp, values)),
  };
  if (biased) {
    const bool added = bias.dtype() != DType::boolean;
    gradients.push_back(added ? Gradient(matrices.to_bias(z, bias.shape())) : Gradient::none());
  }
  if (key.valid()) gradients.push_back(Gradient::none());
  return gradients;
}

// ---- kernel

constexpr int64_t wanted_chunks = 16, grain = int64_t{32} * 1024;

void run(const KernelCall& call) {
  const auto& plan = *static_cast<const AttentionPlan*>(call.params);
  const AttentionForm& form = plan.form;
  const int64_t head = call.chunk / plan.splits, split = call.chunk % plan.splits;
  const int64_t q_elements = form.batch * form.queries * form.heads * form.depth;
  std::byte* const copies = static_cast<std::byte*>(call.shared);
  plan.kernels.gradient[plan.type](
      form, {.q = call.inputs[q_in],
             .k = call.inputs[k_in],
             .v = call.inputs[v_in],
             .bias = form.bias == AttentionBias::none ? nullptr : call.inputs[bias_in],
             .lse = call.inputs[lse_in],
             .delta = call.inputs[delta_in],
             .dout = call.inputs[dout_in],
             .key = form.dropout > 0 ? *static_cast<const int64_t*>(call.inputs[key_in]) : 0,
             .dq = plan.splits == 1 ? call.outputs[0] : copies + split * q_elements * plan.element_bytes,
             .dk = call.outputs[1],
             .dv = call.outputs[2],
             .batch = head / form.kv_heads,
             .kv_head = head % form.kv_heads,
             .first = split,
             .blocks = plan.splits,
             .scratch = call.scratch});
  if (split > 0) return;  // operands are counted once
  const int64_t rows = form.queries * form.group(), sizes = form.depth + form.value_depth;
  call.count((rows * (sizes + 2) + form.keys * sizes) * plan.element_bytes,
             (form.keys * sizes + (plan.splits == 1 ? rows * form.depth : 0)) * plan.element_bytes);
}

void add_copies(const KernelCall& call) {
  const auto& plan = *static_cast<const AttentionPlan*>(call.params);
  const AttentionForm& form = plan.form;
  const int64_t n = form.batch * form.queries * form.heads * form.depth;
  const int64_t begin = chunk_begin(n, call.chunks, call.chunk), size = chunk_size(n, call.chunks, call.chunk);
  plan.kernels.add_parts[plan.type](static_cast<const std::byte*>(call.shared) + begin * plan.element_bytes,
                                    plan.splits, n, size,
                                    static_cast<std::byte*>(call.outputs[0]) + begin * plan.element_bytes);
  call.count(0, size * plan.element_bytes);
}

KernelPlan plan(const KernelRequest& request) {
  auto params = plan_attention(request, is_biased(request.input_count()) ? bias_in : -1);
  const AttentionForm& form = params->form;
  KernelPlan plan;
  const int64_t heads = form.batch * form.kv_heads;
  if (heads == 0) return plan;
  const int64_t blocks = std::max<int64_t>(1, attention_key_blocks(form));
  params->splits = std::min(blocks, std::max<int64_t>(1, wanted_chunks / heads));
  plan.steps = {{run, heads * params->splits}};
  const int64_t q_elements = form.batch * form.queries * form.heads * form.depth;
  if (params->splits > 1) {
    plan.steps.push_back({add_copies, chunk_count(q_elements, grain)});
    plan.shared_bytes = static_cast<size_t>(params->splits * q_elements * params->element_bytes);
  }
  plan.scratch_bytes = params->kernels.gradient_scratch[params->type](form);
  const double scores = static_cast<double>(form.batch * form.heads * form.queries) * static_cast<double>(form.keys);
  plan.nanoseconds =
      100 + scores * (form.causal ? 0.5 : 1) * (1 + 2.5 * static_cast<double>(form.depth + form.value_depth) / 40);
  plan.params = std::move(params);
  return plan;
}

// ---- samples

// Of any lse and delta, for they are inputs like others here.
std::vector<Sample> samples() {
  const Attributes causal = {{"scale", 0.7}, {"causal", true}}, all = {{"scale", 1.0}, {"causal", false}};
  return {
      {.inputs = {{{4, 2, 3}}, {{5, 2, 3}}, {{5, 2, 2}}, {{4, 2}, 1, 2}, {{4, 2}}, {{4, 2, 2}}}, .attributes = causal},
      {.inputs = {{{2, 3, 2, 2}}, {{2, 4, 1, 2}}, {{2, 4, 1, 3}}, {{2, 3, 2}, 1, 2}, {{2, 3, 2}}, {{2, 3, 2, 3}}},
       .attributes = all}};
}

std::vector<Sample> biased_samples() {
  return {{.inputs = {{{4, 2, 3}}, {{3, 1, 3}}, {{3, 1, 2}}, {{4, 2}, 1, 2}, {{4, 2}}, {{4, 2, 2}}, {{1, 4, 3}}},
           .attributes = {{"scale", 0.7}, {"causal", false}}},
          {.inputs = {{{3, 2, 2}},
                      {{3, 2, 2}},
                      {{3, 2, 2}},
                      {{3, 2}, 1, 2},
                      {{3, 2}},
                      {{3, 2, 2}},
                      {{2, 3, 3}, 0, 1, DType::boolean}},
           .attributes = {{"scale", 1.0}, {"causal", true}}}};
}

Tensor without_dropout(Graph& graph, const Node& node, std::span<const Tensor> inputs) {
  return without_attention_dropout(graph, node, inputs, attention_gradient_def, biased_attention_gradient_def);
}

std::vector<Sample> dropped_samples() { return with_attention_dropout(biased_samples()); }

}  // namespace

const OpDef attention_gradient_def{.name = "attention_gradient",
                                   .inputs = {"q", "k", "v", "lse", "delta", "dout"},
                                   .rule = attention_rule,
                                   .shape = shape,
                                   .vjp = vjp,
                                   .plan = plan,
                                   .samples = samples};

const OpDef biased_attention_gradient_def{.name = "biased_attention_gradient",
                                          .inputs = {"q", "k", "v", "lse", "delta", "dout", "bias"},
                                          .rule = biased_attention_rule,
                                          .shape = shape,
                                          .vjp = vjp,
                                          .plan = plan,
                                          .samples = biased_samples};

const OpDef dropped_attention_gradient_def{.name = "dropped_attention_gradient",
                                           .inputs = {"q", "k", "v", "lse", "delta", "dout", "bias", "key"},
                                           .rule = dropped_attention_rule,
                                           .shape = shape,
                                           .vjp = vjp,
                                           .plan = plan,
                                           .simplify = without_dropout,
                                           .samples = dropped_samples};

}  // namespace gradloom::inline v0
