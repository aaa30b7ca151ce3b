// scan, evaluated node by node and compiled, against loops written out.
#include "../evaluate_helper.hpp"
#include "../message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/autodiff/jvp.hpp>
#include <gradloom/graph/dot.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/text.hpp>
#include <gradloom/graph/verify.hpp>
#include <gradloom/nn/dense.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/dropout.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/op_table.hpp>
#include <gradloom/ops/random.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/scan.hpp>
#include <gradloom/ops/trigonometric.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;

namespace {

Array numbers(const std::vector<int64_t>& sizes, double first = 0.3) {
  Array array{std::span<const int64_t>(sizes), DType::f64};
  double value = first;
  for (double& x : array.data<double>()) x = std::sin(value += 1.7);
  return array;
}

/// What a Program without passes gives, and one with all of them.
std::vector<Array> run(const std::vector<Tensor>& outputs, const Batch& inputs, Optimize optimize = Optimize::all,
                       int threads = 2) {
  const Executor executor{{.threads = threads}};
  State state;
  return compile({.outputs = outputs, .optimize = optimize}).run(executor, state, inputs);
}

void check_close(const Array& a, const Array& b) {
  BOOST_TEST(all_close(a, b, 1e-10, 1e-12), a.to_string() << " and " << b.to_string());
}

/// h[t] = tanh(x[t] w + h[t - 1] u), as one would write it.
ScanResult recurrent(const Tensor& x, const Tensor& h0, const Tensor& w, const Tensor& u, ScanOptions options = {}) {
  options.carried = {h0};
  options.sequences = {x};
  return scan(
      [&](std::span<const Tensor> h, std::span<const Tensor> slice) {
        const Tensor next = tanh(matmul(slice[0], w) + matmul(h[0], u));
        return ScanStep{{next}, {next}};
      },
      options);
}

/// The same, step by step.
std::vector<Tensor> unrolled(const Tensor& x, Tensor h, const Tensor& w, const Tensor& u, int64_t steps,
                             bool reverse = false) {
  std::vector<Tensor> states(static_cast<size_t>(steps));
  for (int64_t t = 0; t < steps; ++t) {
    const int64_t at = reverse ? steps - 1 - t : t;
    h = tanh(matmul(reshape(slice(x, 0, {at, at + 1}), {x.dim(1), x.dim(2)}), w) + matmul(h, u));
    states[static_cast<size_t>(at)] = h;
  }
  return states;
}

struct Recurrent {
  explicit Recurrent(const Dim& steps, const Dim& batch = 3)
      : x(g.input("x", {steps, batch, 4}, DType::f64)),
        h0(g.input("h0", {batch, 5}, DType::f64)),
        w(g.input("w", {4, 5}, DType::f64)),
        u(g.input("u", {5, 5}, DType::f64)) {}

  static Batch values(int64_t steps, int64_t batch = 3) {
    Batch values;
    values.set("x", numbers({steps, batch, 4}));
    values.set("h0", numbers({batch, 5}, 0.7));
    values.set("w", numbers({4, 5}, 2.1));
    values.set("u", numbers({5, 5}, 5.2));
    return values;
  }

  Graph g;
  Tensor x, h0, w, u;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_scan)

BOOST_AUTO_TEST_CASE(it_is_the_loop_written_out) {
  for (const bool reverse : {false, true}) {
    Recurrent net(6);
    const ScanResult looped = recurrent(net.x, net.h0, net.w, net.u, {.reverse = reverse});
    const std::vector<Tensor> states = unrolled(net.x, net.h0, net.w, net.u, 6, reverse);
    const std::vector<Tensor> all = {looped.outputs[0], stack(states), looped.carried[0], states[reverse ? 0 : 5]};
    for (const Optimize optimize : {Optimize::none, Optimize::all}) {
      const std::vector<Array> results = run(all, Recurrent::values(6), optimize);
      check_close(results[0], results[1]);
      check_close(results[2], results[3]);
    }
  }
}

BOOST_AUTO_TEST_CASE(its_gradients_are_those_of_the_loop_written_out) {
  for (const bool reverse : {false, true}) {
    Recurrent net(6);
    const auto loss_of = [](const Tensor& states) { return sum(states * states * sin(states)); };
    const std::vector<Tensor> xs = {net.x, net.h0, net.w, net.u};
    std::vector<Tensor> all;
    const ScanResult looped = recurrent(net.x, net.h0, net.w, net.u, {.reverse = reverse});
    for (const Tensor& states : {looped.outputs[0], stack(unrolled(net.x, net.h0, net.w, net.u, 6, reverse))}) {
      for (const Tensor& slope : gradients(loss_of(states), xs)) all.push_back(slope);
    }
    for (const Optimize optimize : {Optimize::none, Optimize::all}) {
      const std::vector<Array> results = run(all, Recurrent::values(6), optimize);
      for (size_t i = 0; i < 4; ++i) check_close(results[i], results[4 + i]);
    }
  }
}

BOOST_AUTO_TEST_CASE(gradients_of_every_order_agree_with_differences) {
  const auto f = [](std::span<const Tensor> x) {
    const ScanResult r = recurrent(x[0], x[1], x[2], x[3]);
    return sum(r.outputs[0] * r.outputs[0]) + sum(r.carried[0] * sin(r.carried[0]));
  };
  const GradcheckReport report =
      gradcheck(f, {numbers({3, 2, 2}), numbers({2, 3}, 0.7), numbers({2, 3}, 2.1), numbers({3, 3}, 5.2)});
  BOOST_TEST(report.passed, report.message);

  // The third order, by the second order of the first.
  const auto slope = [&](std::span<const Tensor> x) {
    const ScanResult r = recurrent(x[0], x[1], x[2], x[3]);
    return gradient(sum(r.outputs[0] * r.outputs[0]), x[3]);
  };
  const GradcheckReport third =
      gradcheck(slope, {numbers({2, 1, 1}), numbers({1, 2}, 0.7), numbers({1, 2}, 2.1), numbers({2, 2}, 5.2)});
  BOOST_TEST(third.passed, third.message);
}

BOOST_AUTO_TEST_CASE(jvp_goes_through_it) {
  Recurrent net(4);
  std::vector<Tensor> all;
  const ScanResult looped = recurrent(net.x, net.h0, net.w, net.u);
  for (const Tensor& states : {looped.outputs[0], stack(unrolled(net.x, net.h0, net.w, net.u, 4))}) {
    all.push_back(jvp(states, net.u, net.u));
  }
  const std::vector<Array> results = run(all, Recurrent::values(4));
  check_close(results[0], results[1]);
}

BOOST_AUTO_TEST_CASE(length_and_batch_may_be_symbols) {
  Recurrent net("time", "batch");
  const ScanResult r = recurrent(net.x, net.h0, net.w, net.u);
  BOOST_TEST(r.outputs[0].shape().to_string() == "[time, batch, 5]");
  const Tensor slope = gradient(sum(r.outputs[0]), net.u);
  const Program program = compile({.outputs = {r.outputs[0], r.carried[0], slope}});
  State state;
  for (const int64_t steps : {1, 2, 7, 0}) {
    const std::vector<Array> results = program.run(state, Recurrent::values(steps, 2));
    if (steps == 0) {
      check_close(results[1], numbers({2, 5}, 0.7));
      check_close(results[2], Array({5, 5}, DType::f64));
      continue;
    }
    Recurrent fixed(steps, 2);
    const Tensor states = stack(unrolled(fixed.x, fixed.h0, fixed.w, fixed.u, steps));
    const std::vector<Array> expected =
        run({states, gradient(sum(states), fixed.u)}, Recurrent::values(steps, 2), Optimize::none);
    check_close(results[0], expected[0]);
    check_close(results[2], expected[1]);
  }
}

BOOST_AUTO_TEST_CASE(sequences_along_another_axis) {
  Graph g;
  const Tensor x = g.input("x", {3, 4, 2}, DType::f64);
  const ScanResult r = scan(
      [](std::span<const Tensor> sum, std::span<const Tensor> slice) {
        const Tensor next = sum[0] + slice[0];
        return ScanStep{{next}, {next}};
      },
      {.carried = {full(g, {3, 2}, 0, DType::f64)}, .sequences = {x}, .axis = -2});
  BOOST_TEST(r.outputs[0].shape().to_string() == "[3, 4, 2]");
  Batch inputs;
  inputs.set("x", numbers({3, 4, 2}));
  const Array y = run({r.outputs[0]}, inputs)[0];
  const std::span<const double> from = inputs["x"].data<const double>(), to = y.data<const double>();
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 2; ++j) {
      double expected = 0;
      for (size_t t = 0; t < 4; ++t) {
        expected += from[i * 8 + t * 2 + j];
        BOOST_TEST(to[i * 8 + t * 2 + j] == expected);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_loop_without_sequences_and_one_without_carried_values) {
  Graph g;
  const Tensor x = g.input("x", {}, DType::f64);
  const ScanResult powers = scan(
      [&](std::span<const Tensor> p, auto) {
        return ScanStep{{p[0] * x}, {p[0]}};
      },
      {.carried = {full(g, {}, 1, DType::f64)}, .length = 5});
  const Tensor v = g.input("v", {3}, DType::f64);
  const ScanResult squares = scan(
      [](auto, std::span<const Tensor> s) {
        return ScanStep{{}, {s[0] * s[0]}};
      },
      {.sequences = {v}});
  Batch inputs;
  inputs.set("x", Array::from(std::vector<double>{3}, {}));
  inputs.set("v", Array::from(std::vector<double>{1, 2, 3}, {3}));
  const std::vector<Array> results =
      run({powers.carried[0], powers.outputs[0], squares.outputs[0], gradient(powers.carried[0], x)}, inputs);
  BOOST_TEST(results[0].item<double>() == 243);
  BOOST_TEST(results[1].to_vector<double>() == std::vector<double>({1, 3, 9, 27, 81}),
             boost::test_tools::per_element());
  BOOST_TEST(results[2].to_vector<double>() == std::vector<double>({1, 4, 9}), boost::test_tools::per_element());
  BOOST_TEST(results[3].item<double>() == 405);
}

BOOST_AUTO_TEST_CASE(loops_nest) {
  const auto f = [](std::span<const Tensor> x) {
    // Each outer step runs an inner loop over the columns of its row, from what the outer loop carries.
    const ScanResult outer = scan(
        [&](std::span<const Tensor> h, std::span<const Tensor> row) {
          const ScanResult inner = scan(
              [&](std::span<const Tensor> c, std::span<const Tensor> element) {
                const Tensor next = sin(c[0] * x[1] + element[0] + h[0]);
                return ScanStep{{next}, {next * next}};
              },
              {.carried = {h[0]}, .sequences = {row[0]}});
          return ScanStep{{inner.carried[0]}, {sum(inner.outputs[0])}};
        },
        {.carried = {x[2]}, .sequences = {x[0]}});
    return sum(outer.outputs[0] * outer.outputs[0]) + outer.carried[0];
  };
  const std::vector<Array> points = {numbers({3, 4}), numbers({}, 0.7), numbers({}, 2.1)};
  const GradcheckReport report = gradcheck(f, points);
  BOOST_TEST(report.passed, report.message);

  Graph g;
  const std::vector<Tensor> x = {g.input("0", {3, 4}, DType::f64), g.input("1", {}, DType::f64),
                                 g.input("2", {}, DType::f64)};
  Batch inputs;
  for (size_t i = 0; i < 3; ++i) inputs.set(std::to_string(i), points.begin()[i]);
  const Tensor y = f(x);
  std::vector<Tensor> all = gradients(y, x);
  all.push_back(y);
  const std::vector<Array> plain = run(all, inputs, Optimize::none), optimised = run(all, inputs);
  for (size_t i = 0; i < all.size(); ++i) check_close(plain[i], optimised[i]);
}

BOOST_AUTO_TEST_CASE(layers_may_be_made_inside) {
  Graph g;
  const Tensor x = g.input("x", {7, 2, 3});
  const ScanResult r = scan(
      [](std::span<const Tensor> h, std::span<const Tensor> slice) {
        const Tensor next = tanh(nn::dense(concat({h[0], slice[0]}, 1), 4));
        return ScanStep{{next}, {next}};
      },
      {.carried = {full(g, {2, 4}, 0)}, .sequences = {x}});
  BOOST_TEST(g.parameters().size() == 2u);
  BOOST_TEST(g.inputs().size() == 1u);
  const std::vector<Tensor> slopes = gradients(sum(r.outputs[0]), g.parameters());
  Batch inputs;
  inputs.set("x", Array({7, 2, 3}));
  const std::vector<Array> bias = run({slopes[1]}, inputs);
  BOOST_TEST(bias[0].to_vector<float>()[0] != 0);
}

BOOST_AUTO_TEST_CASE(random_nodes_draw_anew_in_each_step) {
  Graph g;
  const Tensor x = g.input("x", {5, 4}, DType::f64);
  const ScanResult r = scan(
      [&](auto, std::span<const Tensor> s) {
        return ScanStep{{}, {s[0] * random_uniform(g, {4}, 0, 1, DType::f64)}};
      },
      {.sequences = {x}});
  const Tensor slope = gradient(sum(r.outputs[0]), x);
  Batch inputs;
  Array ones({5, 4}, DType::f64);
  for (double& value : ones.data<double>()) value = 1;
  inputs.set("x", ones);
  for (const Optimize optimize : {Optimize::none, Optimize::all}) {
    const std::vector<Array> drawn = run({r.outputs[0], slope}, inputs, optimize);
    const std::vector<double> values = drawn[0].to_vector<double>();
    for (size_t i = 0; i < values.size(); ++i) {
      for (size_t j = 0; j < i; ++j) BOOST_TEST(values[i] != values[j]);
    }
    BOOST_TEST(same_bits(drawn[0], drawn[1]));  // the gradient sees the same numbers
  }
}

BOOST_AUTO_TEST_CASE(truncated_gradients_stay_within_their_window) {
  // h[t] = h[t - 1] w + x[t]: by x[s], the sum of the last state is w^(5 - s), if s lies in the last window.
  Graph g;
  const Tensor x = g.input("x", {6}, DType::f64), w = g.input("w", {}, DType::f64);
  const ScanResult r = scan(
      [&](std::span<const Tensor> h, std::span<const Tensor> s) {
        return ScanStep{{h[0] * w + s[0]}, {}};
      },
      {.carried = {full(g, {}, 0, DType::f64)}, .sequences = {x}, .truncate = 4});
  Batch inputs;
  inputs.set("x", numbers({6}));
  inputs.set("w", Array::from(std::vector<double>{2}, {}));
  const std::vector<Array> results = run({gradient(r.carried[0], x), r.carried[0]}, inputs);
  BOOST_TEST(results[0].to_vector<double>() == std::vector<double>({0, 0, 0, 0, 2, 1}),
             boost::test_tools::per_element());
  double h = 0;
  for (const double value : inputs["x"].to_vector<double>()) h = 2 * h + value;
  BOOST_TEST(results[1].item<double>() == h, boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(its_text_parses_back) {
  Recurrent net(3);
  const ScanResult r = recurrent(net.x, net.h0, net.w, net.u);
  const std::vector<Tensor> outputs = {r.outputs[0], gradient(sum(r.outputs[0]), net.u)};
  const std::string text = to_text(net.g, outputs);
  const Subgraph parsed = parse_text(text, all_ops());
  BOOST_TEST(to_text(parsed) == text);
  verify(parsed.graph);
  verify(net.g);
}

BOOST_AUTO_TEST_CASE(a_drawing_shows_the_body) {
  Graph g;
  const Tensor x = g.input("x", {3});
  const ScanResult r = scan(
      [](auto, std::span<const Tensor> s) {
        return ScanStep{{}, {s[0] + s[0]}};
      },
      {.sequences = {x}});
  const std::string drawing = to_dot(g, r.outputs);
  BOOST_TEST(drawing.find("label=\"body of scan_") != std::string::npos, drawing);
  BOOST_TEST(drawing.find("label=\"add\"") != std::string::npos, drawing);
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused) {
  Graph g, other;
  const Tensor x = g.input("x", {3, 2}), y = g.input("y", {4, 2}), h = g.input("h", {2});
  const auto message = [](ScanBody body, const ScanOptions& options) {
    return test::message_without_lines_of([&] { (void)scan(body, options); });
  };
  const auto keep = [](std::span<const Tensor> c, std::span<const Tensor>) {
    return ScanStep{{c.begin(), c.end()}, {}};
  };
  const std::string rule =
      "\n  scan needs a carried value or a sequence, sequences of one length, and a body that returns each carried "
      "value "
      "in its shape and dtype";
  BOOST_TEST(message(keep, {}) == "scan_test.cpp: scan: it is given no Tensor" + rule);
  BOOST_TEST(message(keep, {.carried = {h}}) ==
             "scan_test.cpp: scan: there is no sequence, and no length is given" + rule);
  BOOST_TEST(message(keep, {.carried = {h}, .sequences = {Tensor()}}) ==
             "scan_test.cpp: scan: sequence 0 is an empty Tensor" + rule);
  BOOST_TEST(message(keep, {.carried = {Tensor()}, .sequences = {x}}) ==
             "scan_test.cpp: scan: carried value 0 is an empty Tensor" + rule);
  BOOST_TEST(message(keep, {.sequences = {x, y}}) == "scan_test.cpp: scan: sequence 1 \"y\" has 4 steps, not 3" + rule);
  BOOST_TEST(message(keep, {.sequences = {x}, .axis = 2}) ==
             "scan_test.cpp: scan: sequence 0 \"x\" is f32[3, 2], which has no axis 2" + rule);
  for (const int axis : {1, -2}) {
    const auto of_scalars = [&](auto entered, auto) { return ScanStep{{entered[0]}, {sum(entered[0])}}; };
    BOOST_TEST(message(of_scalars, {.carried = {h}, .axis = axis, .length = 3})
                   .starts_with("scan_test.cpp: scan: output 0 \"sum_"));
    BOOST_TEST(message(of_scalars, {.carried = {h}, .axis = axis, .length = 3})
                   .ends_with("of each step is f32[]: side by side they have no axis " + std::to_string(axis) + rule));
  }
  BOOST_TEST(message(keep, {.carried = {h}, .length = 3, .truncate = -1}) ==
             "scan_test.cpp: scan: gradients cannot be truncated to -1 steps\n  truncate is a number of steps, or 0");
  BOOST_TEST(message([](auto, auto) { return ScanStep{}; }, {.carried = {h}, .sequences = {x}}) ==
             "scan_test.cpp: scan: the body returned 0 carried values, 1 are carried" + rule);
  BOOST_TEST(message(
                 [&](auto, auto) {
                   return ScanStep{{x}, {}};
                 },
                 {.carried = {h}, .sequences = {x}}) ==
             "scan_test.cpp: scan: carried value 0 \"h\" is f32[2], the body returned f32[3, 2]" + rule);
  BOOST_TEST(message(
                 [](auto, auto) {
                   return ScanStep{{}, {Tensor()}};
                 },
                 {.sequences = {x}}) ==
             "scan_test.cpp: scan: result 0 of the body is an empty Tensor\n  a body returns Tensors");
  const Tensor foreign = other.input("foreign", {2});
  BOOST_TEST(
      message(
          [&](auto, auto) {
            return ScanStep{{}, {foreign}};
          },
          {.sequences = {x}}) ==
      "scan_test.cpp: scan: result 0 of the body, \"foreign\", belongs to another graph\n  a body computes in the "
      "graph of its arguments");
  const Tensor mean = g.parameter("mean", {2});
  BOOST_TEST(
      message(
          [&](auto, std::span<const Tensor> s) {
            g.add_side_update({mean, s[0] + 1});
            return ScanStep{{}, {s[0]}};
          },
          {.sequences = {x}}) ==
      "scan_test.cpp: scan: the body updates \"mean\"\n  a body runs many times or not at all: carry what changes "
      "from step to step");
}

BOOST_AUTO_TEST_CASE(a_tensor_of_the_body_is_of_no_use_outside) {
  Graph g;
  const Tensor x = g.input("x", {3});
  Tensor leaked;
  (void)scan(
      [&](auto, std::span<const Tensor> s) {
        leaked = s[0] * 2;
        return ScanStep{{}, {leaked}};
      },
      {.sequences = {x}});
  const Program program = compile({.outputs = {leaked}});
  State state;
  BOOST_TEST(test::message_without_lines_of([&] {
               (void)program.run(state, {});
             }).find("a Tensor of the body of a scan, cond or while_loop is used outside of it") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
