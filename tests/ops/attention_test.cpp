#include "attention_helper.hpp"
#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/attention.hpp>
#include <gradloom/ops/attention_internal.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>
#include <oneapi/tbb/global_control.h>

#include <cmath>
#include <limits>
#include <random>

using namespace gradloom;
using test::check_close;
using test::evaluate;
using test::message_of;
using test::random_values;
using test::Sizes;
using test::Values;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

size_t product(std::initializer_list<int64_t> sizes) {
  size_t product = 1;
  for (const int64_t size : sizes) product *= static_cast<size_t>(size);
  return product;
}

/// The definition of attention and of its gradients, a matrix of scores for each head, in doubles.
struct Reference {
  Sizes s;
  std::vector<double> q, k, v, bias, dout;  // bias: [heads, queries, keys] or empty
  std::vector<double> out, lse, dq, dk, dv;

  explicit Reference(const Sizes& sizes)
      : s(sizes),
        q(random_values(product({s.batch, s.queries, s.heads, s.depth}), 1)),
        k(random_values(product({s.batch, s.keys, s.kv_heads, s.depth}), 2)),
        v(random_values(product({s.batch, s.keys, s.kv_heads, s.value_depth}), 3)),
        dout(random_values(product({s.batch, s.queries, s.heads, s.value_depth}), 4)) {}

  static size_t at(int64_t batch, int64_t row, int64_t head, int64_t rows, int64_t heads, int64_t size) {
    return static_cast<size_t>(((batch * rows + row) * heads + head) * size);
  }

  void compute() {
    out.assign(dout.size(), 0);
    lse.assign(product({s.batch, s.queries, s.heads}), 0);
    dq.assign(q.size(), 0);
    dk.assign(k.size(), 0);
    dv.assign(v.size(), 0);
    for (int64_t b = 0; b < s.batch; ++b) {
      for (int64_t h = 0; h < s.heads; ++h) {
        for (int64_t i = 0; i < s.queries; ++i) compute_row(b, h, i);
      }
    }
  }

  void compute_row(int64_t b, int64_t h, int64_t i) {
    const double scale = 1 / std::sqrt(static_cast<double>(s.depth));
    const int64_t g = h / (s.heads / s.kv_heads);
    const size_t row = at(b, i, h, s.queries, s.heads, s.depth), to = at(b, i, h, s.queries, s.heads, s.value_depth);
    const auto key = [&](int64_t j) { return at(b, j, g, s.keys, s.kv_heads, s.depth); };
    const auto value = [&](int64_t j) { return at(b, j, g, s.keys, s.kv_heads, s.value_depth); };
    const auto dot = [](const double* x, const double* y, int64_t n) {
      double sum = 0;
      for (int64_t p = 0; p < n; ++p) sum += x[p] * y[p];
      return sum;
    };
    std::vector<double> p(static_cast<size_t>(s.keys));
    double largest = -infinity, total = 0;
    for (int64_t j = 0; j < s.keys; ++j) {
      double& score = p[static_cast<size_t>(j)];
      score = scale * dot(q.data() + row, k.data() + key(j), s.depth);
      if (!bias.empty()) score += bias[static_cast<size_t>((h * s.queries + i) * s.keys + j)];
      if (s.causal && j > i + s.keys - s.queries) score = -infinity;
      largest = std::max(largest, score);
    }
    lse[static_cast<size_t>((b * s.queries + i) * s.heads + h)] = -infinity;
    if (largest == -infinity) return;
    for (double& score : p) total += score = std::exp(score - largest);
    lse[static_cast<size_t>((b * s.queries + i) * s.heads + h)] = largest + std::log(total);
    double delta = 0;
    for (int64_t j = 0; j < s.keys; ++j) {
      p[static_cast<size_t>(j)] /= total;
      for (int64_t c = 0; c < s.value_depth; ++c)
        out[to + static_cast<size_t>(c)] += p[static_cast<size_t>(j)] * v[value(j) + static_cast<size_t>(c)];
      delta += p[static_cast<size_t>(j)] * dot(dout.data() + to, v.data() + value(j), s.value_depth);
    }
    for (int64_t j = 0; j < s.keys; ++j) {
      const double weight = p[static_cast<size_t>(j)];
      const double slope = scale * weight * (dot(dout.data() + to, v.data() + value(j), s.value_depth) - delta);
      for (size_t c = 0; c < static_cast<size_t>(s.depth); ++c) {
        dq[row + c] += slope * k[key(j) + c];
        dk[key(j) + c] += slope * q[row + c];
      }
      for (size_t c = 0; c < static_cast<size_t>(s.value_depth); ++c) dv[value(j) + c] += weight * dout[to + c];
    }
  }
};

struct Net {
  Graph g;
  Tensor q, k, v, dout, bias;
  std::vector<Tensor> results;  // out, lse, dq, dk, dv

  Net(const Sizes& s, DType dtype, bool biased = false, double dropout = 0)
      : q(g.input("q", {s.batch, s.queries, s.heads, s.depth}, dtype)),
        k(g.input("k", {s.batch, s.keys, s.kv_heads, s.depth}, dtype)),
        v(g.input("v", {s.batch, s.keys, s.kv_heads, s.value_depth}, dtype)),
        dout(g.input("dout", {s.batch, s.queries, s.heads, s.value_depth}, dtype)) {
    if (biased) bias = g.input("bias", {s.heads, s.queries, s.keys}, dtype);
    const Tensor y = attention(q, k, v, {.causal = s.causal, .bias = bias, .dropout = dropout});
    results = {y};
    if (dropout == 0) results.push_back(g.tensor(y.node_id(), 1));
    for (const Tensor& slope : gradients(y, {q, k, v}, dout)) results.push_back(slope);
  }
};

void check_against_reference(const Sizes& s, bool biased = false) {
  Reference reference(s);
  if (biased) reference.bias = random_values(product({s.heads, s.queries, s.keys}), 5);
  reference.compute();
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Net net(s, dtype, biased);
    std::map<std::string, Values> inputs;
    const auto set = [&](const Tensor& x, const std::vector<double>& values) {
      inputs[x.name()] = Values::from_doubles(dtype, x.shape().sizes(), values);
    };
    set(net.q, reference.q);
    set(net.k, reference.k);
    set(net.v, reference.v);
    set(net.dout, reference.dout);
    if (biased) set(net.bias, reference.bias);
    for (const Isa isa : supported_isas()) {
      BOOST_TEST_CONTEXT(to_string(dtype)
                         << ", " << to_string(isa) << ", " << s.queries << " queries, " << s.keys << " keys") {
        const std::vector<Values> got = evaluate(net.results, inputs, isa);
        const double tolerance = dtype == DType::f32 ? 2e-5 : 1e-13;
        check_close("out", got[0], reference.out, tolerance);
        check_close("lse", got[1], reference.lse, tolerance);
        check_close("dq", got[2], reference.dq, tolerance);
        check_close("dk", got[3], reference.dk, tolerance);
        check_close("dv", got[4], reference.dv, tolerance);
      }
    }
  }
}

Array random_array(std::initializer_list<int64_t> sizes, unsigned seed) {
  const Array array(sizes, DType::f64);
  const std::vector<double> values = random_values(product(sizes), seed);
  std::copy(values.begin(), values.end(), array.data<double>().begin());
  return array;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_attention)

BOOST_AUTO_TEST_CASE(agrees_with_its_definition) {
  check_against_reference({1, 1, 1, 1, 1, 1, 1});
  check_against_reference({2, 3, 5, 2, 2, 4, 3});
  // Around the sizes of blocks, tiles and vectors; one head to four.
  for (const int64_t n : {31, 33, 63, 65, 127, 129, 257}) check_against_reference({1, n, n, 2, 1, 9, 8});
  check_against_reference({1, 128, 300, 4, 2, 16, 33});
  check_against_reference({1, 600, 64, 1, 1, 17, 5});
}

BOOST_AUTO_TEST_CASE(causal_attention_agrees_with_its_definition) {
  for (const int64_t n : {1, 2, 31, 64, 127, 128, 129, 300}) check_against_reference({1, n, n, 2, 2, 8, 8, true});
  check_against_reference({2, 40, 170, 2, 1, 8, 8, true});   // queries at the end of the keys
  check_against_reference({1, 170, 130, 3, 1, 8, 8, true});  // the first 40 see nothing
  check_against_reference({1, 1, 200, 4, 2, 16, 16, true});  // the next word
}

// They are multiplied as the keys lie, several heads in a chunk.
BOOST_AUTO_TEST_CASE(a_few_queries_agree_with_the_definition) {
  for (const int64_t queries : {1, 2, 3, 4, 5}) {
    check_against_reference({2, queries, 300, 6, 2, 70, 66});
    check_against_reference({1, queries, 129, 9, 9, 16, 100}, true);
    check_against_reference({1, queries, 131, 2, 1, 33, 1, true});
  }
  check_against_reference({1, 4, 2, 3, 3, 5, 7, true});  // the first two see nothing
  check_against_reference({1, 3, 140, 140, 2, 4, 4});    // more heads of one group than a chunk has
  check_against_reference({1, 1, 16, 3, 1, 300, 20, true});
}

BOOST_AUTO_TEST_CASE(a_bias_is_added_to_the_scores) {
  check_against_reference({2, 37, 141, 2, 2, 8, 8}, true);
  check_against_reference({1, 150, 150, 2, 1, 8, 8, true}, true);
}

BOOST_AUTO_TEST_CASE(a_mask_says_what_is_seen) {
  // As a bias of 0 and -inf, in every form that broadcasts.
  const Sizes s{2, 20, 150, 2, 2, 4, 4};
  Graph g;
  const Tensor q = g.input("q", {s.batch, s.queries, s.heads, s.depth});
  const Tensor k = g.input("k", {s.batch, s.keys, s.kv_heads, s.depth});
  const Tensor v = g.input("v", {s.batch, s.keys, s.kv_heads, s.value_depth});
  std::map<std::string, Values> inputs;
  for (const Tensor& x : {q, k, v}) {
    inputs[x.name()] = Values::from_doubles(DType::f32, x.shape().sizes(),
                                            random_values(static_cast<size_t>(x.shape().element_count().value()), 1));
  }
  const std::initializer_list<int64_t> shapes[] = {{20, 150}, {1, 150},        {20, 1},        {2, 20, 150},
                                                   {150},     {2, 1, 20, 150}, {2, 1, 1, 150}, {2, 2, 20, 150}};
  std::vector<Tensor> masked, biased;
  int number = 0;
  for (const auto& shape : shapes) {
    std::mt19937 random(7);
    const size_t n = product(shape);
    std::vector<double> seen(n), added(n);
    for (size_t i = 0; i < n; ++i) {
      seen[i] = random() % 3 != 0 ? 1 : 0;
      added[i] = seen[i] != 0 ? 0 : -infinity;
    }
    const std::string name = std::to_string(number++);
    const Tensor mask = g.input("mask" + name, Shape(std::vector<Dim>(shape.begin(), shape.end())), DType::boolean);
    const Tensor bias = g.input("bias" + name, mask.shape());
    inputs["mask" + name] = Values::from_doubles(DType::boolean, shape, seen);
    inputs["bias" + name] = Values::from_doubles(DType::f32, shape, added);
    for (const bool causal : {false, true}) {
      const Tensor a = attention(q, k, v, {.causal = causal, .mask = mask});
      const Tensor b = attention(q, k, v, {.causal = causal, .bias = bias});
      masked.push_back(a);
      biased.push_back(b);
      for (const Tensor& slope : gradients(sum(square(a)), {q, k, v})) masked.push_back(slope);
      for (const Tensor& slope : gradients(sum(square(b)), {q, k, v})) biased.push_back(slope);
    }
  }
  for (const Isa isa : supported_isas()) {
    const std::vector<Values> a = evaluate(masked, inputs, isa), b = evaluate(biased, inputs, isa);
    for (size_t i = 0; i < a.size(); ++i) check_close("masked", a[i], b[i].as_doubles(), 1e-6);
  }
}

// Blocks of keys that a mask hides from all queries are not read: what is there does not matter, be it nan.
BOOST_AUTO_TEST_CASE(hidden_blocks_do_not_matter) {
  constexpr int64_t keys = 420;
  const auto is_hidden = [](int64_t key) { return key < 128 || (key >= 256 && key < 384); };
  for (const int64_t queries : {1, 4, 20, 300}) {
    for (const bool each : {false, true}) {
      Graph g;
      const Tensor q = g.input("q", {2, queries, 2, 8}), k = g.input("k", {2, keys, 2, 8}),
                   v = g.input("v", {2, keys, 2, 5});
      const int64_t rows = each ? queries : 1;
      const Tensor y = attention(q, k, v, {.mask = g.input("mask", {rows, keys}, DType::boolean)});
      std::vector<Tensor> results = gradients(sum(square(y)), {q, k, v});
      results.push_back(y);
      std::vector<double> seen;
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < keys; ++j) seen.push_back(!is_hidden(j) && (i + j) % 3 != 0 ? 1 : 0);
      }
      const auto with = [&](double value) {
        std::map<std::string, Values> inputs;
        inputs["q"] = Values::from_doubles(DType::f32, {2, queries, 2, 8}, random_values(product({2, queries, 16}), 1));
        inputs["mask"] = Values::from_doubles(DType::boolean, {rows, keys}, seen);
        for (const auto& [name, width] : {std::pair("k", int64_t{16}), {"v", int64_t{10}}}) {
          std::vector<double> values = random_values(product({2, keys, width}), 2);
          for (size_t i = 0; i < values.size(); ++i) {
            if (is_hidden(static_cast<int64_t>(i) / width % keys)) values[i] = value;
          }
          inputs[name] = Values::from_doubles(DType::f32, {2, keys, 2, width / 2}, values);
        }
        return inputs;
      };
      for (const Isa isa : supported_isas()) {
        const std::vector<Values> got = evaluate(results, with(std::nan("")), isa);
        const std::vector<Values> expected = evaluate(results, with(0.5), isa);
        for (size_t i = 0; i < got.size(); ++i) BOOST_TEST(got[i].as_doubles() == expected[i].as_doubles());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(who_sees_nothing_gets_zero_and_leaves_no_nan) {
  Graph g;
  const Tensor q = g.input("q", {2, 1, 3}), k = g.input("k", {4, 1, 3}), v = g.input("v", {4, 1, 3});
  const Tensor mask = g.input("mask", {2, 4}, DType::boolean);
  const Tensor y = attention(q, k, v, {.mask = mask});
  std::vector<Tensor> results = gradients(sum(square(y)), {q, k, v});
  results.push_back(gradient(sum(square(results[0])), q));  // by whole matrices
  results.push_back(y);
  const Values x = Values::from_doubles(DType::f32, {4, 1, 3}, random_values(12, 1));
  const std::vector<Values> got =
      evaluate(results, {{"q", Values::from_doubles(DType::f32, {2, 1, 3}, random_values(6, 2))},
                         {"k", x},
                         {"v", x},
                         {"mask", Values::of<bool>({2, 4}, {false, false, false, false, true, true, false, true})}});
  for (const Values& values : got) {
    for (const double value : values.as_doubles()) BOOST_TEST(std::isfinite(value));
  }
  for (const size_t of_queries : {0, 3, 4}) {
    const std::vector<double> values = got[of_queries].as_doubles();
    for (size_t i = 0; i < 3; ++i) BOOST_TEST(values[i] == 0);
    BOOST_TEST(values[3] != 0);
  }
}

BOOST_AUTO_TEST_CASE(large_scores_do_not_overflow) {
  Graph g;
  const Tensor q = g.input("q", {1, 1, 1}), k = g.input("k", {300, 1, 1}), v = g.input("v", {300, 1, 1});
  const Tensor y = attention(q, k, v, {.scale = 1});
  std::vector<double> keys(300), values(300);
  for (size_t i = 0; i < 300; ++i) {
    keys[i] = static_cast<double>(i) * 10;  // every block has larger ones
    values[i] = static_cast<double>(i);
  }
  const auto got = evaluate({y, gradient(y, q)}, {{"q", Values::of<float>({1, 1, 1}, {1e3F})},
                                                  {"k", Values::from_doubles(DType::f32, {300, 1, 1}, keys)},
                                                  {"v", Values::from_doubles(DType::f32, {300, 1, 1}, values)}});
  BOOST_TEST(got[0].as<float>()[0] == 299);
  BOOST_TEST(got[1].as<float>()[0] == 0);
}

BOOST_AUTO_TEST_CASE(sizes_of_zero) {
  for (const Sizes& s :
       {Sizes{0, 3, 3, 2, 2, 4, 4}, Sizes{1, 0, 3, 2, 2, 4, 4}, Sizes{1, 3, 0, 2, 2, 4, 4}, Sizes{1, 3, 3, 2, 1, 4, 0}})
    check_against_reference(s);
}

BOOST_AUTO_TEST_CASE(gradients_by_finite_differences) {
  const Array q = random_array({3, 2, 2}, 1), k = random_array({4, 1, 2}, 2), v = random_array({4, 1, 3}, 3);
  const Array bias = random_array({2, 1, 4}, 4);
  const GradcheckReport with_bias =
      gradcheck([](std::span<const Tensor> x) { return attention(x[0], x[1], x[2], {.causal = true, .bias = x[3]}); },
                {q, k, v, bias});
  BOOST_TEST(with_bias.passed, with_bias.message);
  // The second output is a function of q and k too.
  const GradcheckReport of_lse = gradcheck(
      [](std::span<const Tensor> x) {
        const Tensor y = attention(x[0], x[1], x[2]);
        return y.graph().tensor(y.node_id(), 1) * sum(y, {.axes = {-1}});
      },
      {q, k, v});
  BOOST_TEST(of_lse.passed, of_lse.message);
}

BOOST_AUTO_TEST_CASE(all_gradients_of_second_order_by_finite_differences) {
  const Array q = random_array({3, 2, 2}, 1), k = random_array({4, 1, 2}, 2), v = random_array({4, 1, 3}, 3);
  for (const int which : {0, 1, 2}) {
    const GradcheckReport report = gradcheck(
        [&](std::span<const Tensor> x) {
          return gradient(sum(square(attention(x[0], x[1], x[2]))), x[static_cast<size_t>(which)]);
        },
        {q, k, v}, {.second_order = which == 1});
    BOOST_TEST(report.passed, which << ": " << report.message);
  }
}

BOOST_AUTO_TEST_CASE(any_number_of_threads_gives_the_same_bits) {
  const tbb::global_control more(tbb::global_control::max_allowed_parallelism, 8);
  const Sizes s{1, 700, 700, 2, 1, 16, 16, true};  // gradients in copies, which are added
  const Net net(s, DType::f32, false, 0.1);
  const Reference data(s);
  Batch inputs;
  const auto set = [&](const Tensor& x, const std::vector<double>& values) {
    Array array(std::span<const int64_t>(x.shape().sizes()));
    std::copy(values.begin(), values.end(), array.data<float>().begin());
    inputs.set(x.name(), array);
  };
  set(net.q, data.q);
  set(net.k, data.k);
  set(net.v, data.v);
  set(net.dout, data.dout);
  State state;
  std::vector<Array> expected;
  for (const int threads : {1, 2, 3, 8}) {
    const std::vector<Array> got = compile({.outputs = net.results}).run(Executor{{.threads = threads}}, state, inputs);
    if (expected.empty()) expected = got;
    for (size_t i = 0; i < got.size(); ++i) BOOST_TEST(same_bits(got[i], expected[i]), "result " << i);
  }
}

BOOST_AUTO_TEST_CASE(planned_memory_is_linear_in_the_length) {
  Graph g;
  const Tensor q = g.input("q", {"n", 4, 64}), k = g.input("k", {"n", 4, 64}), v = g.input("v", {"n", 4, 64});
  const Tensor mask = g.input("mask", {1, "n"}, DType::boolean);
  const Tensor y = attention(q, k, v, {.causal = true, .mask = mask, .dropout = 0.1});
  const Program program = compile({.outputs = gradients(sum(square(y)), {q, k, v})});
  const int64_t at_1k = program.specialize({{"n", 1024}});
  for (const int64_t times : {2, 4, 8}) {
    const int64_t bytes = program.specialize({{"n", 1024 * times}});
    BOOST_TEST(bytes <= times * at_1k);
    BOOST_TEST(bytes < times * 1024 * 4 * 64 * 4 * 16);  // sixteen times q; a matrix of scores alone is 1024 MiB at 8k
  }
}

// Would these tests notice? Kernels that are told something wrong must disagree with the definition.
BOOST_AUTO_TEST_CASE(every_planted_mistake_of_a_kernel_is_caught) {
  struct Mutation {
    const char* name;
    void (*plant)(AttentionPlan&);
  };
  static constexpr Mutation mutations[] = {
      {"none", [](AttentionPlan&) {}},
      {"another scale", [](AttentionPlan& plan) { plan.form.scale *= 1.001; }},
      {"the last key is forgotten", [](AttentionPlan& plan) { plan.form.keys -= 1; }},
      {"the future is seen", [](AttentionPlan& plan) { plan.form.causal = false; }},
      {"a bias of another row", [](AttentionPlan& plan) { plan.form.bias_query = 0; }},
      {"a bias of another head", [](AttentionPlan& plan) { plan.form.bias_head = 0; }},
      {"a copy of dq is not added",
       [](AttentionPlan& plan) {
         plan.kernels.add_parts[1] = [](const void* from, int64_t, int64_t, int64_t n, void* to) noexcept {
           std::copy_n(static_cast<const double*>(from), n, static_cast<double*>(to));
         };
       }},
  };
  static const Mutation* planted = nullptr;
  static const auto plan_wrongly = [](const OpDef& op, const KernelRequest& request) {
    KernelPlan plan = op.plan(request);
    planted->plant(*std::static_pointer_cast<AttentionPlan>(std::const_pointer_cast<void>(plan.params)));
    return plan;
  };
  OpDef forward = biased_attention_def, backward = biased_attention_gradient_def;
  forward.plan = [](const KernelRequest& request) { return plan_wrongly(biased_attention_def, request); };
  backward.plan = [](const KernelRequest& request) { return plan_wrongly(biased_attention_gradient_def, request); };

  const Sizes s{1, 200, 200, 2, 1, 8, 8, true};
  Reference reference(s);
  reference.bias = random_values(product({s.heads, s.queries, s.keys}), 5);
  reference.compute();
  const Net net(s, DType::f64, true);
  Graph& g = net.q.graph();
  const auto wrong = [&](const OpDef& op, std::vector<Tensor> inputs, int outputs) {
    const Attributes attributes = {{"scale", 1 / std::sqrt(8.0)}, {"causal", true}};
    const Tensor first = g.add(op, inputs, attributes, {});
    std::vector<Tensor> all;
    for (int i = 0; i < outputs; ++i) all.push_back(g.tensor(first.node_id(), i));
    return all;
  };
  const Tensor bias = reshape(net.bias, {1, 2, 200, 200});
  const Tensor delta = sum(net.dout * net.results[0], {.axes = {-1}});
  std::vector<Tensor> results = wrong(forward, {net.q, net.k, net.v, bias}, 2);
  for (const Tensor& slope : wrong(backward, {net.q, net.k, net.v, net.results[1], delta, net.dout, bias}, 3))
    results.push_back(slope);
  std::map<std::string, Values> inputs;
  const auto set = [&](const Tensor& x, const std::vector<double>& values) {
    inputs[x.name()] = Values::from_doubles(DType::f64, x.shape().sizes(), values);
  };
  set(net.q, reference.q);
  set(net.k, reference.k);
  set(net.v, reference.v);
  set(net.dout, reference.dout);
  set(net.bias, reference.bias);
  const std::vector<double>* const expected[] = {&reference.out, &reference.lse, &reference.dq, &reference.dk,
                                                 &reference.dv};
  for (const Mutation& mutation : mutations) {
    planted = &mutation;
    const std::vector<Values> got = evaluate(results, inputs);
    int wrong_ones = 0;
    for (size_t i = 0; i < got.size(); ++i) wrong_ones += error_of(got[i], *expected[i]) > 1e-12 ? 1 : 0;
    BOOST_TEST((wrong_ones > 0) == (&mutation != &mutations[0]), mutation.name << ": " << wrong_ones << " are wrong");
  }
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_an_error) {
  Graph g, other;
  const Tensor q = g.input("q", {"n", 6, 8}), k = g.input("k", {"m", 4, 8}), v = g.input("v", {"m", 2, 8});
  const std::string declared = "attention_test.cpp:" + std::to_string(__LINE__ - 1);
  const std::string rule =
      "\n  attention needs floats q [..., queries, heads, depth], k [..., keys, kv_heads, depth] and "
      "v [..., keys, kv_heads, value_depth], with heads a multiple of kv_heads";
  const std::string line = std::to_string(__LINE__ + 1);
  const std::string heads = message_of([&] { (void)attention(q, k, k); });
  BOOST_TEST(heads == "attention_test.cpp:" + line +
                          ": attention: 6 heads are no multiple of 4\n  q \"q\"  f32[n, 6, 8]  input, " + declared +
                          "\n  k \"k\"  f32[m, 4, 8]  input, " + declared + "\n  v \"k\"  f32[m, 4, 8]  input, " +
                          declared + rule);
  const auto problem = [&](auto&& f) {
    const std::string text = test::message_without_lines_of(f);
    return text.substr(0, text.find('\n'));
  };
  const std::string at = "attention_test.cpp: attention: ", biased = "attention_test.cpp: biased_attention: ";
  BOOST_TEST(problem([&] { (void)attention(q, v, k); }) == at + "the heads of k and v differ, 2 and 4");
  BOOST_TEST(problem([&] { (void)attention(q, v, Tensor()); }) == at + "v is an empty Tensor or of another graph");
  BOOST_TEST(problem([&] {
               (void)attention(q, other.input("k", {"m", 2, 8}), v);
             }) == at + "k is an empty Tensor or of another graph");
  BOOST_TEST(problem([&] { (void)attention(g.input("flat", {6, 8}), v, v); }) == at + "q has fewer than three axes");
  BOOST_TEST(problem([&] {
               (void)attention(g.input("deep", {1, "n", 6, 8}), v, v);
             }) == at + "the numbers of axes differ");
  BOOST_TEST(problem([&] { (void)attention(g.input("i", {"n", 6, 8}, DType::i32), v, v); }) == at + "q is no float");
  BOOST_TEST(problem([&] {
               (void)attention(g.input("d", {"n", 6, 8}, DType::f64), v, v);
             }) == at + "the dtypes differ");
  BOOST_TEST(problem([&] {
               (void)attention(g.input("narrow", {"n", 6, 7}), v, v);
             }) == at + "the depths of q and k differ, 7 and 8");
  BOOST_TEST(problem([&] { (void)attention(q, v, g.input("long", {5, 2, 8})); }) == "nothing was thrown");
  BOOST_TEST(problem([&] {
               (void)attention(g.input("hq", {"n", "h", 8}), v, v);
             }) == at + "the number of heads is not known");
  BOOST_TEST(problem([&] {
               (void)attention(g.input("dq", {"n", 6, "d"}), v, v);
             }) == at + "the depth of q is not known, so a scale must be given");
  BOOST_TEST(problem([&] { (void)attention(q, v, v, {.mask = q}); }) == at + "the mask is f32, and not boolean");
  const Tensor mask = g.input("mask", {5, "n", "m"}, DType::boolean);
  BOOST_TEST(problem([&] { (void)attention(q, v, v, {.bias = mask}); }) == at + "the bias is boolean, and no float");
  BOOST_TEST(problem([&] { (void)attention(q, v, v, {.mask = mask}); }) ==
             biased + "axis 0 of the bias and of the scores differ, 5 and 6");
  BOOST_TEST(problem([&] {
               (void)attention(q, v, v, {.bias = g.input("rank", {1, 1, 1, 1})});
             }) == biased + "the bias has 4 axes, the scores have 3");
  BOOST_TEST(problem([&] { (void)attention(q, v, v, {.dropout = 1}); }) ==
             at + "dropout is 1, and not at least 0 and less than 1");
}

BOOST_AUTO_TEST_SUITE_END()
