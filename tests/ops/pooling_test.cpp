// Against windows written out as loops; gradients of every order by the conformance test, compositions by gradcheck.
#include "evaluate_helper.hpp"
#include "linear_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/iota.hpp>
#include <gradloom/ops/pooling.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/relu.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

using namespace gradloom;
using test::check_vjp_of_linear;
using test::evaluate;
using test::message_of;
using test::message_without_lines_of;
using test::scattered;
using test::Values;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Window {
  std::vector<double> seen;  // in row-major order, without padding
  std::vector<int64_t> at;   // their positions
  double padded = 0;         // elements with the padding that was asked for
};

/// All windows of x [batch, height, width, channels], by (image, row, column, channel).
std::vector<Window> windows(const Values& x, const std::vector<int64_t>& size, const std::vector<int64_t>& stride,
                            const std::vector<int64_t>& dilation, const std::vector<int64_t>& low,
                            const std::vector<int64_t>& high, const std::vector<int64_t>& to) {
  const std::vector<double> values = x.as_doubles();
  const int64_t images = x.sizes[0], height = x.sizes[1], width = x.sizes[2], channels = x.sizes[3];
  std::vector<Window> made;
  for (int64_t n = 0; n < images; ++n) {
    for (int64_t i = 0; i < to[0]; ++i) {
      for (int64_t j = 0; j < to[1]; ++j) {
        for (int64_t c = 0; c < channels; ++c) {
          Window& window = made.emplace_back();
          for (int64_t a = 0; a < size[0]; ++a) {
            for (int64_t b = 0; b < size[1]; ++b) {
              const int64_t row = i * stride[0] + a * dilation[0] - low[0],
                            column = j * stride[1] + b * dilation[1] - low[1];
              if (row < height + high[0] && column < width + high[1]) ++window.padded;
              if (row < 0 || row >= height || column < 0 || column >= width) continue;
              window.seen.push_back(values[static_cast<size_t>(((n * height + row) * width + column) * channels + c)]);
              window.at.push_back(row * width + column);
            }
          }
        }
      }
    }
  }
  return made;
}

struct Setting {
  std::vector<int64_t> x;
  std::vector<int64_t> window, strides, dilations, low, high;
  bool ceil;
  std::vector<int64_t> to;  // as PyTorch computes it
};

const Setting settings[] = {
    {{2, 4, 6, 3}, {2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0}, false, {2, 3}},
    {{1, 7, 9, 17}, {3, 2}, {2, 3}, {1, 1}, {1, 0}, {1, 1}, false, {4, 3}},
    {{1, 9, 8, 5}, {3, 3}, {1, 2}, {2, 1}, {2, 1}, {1, 0}, false, {8, 4}},
    {{1, 6, 7, 2}, {3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}, true, {4, 4}},
    {{1, 5, 5, 33}, {2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0}, true, {3, 3}},
    {{1, 5, 6, 1}, {1, 2}, {3, 2}, {1, 1}, {0, 0}, {0, 0}, true, {2, 3}},  // a last window beyond the data is left out
};

PoolOptions options_of(const Setting& s) {
  return {.window = s.window,
          .strides = s.strides,
          .dilations = s.dilations,
          .padding = Padding::sides(s.low, s.high),
          .ceil = s.ceil};
}

Array random_array(const std::vector<int64_t>& sizes, uint64_t seed) {
  Array array = Array::uninitialized(sizes, DType::f64);
  std::mt19937_64 random(seed);
  for (double& value : array.data<double>()) value = std::uniform_real_distribution<double>(-2, 2)(random);
  return array;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_pooling)

BOOST_AUTO_TEST_CASE(values_of_every_pooling_on_every_instruction_set) {
  for (const Isa isa : supported_isas()) {
    for (const Setting& s : settings) {
      for (const DType dtype : {DType::f32, DType::f64}) {
        Graph g;
        const Tensor x = g.input("x", Shape(std::span<const int64_t>(s.x)), dtype);
        PoolOptions options = options_of(s);
        const MaxPool largest = max_pool_with_index(x, options);
        const Tensor mean = average_pool(x, options), total = pool_sum(x, options), rms = lp_pool(x, 2, options);
        options.count_padding = false;
        const Tensor mean_of_data = average_pool(x, options);
        BOOST_TEST((mean.shape() == Shape{s.x[0], s.to[0], s.to[1], s.x[3]}));
        const Values given = scattered(dtype, s.x);
        const auto values =
            evaluate({largest.value, largest.index, total, mean, mean_of_data, rms}, {{"x", given}}, isa);
        const std::vector<Window> expected = windows(given, s.window, s.strides, s.dilations, s.low, s.high, s.to);
        const auto at = [&](size_t which, size_t i) { return values[which].as_doubles()[i]; };
        for (size_t i = 0; i < expected.size(); ++i) {
          const Window& window = expected[i];
          double best = -infinity, sum = 0, squares = 0;
          int64_t where = 0;
          for (size_t k = 0; k < window.seen.size(); ++k) {
            if (window.seen[k] > best) {
              best = window.seen[k];
              where = window.at[k];
            }
            sum += window.seen[k];
            squares += window.seen[k] * window.seen[k];
          }
          BOOST_TEST(at(0, i) == best);
          BOOST_TEST(at(1, i) == static_cast<double>(where));
          BOOST_TEST(at(2, i) == sum);
          BOOST_TEST(std::fabs(at(3, i) - sum / window.padded) < 1e-6);
          BOOST_TEST(std::fabs(at(4, i) - sum / static_cast<double>(window.seen.size())) < 1e-6);
          BOOST_TEST(std::fabs(at(5, i) - std::sqrt(squares)) < 1e-6);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(maxima_of_integers_nan_and_infinities) {
  for (const Isa isa : supported_isas()) {
    Graph g;
    const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
    const MaxPool y = max_pool_with_index(g.input("x", {1, 8, 1}), {.window = {2}});
    const auto values =
        evaluate({y.value, y.index}, {{"x", Values::of<float>({1, 8, 1}, {1, nan, nan, 5, -inf, -inf, 2, inf})}}, isa);
    const std::vector<float> maxima = values[0].as<float>();
    BOOST_TEST(std::isnan(maxima[0]));
    BOOST_TEST(std::isnan(maxima[1]));
    BOOST_TEST(maxima[2] == -inf);
    BOOST_TEST(maxima[3] == inf);
    BOOST_TEST((values[1].as<int32_t>() == std::vector<int32_t>{1, 2, 4, 7}));
    const Tensor bytes = max_pool(g.input("bytes", {1, 4, 2}, DType::u8), {.window = {2}});
    const Values largest =
        evaluate({bytes}, {{"bytes", Values::of<uint8_t>({1, 4, 2}, {1, 250, 200, 3, 0, 0, 0, 7})}}, isa)[0];
    BOOST_TEST((largest.as<uint8_t>() == std::vector<uint8_t>{200, 250, 0, 7}));
  }
}

BOOST_AUTO_TEST_CASE(rank_one_and_three_same_padding_and_symbolic_sizes) {
  Graph g;
  const Tensor line = g.input("line", {"n", 7, 3}), volume = g.input("volume", {2, 4, 5, 6, 3});
  BOOST_TEST((max_pool(line, {.window = {3}, .strides = {2}, .padding = Pad::same}).shape() == Shape{"n", 4, 3}));
  BOOST_TEST((average_pool(volume, {.window = {2}}).shape() == Shape{2, 2, 2, 3, 3}));
  BOOST_TEST((max_pool(volume, {.window = {2, 1, 3}, .strides = {1}}).shape() == Shape{2, 3, 5, 4, 3}));
  const Tensor open = g.input("open", {"n", "h", "w", 8});
  BOOST_TEST((max_pool(open, {.window = {2}}).shape() == Shape{"n", "(h - 2)/2 + 1", "(w - 2)/2 + 1", 8}));
  BOOST_TEST((average_pool(open, {.window = {3}, .strides = {1}, .padding = Pad::same}).shape() == open.shape()));
  BOOST_TEST((global_average_pool(open).shape() == Shape{"n", 8}));
  BOOST_TEST((global_max_pool(line).shape() == Shape{"n", 3}));
}

// What is pooled stays what the result depends on, whatever made it.
BOOST_AUTO_TEST_CASE(it_pools_what_it_is_given) {
  Graph g;
  const Tensor z = g.input("z", {2, 4, 4, 3}), b = g.input("b", {3});
  const Tensor sum_of_both = z + b, r = relu(sum_of_both);
  const Tensor y = max_pool(r, {.window = {2}});
  const Tensor alone = g.input("alone", r.shape()), same = max_pool(alone, {.window = {2}});
  const std::map<std::string, Values> given = {{"z", scattered(DType::f32, {2, 4, 4, 3})},
                                               {"b", scattered(DType::f32, {3}, 4)}};
  std::map<std::string, Values> inputs = given;
  inputs["alone"] = evaluate({r}, given)[0];
  const Tensor weights = cast(iota(g, y.shape(), 1, DType::i32), DType::f32);
  const auto values = evaluate({y, same, gradient(sum(y * weights), r), gradient(sum(same * weights), alone),
                                gradient(sum(max_pool(sum_of_both, {.window = {2}})), sum_of_both)},
                               inputs);
  BOOST_TEST((values[0].bytes == values[1].bytes));
  BOOST_TEST((values[2].bytes == values[3].bytes));
  const std::vector<float> through_sum = values[4].as<float>();
  BOOST_TEST(std::count(through_sum.begin(), through_sum.end(), 1.0F) == y.shape().element_count().value());

  // Of equal elements the first one, relu's zeros included.
  const Tensor tie = g.input("tie", {1, 1, 2, 1});
  BOOST_TEST((evaluate({gradient(sum(max_pool(relu(tie), {.window = {1, 2}})), tie)},
                       {{"tie", Values::of<float>({1, 1, 2, 1}, {-1, 0})}})[0]
                  .as<float>() == std::vector<float>{0, 0}));
  // Sums of integers wrap around before the maximum is taken.
  const Tensor small = g.input("small", {1, 1, 2, 1}, DType::u8);
  BOOST_TEST((evaluate({max_pool(small + constant(g, 10, DType::u8), {.window = {1, 2}})},
                       {{"small", Values::of<uint8_t>({1, 1, 2, 1}, {250, 10})}})[0]
                  .as<uint8_t>() == std::vector<uint8_t>{20}));
}

BOOST_AUTO_TEST_CASE(unpooling_puts_elements_where_they_were) {
  Graph g;
  const Tensor y = g.input("y", {1, 2, 2, 1}), index = g.input("index", {1, 2, 2, 1}, DType::i32);
  const Tensor x = max_unpool(y, index, {4, 4}, {.window = {2}});
  // The last one lies outside its window.
  const Values values = evaluate({x}, {{"y", Values::of<float>({1, 2, 2, 1}, {1, 2, 3, 4})},
                                       {"index", Values::of<int32_t>({1, 2, 2, 1}, {5, 2, 12, 0})}})[0];
  BOOST_TEST((values.as<float>() == std::vector<float>{0, 0, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0}));
}

BOOST_AUTO_TEST_CASE(sums_and_unpooling_are_differentiated_with_their_adjoints) {
  for (const Setting& s : settings) {
    Graph g;
    const Tensor x = g.input("x", Shape(std::span<const int64_t>(s.x)), DType::f64);
    check_vjp_of_linear(pool_sum(x, options_of(s)), {{"x", scattered(DType::f64, s.x)}}, 4);
  }
}

BOOST_AUTO_TEST_CASE(gradients_of_compositions_by_finite_differences) {
  const Array image = random_array({1, 5, 4, 2}, 1);
  const std::function<Tensor(const Tensor&)> functions[] = {
      [](const Tensor& x) { return max_pool(x, {.window = {3}, .strides = {2}, .padding = 1}); },
      [](const Tensor& x) { return average_pool(x, {.window = {2}, .padding = 1, .count_padding = false}); },
      [](const Tensor& x) { return lp_pool(x, 3, {.window = {2}}); },
      [](const Tensor& x) { return global_lp_pool(x, 1.5); },
      [](const Tensor& x) {
        return adaptive_average_pool(x, {3, 2});
      },
      [](const Tensor& x) {
        return adaptive_max_pool(x, {3, 3});
      },
  };
  for (const auto& f : functions) {
    const GradcheckReport report = gradcheck([&](std::span<const Tensor> v) { return f(v[0]); }, {image});
    BOOST_TEST(report.passed, report.message);
  }
}

BOOST_AUTO_TEST_CASE(adaptive_windows_are_those_of_pytorch) {
  Graph g;
  const Tensor x = g.input("x", {1, 7, 5, 2}, DType::f64);
  const Values given = scattered(DType::f64, {1, 7, 5, 2});
  const std::vector<double> from = given.as_doubles();
  const auto values = evaluate({adaptive_max_pool(x, {3, 2}), adaptive_average_pool(x, {3, 2})}, {{"x", given}});
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t j = 0; j < 2; ++j) {
      for (int64_t c = 0; c < 2; ++c) {
        double best = -infinity, sum = 0, count = 0;
        for (int64_t a = i * 7 / 3; a < (i + 1) * 7 / 3 + ((i + 1) * 7 % 3 != 0); ++a) {
          for (int64_t b = j * 5 / 2; b < (j + 1) * 5 / 2 + ((j + 1) * 5 % 2 != 0); ++b) {
            const double value = from[static_cast<size_t>((a * 5 + b) * 2 + c)];
            best = std::max(best, value);
            sum += value;
            ++count;
          }
        }
        const size_t at = static_cast<size_t>((i * 2 + j) * 2 + c);
        BOOST_TEST(values[0].as<double>()[at] == best);
        BOOST_TEST(std::fabs(values[1].as<double>()[at] - sum / count) < 1e-12);
      }
    }
  }
  BOOST_TEST((adaptive_max_pool(x, {1, 5}).node().op == &max_pool_def));  // equal windows
}

BOOST_AUTO_TEST_CASE(gradients_of_zeros_are_zero) {
  Graph g;
  const Tensor x = g.input("x", {1, 4, 1});
  const std::vector<float> zero(4, 0);
  const Tensor dx = gradient(sum(lp_pool(x, 2, {.window = {2}})), x);
  BOOST_TEST((evaluate({dx}, {{"x", Values::of<float>({1, 4, 1}, zero)}})[0].as<float>() == zero));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_an_error) {
  Graph g;
  const Tensor x = g.input("x", {2, 4, 4, 3}), matrix = g.input("matrix", {2, 3}), open = g.input("open", {1, "h", 3});
  const std::string at = "pooling_test.cpp:", declared = at + std::to_string(__LINE__ - 1);
  const std::string rule =
      "\n  max_pool needs numbers [batch, spatial..., channels] with one to three spatial axes, and windows that fit "
      "them";
  const std::string shared = "\n  pooling needs x [batch, spatial..., channels] with one to three spatial axes";
  const std::string line = std::to_string(__LINE__ + 1);
  const std::string text = message_of([&] { (void)max_pool(x, {.window = {5}}); });
  BOOST_TEST(text ==
             at + line +
                 ": max_pool: axis 1 has size 4, 4 with padding, and the window spans 5\n  x \"x\"  f32[2, 4, 4, 3]  "
                 "input, " +
                 declared + rule);
  const auto problem = [&](const std::function<void()>& f) {
    const std::string message = message_without_lines_of(f);
    const size_t begin = message.find(": ") + 2;
    return message.substr(begin, message.find('\n') - begin);
  };
  BOOST_TEST(problem([&] { (void)max_pool(matrix, {.window = {1}}); }) == "max_pool: the rank is 2");
  BOOST_TEST(
      message_without_lines_of([&] { (void)average_pool(matrix, {.window = {1}}); }) ==
      std::string("pooling_test.cpp: average_pool: the rank is 2\n  x \"matrix\"  f32[2, 3]  input, pooling_test.cpp") +
          shared);
  BOOST_TEST(problem([&] { (void)max_pool(x, {}); }) ==
             "max_pool: window, strides and dilations have 0, 0 and 2 numbers for 2 spatial axes");
  BOOST_TEST(problem([&] { (void)max_pool(x, {.window = {0}}); }) == "max_pool: window has the number 0");
  BOOST_TEST(problem([&] { (void)max_pool(x, {.window = {2}, .strides = {0}}); }) ==
             "max_pool: strides has the number 0");
  BOOST_TEST(problem([&] { (void)pool_sum(x, {.window = {2}, .dilations = {-1}}); }) ==
             "pool_sum: dilations has the number -1");
  BOOST_TEST(problem([&] { (void)max_pool(x, {.window = {2}, .padding = 2}); }) ==
             "max_pool: the padding 2 is not smaller than the window, which spans 2");
  BOOST_TEST(problem([&] {
               (void)max_pool(x, {.window = {2}, .padding = Padding::sides({0, 0}, {0, 9})});
             }) == "max_pool: the padding 9 is not smaller than the window, which spans 2");
  BOOST_TEST(problem([&] {
               (void)max_pool(x, {.window = {2}, .padding = {1, 1, 1}});
             }) == "max_pool: padding has 3 numbers for 2 spatial axes");
  BOOST_TEST(problem([&] { (void)average_pool(open, {.window = {2}, .padding = Pad::same}); }) ==
             "average_pool: the size of spatial axis 0 is h, not known, and the windows depend on it");
  BOOST_TEST(problem([&] { (void)lp_pool(x, 0, {.window = {2}}); }) == "lp_pool: p is 0");
  BOOST_TEST(problem([&] {
               (void)max_pool(g.input("b", {1, 4, 1}, DType::boolean), {.window = {2}});
             }) == "max_pool: booleans are no numbers");
  BOOST_TEST(problem([&] {
               (void)adaptive_max_pool(x, {1, 1, 1});
             }) == "adaptive_max_pool: 3 sizes for 2 spatial axes");
  BOOST_TEST(problem([&] { (void)adaptive_average_pool(open, {2}); }) ==
             "adaptive_average_pool: the size h of spatial axis 0 is not known");
  BOOST_TEST(problem([&] { (void)adaptive_average_pool(x, {0}); }) ==
             "adaptive_average_pool: spatial axis 0 cannot go from size 4 to 0");
  BOOST_TEST(problem([&] {
               (void)max_pool(g.input("large", {1, 100000, 100000, 1}), {.window = {2}});
             }) == "max_pool: an image has 10000000000 positions, more than an i32 can name");
  const Tensor index = g.input("index", {2, 2, 2, 3}, DType::i32), longs = g.input("longs", {2, 2, 2, 3}, DType::i64);
  const Tensor y = g.input("y", {2, 2, 2, 3});
  BOOST_TEST(problem([&] { (void)max_unpool(y, longs, {4, 4}, {.window = {2}}); }) == "max_unpool: the index is i64");
  BOOST_TEST(problem([&] {
               (void)max_unpool(y, index, {6, 4}, {.window = {2}});
             }) == "max_unpool: axis 1 and what pooling makes of its size differ, 2 and 3");
  BOOST_TEST(problem([&] {
               (void)max_unpool(y, g.input("i", {2, 2, 6}, DType::i32), {4, 4}, {.window = {2}});
             }) == "max_unpool: the ranks differ, 4 and 3");
  BOOST_TEST(problem([&] { (void)max_unpool(y, index, {4}, {.window = {2}}); }) ==
             "max_unpool: 1 sizes were given for 2 spatial axes");
}

BOOST_AUTO_TEST_SUITE_END()
