#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/convolution.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/node_plan_internal.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <random>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

namespace {

using Numbers = std::vector<int64_t>;

int64_t product_of(const Numbers& sizes) {
  int64_t product = 1;
  for (const int64_t size : sizes) product *= size;
  return product;
}

/// Small integers, of which sums of products are exact in every dtype.
Values small_integers(DType dtype, const Numbers& sizes, unsigned seed) {
  std::minstd_rand random(seed);
  std::uniform_int_distribution<int> small(-3, 3);
  std::vector<double> elements(static_cast<size_t>(product_of(sizes)));
  for (double& element : elements) element = small(random);
  return Values::from_doubles(dtype, sizes, elements);
}

struct Case {
  Numbers x, w;
  Numbers strides, dilations, low, high;
  int64_t groups = 1;

  [[nodiscard]] ConvolutionOptions options() const {
    return {.strides = strides, .dilations = dilations, .padding = Padding::sides(low, high), .groups = groups};
  }
  [[nodiscard]] Numbers result() const {
    Numbers sizes{x[0]};
    for (size_t i = 0; i < strides.size(); ++i) {
      sizes.push_back((x[i + 1] + low[i] + high[i] - (w[i] - 1) * dilations[i] - 1) / strides[i] + 1);
    }
    sizes.push_back(w.back());
    return sizes;
  }
  [[nodiscard]] std::string text() const { return Shape(x).to_string() + " * " + Shape(w).to_string(); }
};

/// Calls `use(offset in x, in w, in y)` for every product that the convolution's definition adds up.
template <class Use>
void for_each_product(const Case& c, Use use) {
  const size_t axes = c.strides.size();
  const Numbers y = c.result();
  const int64_t in = c.x.back(), group_in = c.w[axes], out = c.w.back();
  Numbers windows(y.begin() + 1, y.end() - 1), kernel(c.w.begin(), c.w.end() - 2);
  const int64_t window_count = product_of(windows), taps = product_of(kernel);
  for (int64_t n = 0; n < y[0]; ++n) {
    for (int64_t window = 0; window < window_count; ++window) {
      for (int64_t tap = 0; tap < taps; ++tap) {
        int64_t rest_window = window, rest_tap = tap, at = 0, stride = 1;
        bool inside = true;
        for (size_t axis = axes; axis-- > 0;) {
          const int64_t index =
              rest_window % windows[axis] * c.strides[axis] + rest_tap % kernel[axis] * c.dilations[axis] - c.low[axis];
          rest_window /= windows[axis];
          rest_tap /= kernel[axis];
          inside = inside && index >= 0 && index < c.x[axis + 1];
          at += index * stride;
          stride *= c.x[axis + 1];
        }
        if (!inside) continue;
        for (int64_t o = 0; o < out; ++o) {
          for (int64_t i = 0; i < group_in; ++i) {
            const int64_t channel = o / (out / c.groups) * group_in + i;
            use(static_cast<size_t>((n * stride + at) * in + channel),
                static_cast<size_t>((tap * group_in + i) * out + o),
                static_cast<size_t>((n * window_count + window) * out + o));
          }
        }
      }
    }
  }
}

std::vector<Case> cases() {
  return {
      // tiles, panels and blocks plus and minus a few
      {{1, 7, 7, 16}, {3, 3, 16, 16}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
      {{2, 13, 11, 5}, {3, 3, 5, 19}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
      {{3, 9, 8, 3}, {5, 5, 3, 33}, {2, 2}, {1, 1}, {2, 2}, {1, 2}},
      {{1, 6, 6, 1}, {5, 5, 1, 7}, {1, 1}, {1, 1}, {2, 2}, {2, 2}},
      {{1, 10, 9, 4}, {3, 2, 4, 8}, {1, 3}, {2, 3}, {3, 0}, {1, 4}},  // more padding than the window reaches
      {{2, 5, 5, 6}, {1, 1, 6, 9}, {1, 1}, {1, 1}, {0, 0}, {0, 0}},
      {{2, 6, 5, 6}, {1, 1, 6, 9}, {3, 2}, {1, 1}, {0, 0}, {0, 0}},  // gaps that no window sees
      {{1, 8, 8, 6}, {3, 3, 2, 9}, {1, 2}, {1, 1}, {1, 1}, {1, 1}, 3},
      {{2, 6, 6, 10}, {3, 3, 1, 10}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 10},
      {{1, 9, 40, 24}, {3, 3, 1, 24}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 24},
      {{2, 8, 9, 136}, {3, 4, 1, 136}, {2, 2}, {1, 1}, {1, 0}, {1, 3}, 136},
      {{1, 11, 9, 2}, {3, 5, 2, 20}, {1, 2}, {1, 2}, {1, 2}, {1, 3}},  // few channels, dilated
      {{1, 6, 30, 48}, {5, 3, 1, 48}, {1, 2}, {2, 1}, {4, 1}, {4, 1}, 48},
      {{1, 7, 8, 16}, {3, 3, 1, 16}, {1, 1}, {1, 1}, {0, 5}, {0, 5}, 16},  // windows that see nothing
      // depthwise by blocks of rows: few columns and rows, ragged channels, parts of rows, no and much padding
      {{3, 5, 1, 16}, {3, 3, 1, 16}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 16},
      {{2, 1, 2, 24}, {3, 3, 1, 24}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 24},
      {{2, 7, 3, 8}, {3, 3, 1, 8}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 8},
      {{2, 6, 5, 33}, {3, 3, 1, 33}, {1, 1}, {1, 1}, {0, 0}, {0, 0}, 33},
      {{1, 9, 4, 16}, {3, 3, 1, 16}, {1, 1}, {1, 1}, {2, 0}, {0, 2}, 16},
      {{1, 37, 41, 64}, {3, 3, 1, 64}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 64},
      {{1, 521, 128, 32}, {3, 3, 1, 32}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 32},  // larger than the caches
      // and by rows of positions: larger windows
      {{2, 9, 13, 40}, {5, 5, 1, 40}, {1, 1}, {1, 1}, {2, 2}, {2, 2}, 40},
      {{1, 10, 11, 24}, {5, 7, 1, 24}, {2, 2}, {1, 1}, {2, 3}, {2, 3}, 24},
      {{1, 9, 16, 20}, {7, 7, 1, 20}, {1, 1}, {1, 1}, {3, 3}, {3, 3}, 20},
      {{1, 6, 20, 16}, {2, 9, 1, 16}, {1, 1}, {1, 1}, {0, 4}, {1, 4}, 16},
      {{1, 4, 2, 3, 32}, {2, 3, 2, 1, 32}, {1, 1, 1}, {1, 1, 1}, {1, 1, 0}, {0, 1, 1}, 32},
      {{2, 6, 7, 3}, {3, 3, 1, 6}, {2, 1}, {1, 2}, {0, 2}, {1, 2}, 3},
      {{1, 4, 3, 600}, {2, 2, 600, 3}, {1, 1}, {1, 1}, {0, 1}, {0, 0}},  // channels in two chunks
      {{1, 5, 4, 130}, {3, 3, 130, 5}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},  // taps in three chunks
      {{1, 30, 29, 2}, {3, 3, 2, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},    // positions in two chunks
      {{2, 700, 3}, {4, 3, 5}, {1}, {1}, {2}, {1}},                      // a row longer than a chunk
      {{2, 21, 4}, {3, 4, 6}, {2}, {3}, {2}, {0}},
      {{1, 4, 5, 6, 3}, {3, 2, 3, 3, 5}, {1, 2, 1}, {1, 1, 2}, {1, 0, 2}, {1, 1, 2}},
      {{0, 5, 5, 3}, {3, 3, 3, 4}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
      {{2, 3, 3, 0}, {2, 2, 0, 4}, {1, 1}, {1, 1}, {0, 0}, {0, 0}},
      {{2, 3, 3, 4}, {2, 2, 4, 0}, {1, 1}, {1, 1}, {0, 0}, {0, 0}},
      {{1, 0, 3, 2}, {2, 2, 2, 3}, {1, 1}, {1, 1}, {1, 0}, {1, 0}},  // nothing but padding
  };
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_convolution)

BOOST_AUTO_TEST_CASE(all_three_agree_with_the_definition) {
  for (const Case& c : cases()) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      Graph g;
      const Tensor x = g.input("x", Shape(c.x), dtype), w = g.input("w", Shape(c.w), dtype);
      const Tensor y = convolution(x, w, c.options());
      BOOST_TEST(y.shape().to_string() == Shape(c.result()).to_string());
      const Tensor h = g.input("h", Shape(c.result()), dtype);
      const std::vector<Tensor> by = gradients(sum(y * h), {x, w});
      const Values xs = small_integers(dtype, c.x, 1), ws = small_integers(dtype, c.w, 2),
                   hs = small_integers(dtype, c.result(), 3);
      const std::vector<double> xd = xs.as_doubles(), wd = ws.as_doubles(), hd = hs.as_doubles();
      std::vector<double> expected_y(hd.size()), expected_x(xd.size()), expected_w(wd.size());
      for_each_product(c, [&](size_t xi, size_t wi, size_t yi) {
        expected_y[yi] += xd[xi] * wd[wi];
        expected_x[xi] += hd[yi] * wd[wi];
        expected_w[wi] += hd[yi] * xd[xi];
      });
      BOOST_TEST_CONTEXT(c.text()) for (const Isa isa : supported_isas()) {
        const auto found = evaluate({y, by[0], by[1]}, {{"x", xs}, {"w", ws}, {"h", hs}}, isa);
        BOOST_TEST((found[0].as_doubles() == expected_y), c.text() << " forward, " << to_string(isa));
        BOOST_TEST((found[1].as_doubles() == expected_x), c.text() << " data, " << to_string(isa));
        BOOST_TEST((found[2].as_doubles() == expected_w), c.text() << " weights, " << to_string(isa));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(gradients_of_every_order_are_the_same_three_ops) {
  Graph g;
  const Tensor x = g.input("x", {2, 6, 6, 3}), w = g.input("w", {3, 3, 3, 4});
  const int first = g.node_count();
  const Tensor y = convolution(x, w, {.strides = {2}, .padding = Pad::same});
  const std::vector<Tensor> by = gradients(sum(y * y), {x, w});
  (void)gradients(sum(by[0] * by[0]) + sum(by[1] * by[1]), {x, w});
  int convolutions = 0;
  for (int id = first; id < g.node_count(); ++id) {
    const std::string name(g.node(id).op->name);
    BOOST_TEST((name.starts_with("convolution") || name == "mul" || name == "add" || name == "sum" ||
                name == "broadcast" || name == "constant" || name == "cast" || name == "reshape"),
               name);
    convolutions += name.starts_with("convolution") ? 1 : 0;
  }
  BOOST_TEST(convolutions > 6);
}

// Each chunk writes its own part alone, and the cut does not change a sum.
BOOST_AUTO_TEST_CASE(chunks_in_any_order_give_the_same_bits) {
  Graph g;
  const Case c{{4, 20, 20, 24}, {3, 3, 24, 40}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};
  const Tensor x = g.input("x", Shape(c.x)), w = g.input("w", Shape(c.w)), h = g.input("h", Shape(c.result()));
  const Tensor y = convolution(x, w, c.options());
  const std::vector<Tensor> by = gradients(sum(y * h), {x, w});
  std::minstd_rand random(1);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::map<std::string, Values> values;
  std::map<int, std::vector<float>> data;
  for (const Tensor& tensor : {x, w, h}) {
    std::vector<float>& elements = data[tensor.node_id()];
    elements.resize(static_cast<size_t>(product_of(tensor.shape().sizes())));
    for (float& element : elements) element = uniform(random);
    values[tensor.name()] = Values::of(tensor.shape().sizes(), elements);
  }
  for (const Isa isa : supported_isas()) {
    for (const Tensor& result : {y, by[0], by[1]}) {
      const std::vector<float> expected = evaluate({result}, values, isa)[0].as<float>();
      const Node& node = result.node();
      if (!data.contains(node.inputs[0].node) || !data.contains(node.inputs[1].node)) {
        data[node.inputs[0].node] = evaluate({g.tensor(node.inputs[0].node)}, values, isa)[0].as<float>();
        data[node.inputs[1].node] = evaluate({g.tensor(node.inputs[1].node)}, values, isa)[0].as<float>();
      }
      const KernelPlan plan = plan_node({g, node, isa});
      std::vector<float> backward(expected.size(), 99);
      std::vector<std::byte> scratch(plan.scratch_bytes + 64), shared(plan.shared_bytes + 64);
      const auto aligned = [](std::vector<std::byte>& bytes) {
        return bytes.data() + (64 - reinterpret_cast<uintptr_t>(bytes.data()) % 64);
      };
      const void* const inputs[] = {data[node.inputs[0].node].data(), data[node.inputs[1].node].data()};
      void* const outputs[] = {backward.data()};
      BOOST_TEST(std::max(plan.steps[0].chunks, plan.steps[1].chunks) > 1);
      for (const KernelStep& step : plan.steps) {
        for (int64_t chunk = step.chunks; chunk-- > 0;) {
          step.run({.inputs = inputs,
                    .outputs = outputs,
                    .params = plan.params.get(),
                    .scratch = aligned(scratch),
                    .shared = aligned(shared),
                    .chunk = chunk,
                    .chunks = step.chunks});
        }
      }
      BOOST_TEST((expected == backward), node.op->name << ", " << to_string(isa));
    }
  }
}

BOOST_AUTO_TEST_CASE(padding_rules) {
  Graph g;
  const Tensor x = g.input("x", {"n", 7, 10, 3}), w = g.input("w", {3, 4, 3, 8});
  const auto sizes = [&](const ConvolutionOptions& options) { return convolution(x, w, options).shape().to_string(); };
  BOOST_TEST(sizes({}) == "[n, 5, 7, 8]");
  BOOST_TEST(sizes({.padding = Pad::same}) == "[n, 7, 10, 8]");
  BOOST_TEST(sizes({.strides = {2, 3}, .padding = Pad::same}) == "[n, 4, 4, 8]");
  BOOST_TEST(sizes({.strides = {5}, .dilations = {2}, .padding = Pad::same}) == "[n, 2, 2, 8]");
  BOOST_TEST(sizes({.padding = 1}) == "[n, 7, 9, 8]");
  BOOST_TEST(sizes({.padding = {1, 2}}) == "[n, 7, 11, 8]");
  BOOST_TEST(sizes({.padding = Padding::sides({1, 0}, {0, 0})}) == "[n, 6, 7, 8]");
  // An odd zero goes behind.
  const auto& low = convolution(x, w, {.padding = Pad::same}).node().attributes.get<Numbers>("low");
  BOOST_TEST(low == (Numbers{1, 1}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(symbolic_sizes) {
  Graph g;
  const Tensor x = g.input("x", {"n", "h", "w", 3}), w = g.input("weights", {3, 3, 3, 8});
  BOOST_TEST(convolution(x, w, {.padding = Pad::same}).shape().to_string() == "[n, h, w, 8]");
  const Tensor y = convolution(x, w, {.strides = {2}, .padding = 1});
  BOOST_TEST((gradient(sum(y), x).shape() == x.shape()));
  BOOST_TEST(conv_transpose(x, g.input("back", {2, 2, 5, 3}), {.strides = {2}}).shape().to_string() ==
             "[n, 2*h, 2*w, 5]");
}

BOOST_AUTO_TEST_CASE(dtypes_are_promoted) {
  Graph g;
  const Tensor bytes = g.input("x", {1, 3, 1}, DType::u8);
  BOOST_TEST((convolution(bytes, g.input("w", {2, 1, 1})).dtype() == DType::f32));
  BOOST_TEST((convolution(bytes, g.input("i", {2, 1, 1}, DType::i64)).dtype() == DType::f32));
  BOOST_TEST((convolution(bytes, g.input("d", {2, 1, 1}, DType::f64)).dtype() == DType::f64));
}

// <convolution(a, w), b> = <a, conv_transpose(b, w)>.
BOOST_AUTO_TEST_CASE(conv_transpose_is_the_transpose) {
  Graph g;
  const Tensor a = g.input("a", {2, 8, 11, 3}, DType::f64), w = g.input("w", {3, 2, 3, 5}, DType::f64);
  const Padding padding = Padding::sides({1, 0}, {0, 1});
  const Tensor forward = convolution(a, w, {.strides = {2, 3}, .padding = padding});
  const Tensor b = g.input("b", forward.shape(), DType::f64);
  const Tensor back = conv_transpose(b, w, {.strides = {2, 3}, .padding = padding, .output_padding = {0, 1}});
  BOOST_TEST(back.shape().to_string() == "[2, 8, 11, 3]");
  const auto values = evaluate({sum(forward * b), sum(a * back)}, {{"a", small_integers(DType::f64, {2, 8, 11, 3}, 1)},
                                                                   {"w", small_integers(DType::f64, {3, 2, 3, 5}, 2)},
                                                                   {"b", small_integers(DType::f64, {2, 4, 4, 5}, 3)}});
  BOOST_TEST(values[0].as<double>()[0] == values[1].as<double>()[0]);
  // Groups and dilations, over one to three axes.
  for (const std::vector<int64_t>& spatial : {std::vector<int64_t>{13}, {9, 12}, {7, 8, 9}}) {
    const size_t axes = spatial.size();
    std::vector<int64_t> a_sizes{2}, w_sizes;
    for (size_t i = 0; i < axes; ++i) {
      a_sizes.push_back(spatial[i]);
      w_sizes.push_back(i == 1 ? 2 : 3);
    }
    a_sizes.push_back(6);
    w_sizes.insert(w_sizes.end(), {3, 4});  // two groups
    const auto input = [&](const char* name, const std::vector<int64_t>& of) {
      return g.input(name + std::to_string(axes), Shape(std::span<const int64_t>(of)), DType::f64);
    };
    const Tensor data = input("data", a_sizes), kernel = input("kernel", w_sizes);
    const Tensor made = convolution(data, kernel, {.dilations = {2}, .groups = 2});
    const std::vector<int64_t> made_sizes = made.shape().sizes();
    const Tensor other = input("other", made_sizes);
    const Tensor turned = conv_transpose(other, kernel, {.dilations = {2}, .groups = 2});
    BOOST_TEST((turned.shape() == data.shape()));
    const std::string number = std::to_string(axes);
    const auto products = evaluate({sum(made * other), sum(data * turned)},
                                   {{"data" + number, small_integers(DType::f64, a_sizes, 1)},
                                    {"kernel" + number, small_integers(DType::f64, w_sizes, 2)},
                                    {"other" + number, small_integers(DType::f64, made_sizes, 3)}});
    BOOST_TEST(products[0].as<double>()[0] == products[1].as<double>()[0]);
    BOOST_TEST(products[0].as<double>()[0] != 0);
  }
  const auto sizes = [&](const ConvTransposeOptions& options) {
    return conv_transpose(b, w, options).shape().to_string();
  };
  BOOST_TEST(sizes({}) == "[2, 6, 5, 3]");
  BOOST_TEST(sizes({.strides = {2, 3}, .padding = padding}) == "[2, 8, 10, 3]");
  BOOST_TEST(sizes({.strides = {2, 3}, .padding = Pad::same}) == "[2, 8, 12, 3]");
  BOOST_TEST(sizes({.strides = {4}, .padding = Pad::same}) == "[2, 16, 16, 3]");
  BOOST_TEST(sizes({.dilations = {2}}) == "[2, 8, 6, 3]");
}

BOOST_AUTO_TEST_CASE(errors) {
  Graph g;
  const auto at = [](int line) { return "convolution_test.cpp:" + std::to_string(line); };
  const std::string rule = "\n  convolution needs x [batch, spatial..., in] and weights [kernel..., in / groups, out]";
  const int line = __LINE__ + 1;
  const Tensor x = g.input("x", {2, 5, 5, 3}), w = g.input("w", {3, 3, 4, 8});
  const int call = __LINE__ + 1;
  const std::string text = message_of([&] { (void)convolution(x, w); });
  BOOST_TEST(text == at(call) +
                         ": convolution: the channels differ, 3 and 4\n  x \"x\"        f32[2, 5, 5, 3]  input, " +
                         at(line) + "\n  weights \"w\"  f32[3, 3, 4, 8]  input, " + at(line) + rule);

  const Tensor fits = g.input("fits", {3, 3, 3, 8}), grouped = g.input("grouped", {3, 3, 1, 8});
  const Tensor dense = g.input("dense", {3, 8}), line_weights = g.input("line", {3, 3, 8});
  const Tensor open = g.input("open", {"k", 3, 3, 8}), symbolic = g.input("symbolic", {2, "h", 5, 3});
  const auto problem = [](const auto& f) -> std::string {
    try {
      f();
    } catch (const Error& error) {
      return std::string(error.problem());
    }
    return "nothing was thrown";
  };
  const auto refused = [&](const Tensor& data, const Tensor& weights, const ConvolutionOptions& options = {}) {
    return problem([&] { (void)convolution(data, weights, options); });
  };
  BOOST_TEST(refused(x, dense) == "weights has 2 axes, not 3 to 5");
  BOOST_TEST(refused(x, line_weights) == "the operands have 4 and 3 axes");
  BOOST_TEST(refused(x, open) == "the kernel's sizes must be numbers, not k");
  BOOST_TEST(refused(x, g.input("none", {0, 3, 3, 8})) == "the kernel has size 0 along spatial axis 0");
  BOOST_TEST(refused(x, g.input("tall", {6, 3, 3, 8})) ==
             "a window of 6 does not fit spatial axis 0, 5 elements and 0 of padding");
  BOOST_TEST(refused(x, fits, {.dilations = {1, 3}}) ==
             "a window of 7 does not fit spatial axis 1, 5 elements and 0 of padding");
  BOOST_TEST(refused(x, grouped, {.groups = 3}) == "8 channels of the result cannot be cut into 3 groups");
  BOOST_TEST(refused(x, grouped, {.groups = 2}) == "the channels and those of all groups differ, 3 and 2");
  BOOST_TEST(refused(x, fits, {.groups = 0}) == "groups is 0; the least is 1");
  BOOST_TEST(refused(x, fits, {.strides = {0}}) == "strides has 0; the least is 1");
  BOOST_TEST(refused(x, fits, {.dilations = {1, 0}}) == "dilations has 0; the least is 1");
  BOOST_TEST(refused(x, fits, {.padding = -1}) == "low has -1; the least is 0");
  BOOST_TEST(refused(x, fits, {.strides = {1, 1, 1}}) == "strides has 3 numbers for 2 spatial axes");
  BOOST_TEST(refused(x, fits, {.padding = {1, 1, 1}}) == "padding has 3 numbers for 2 spatial axes");
  BOOST_TEST(refused(symbolic, fits, {.strides = {2}, .padding = Pad::same}) ==
             "the padding of spatial axis 0 depends on its size, h, for stride 2");
  BOOST_TEST(refused(x, Tensor()) == "weights is an empty Tensor");

  const auto transpose_refused = [&](const Tensor& data, const Tensor& weights,
                                     const ConvTransposeOptions& options = {}) {
    return problem([&] { (void)conv_transpose(data, weights, options); });
  };
  const Tensor back = g.input("back", {3, 3, 8, 3});
  BOOST_TEST(transpose_refused(x, fits) == "the channels of gradient and weights differ, 3 and 8");
  BOOST_TEST(transpose_refused(x, back, {.output_padding = {1}}) ==
             "output_padding has 1 where the stride is 1; it must be less");
  BOOST_TEST(transpose_refused(g.input("dot", {1, 1, 1, 3}), back, {.padding = 2}) ==
             "spatial axis 0 would get size -1");

  // The other two ops, for those who build nodes themselves.
  const Attributes settings{{"strides", Numbers{1, 1}},
                            {"dilations", Numbers{1, 1}},
                            {"low", Numbers{0, 0}},
                            {"high", Numbers{0, 0}},
                            {"groups", int64_t{1}}};
  const auto with = [&](const std::string& name, AttributeValue value) {
    Attributes attributes = settings;
    attributes.set(name, std::move(value));
    return attributes;
  };
  const Tensor grad = g.input("grad", {2, 3, 3, 8});
  const auto added = [&](const OpDef& op, const Tensor& a, const Tensor& b, const Attributes& attributes) {
    return problem([&] { (void)g.add(op, std::array{a, b}, attributes, {}); });
  };
  BOOST_TEST(added(convolution_data_gradient_def, grad, fits, with("shape", Shape{5})) ==
             "shape has 1 sizes for 2 spatial axes");
  BOOST_TEST(added(convolution_data_gradient_def, grad, fits, with("shape", Shape{5, 6})) ==
             "the gradient's size and the number of windows along spatial axis 1 differ, 3 and 4");
  BOOST_TEST(added(convolution_weight_gradient_def, x, grad, with("kernel", Numbers{3})) ==
             "kernel has 1 numbers for 2 spatial axes");
  BOOST_TEST(added(convolution_weight_gradient_def, x, grad, with("kernel", Numbers{3, 2})) ==
             "the gradient's size and the number of windows along spatial axis 1 differ, 3 and 4");
  BOOST_TEST(added(convolution_weight_gradient_def, g.input("more", {3, 5, 5, 3}), grad,
                   with("kernel", Numbers{3, 3})) == "the batch sizes differ, 3 and 2");
  Attributes two = with("kernel", Numbers{3, 3});
  two.set("groups", int64_t{2});
  BOOST_TEST(added(convolution_weight_gradient_def, x, grad, two) ==
             "3 channels of the data cannot be cut into 2 groups");
}

BOOST_AUTO_TEST_SUITE_END()
