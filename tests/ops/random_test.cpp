#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/philox.hpp>
#include <gradloom/ops/random.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>

using namespace gradloom;
using test::evaluate;
using test::message_without_lines_of;

namespace {

using Words = std::array<uint32_t, 4>;

double mean_of(const std::vector<double>& x) {
  double sum = 0;
  for (const double value : x) sum += value;
  return sum / static_cast<double>(x.size());
}

double variance_of(const std::vector<double>& x) {
  const double mean = mean_of(x);
  double sum = 0;
  for (const double value : x) sum += (value - mean) * (value - mean);
  return sum / static_cast<double>(x.size());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_random)

// The known answers that come with Random123, the authors' own implementation (tests/kat_vectors, philox4x32 10).
BOOST_AUTO_TEST_CASE(philox_gives_the_published_answers) {
  BOOST_TEST((philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  BOOST_TEST((philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
              Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  BOOST_TEST((philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
              Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

BOOST_AUTO_TEST_CASE(kernels_are_philox_on_every_instruction_set) {
  for (const Isa isa : supported_isas()) {
    Graph g;
    const Tensor x = random_uniform(g, {1000});
    const int64_t step = (int64_t{1} << 40) + 3;
    const auto values = evaluate({x}, {}, isa, {.seed = 7, .step = step})[0].as<float>();
    const uint64_t key = philox_key(7, static_cast<uint64_t>(x.node().attributes.get<int64_t>("stream")));
    for (uint32_t i = 0; i < 1000; ++i) {
      // Element i: tile i / 256 of 64 blocks; all first words come first.
      const uint32_t block = i / 256 * 64 + i % 64, word = i % 256 / 64;
      const Words words =
          philox4x32({block, 0, 3, 256}, {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)});
      BOOST_REQUIRE(values[i] == static_cast<float>(words[word] >> 8) * 0x1p-24F);
    }
  }
}

BOOST_AUTO_TEST_CASE(all_instruction_sets_draw_the_same) {
  Graph g;
  const std::vector<Tensor> same = {random_uniform(g, {777}, -3, 5), random_uniform(g, {777}, -3, 5, DType::f64),
                                    random_bernoulli(g, {777}, 0.3), random_bernoulli(g, {777}, 0.3, DType::f64)};
  const std::vector<Tensor> near = {random_normal(g, {777}, 1, 2), random_normal(g, {777}, 1, 2, DType::f64)};
  const auto same_baseline = evaluate(same, {}, Isa::baseline), near_baseline = evaluate(near, {}, Isa::baseline);
  for (const Isa isa : supported_isas()) {
    const auto values = evaluate(same, {}, isa), normals = evaluate(near, {}, isa);
    for (size_t i = 0; i < same.size(); ++i) BOOST_TEST((values[i].bytes == same_baseline[i].bytes));
    for (size_t i = 0; i < near.size(); ++i) {
      const auto a = normals[i].as_doubles(), b = near_baseline[i].as_doubles();
      for (size_t j = 0; j < a.size(); ++j) BOOST_TEST(std::abs(a[j] - b[j]) <= (i == 0 ? 4e-6 : 1e-14));
    }
  }
}

// The part of a tensor that a chunk draws must not depend on where chunks begin: the first elements of tensors of
// different sizes (cut differently) agree.
BOOST_AUTO_TEST_CASE(an_element_depends_on_its_index_alone) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    std::vector<std::vector<double>> drawn;
    for (const int64_t size : {100000, 40000, 129, 1}) {
      Graph g;
      drawn.push_back(evaluate({random_normal(g, {size}, 0, 1, dtype)})[0].as_doubles());
    }
    for (size_t i = 1; i < drawn.size(); ++i)
      BOOST_TEST(std::equal(drawn[i].begin(), drawn[i].end(), drawn[0].begin()));
  }
}

BOOST_AUTO_TEST_CASE(seed_step_and_stream_each_change_the_values) {
  Graph g;
  const Tensor a = random_uniform(g, {64}), b = random_uniform(g, {64});
  const auto base = evaluate({a}, {}, Isa::baseline, {.seed = 1, .step = 0})[0].as<float>();
  BOOST_TEST((base == evaluate({a}, {}, Isa::baseline, {.seed = 1, .step = 0})[0].as<float>()));
  BOOST_TEST((base != evaluate({a}, {}, Isa::baseline, {.seed = 2, .step = 0})[0].as<float>()));
  BOOST_TEST((base != evaluate({a}, {}, Isa::baseline, {.seed = 1, .step = 1})[0].as<float>()));
  BOOST_TEST((base != evaluate({b}, {}, Isa::baseline, {.seed = 1, .step = 0})[0].as<float>()));
  BOOST_TEST(a.node().op->properties.random);
  BOOST_TEST(a.node().op->properties.per_run);
}

BOOST_AUTO_TEST_CASE(uniform_fills_its_range) {
  Graph g;
  for (const DType dtype : {DType::f32, DType::f64}) {
    const auto x = evaluate({random_uniform(g, {50000}, 2, 6, dtype)})[0].as_doubles();
    BOOST_TEST(*std::min_element(x.begin(), x.end()) >= 2);
    BOOST_TEST(*std::max_element(x.begin(), x.end()) < 6);
    BOOST_TEST(std::abs(mean_of(x) - 4) < 0.03);
    BOOST_TEST(std::abs(variance_of(x) - 16.0 / 12) < 0.03);
  }
}

BOOST_AUTO_TEST_CASE(uniform_never_rounds_up_to_its_end) {
  Graph g;
  const auto x = evaluate({random_uniform(g, {100000}, 1 - 0x1p-24, 1), random_uniform(g, {3}, 4, 4)});
  for (const float value : x[0].as<float>()) BOOST_REQUIRE(value < 1);
  BOOST_TEST((x[1].as<float>() == std::vector<float>{4, 4, 4}));
}

BOOST_AUTO_TEST_CASE(normal_has_its_moments_and_tails) {
  Graph g;
  for (const DType dtype : {DType::f32, DType::f64}) {
    const auto x = evaluate({random_normal(g, {100000}, 3, 2, dtype)})[0].as_doubles();
    BOOST_TEST(std::abs(mean_of(x) - 3) < 0.03);
    BOOST_TEST(std::abs(variance_of(x) - 4) < 0.08);
    const auto beyond = [&](double sigmas) {
      return static_cast<double>(
          std::count_if(x.begin(), x.end(), [&](double v) { return std::abs(v - 3) > 2 * sigmas; }));
    };
    BOOST_TEST(std::abs(beyond(1) / 1e5 - 0.3173) < 0.006);
    BOOST_TEST(std::abs(beyond(2) / 1e5 - 0.0455) < 0.003);
    BOOST_TEST(std::abs(beyond(3) / 1e5 - 0.0027) < 0.0008);
  }
  const auto flat = evaluate({random_normal(g, {5}, 3, 0)})[0].as<float>();
  BOOST_TEST((flat == std::vector<float>(5, 3)));
}

BOOST_AUTO_TEST_CASE(bernoulli_of_every_dtype_draws_the_same_and_has_its_mean) {
  std::vector<double> first;
  for (int d = 0; d < dtype_count; ++d) {
    if (static_cast<DType>(d) == DType::bf16) continue;
    Graph g;  // of its own, so that the stream is the same
    const auto x = evaluate({random_bernoulli(g, {40000}, 0.3, static_cast<DType>(d))})[0].as_doubles();
    if (d == 0) first = x;
    BOOST_TEST((x == first));
  }
  BOOST_TEST(std::abs(mean_of(first) - 0.3) < 0.01);
  Graph g;
  BOOST_TEST(mean_of(evaluate({random_bernoulli(g, {1000}, 0)})[0].as_doubles()) == 0);
  BOOST_TEST(mean_of(evaluate({random_bernoulli(g, {1000}, 1)})[0].as_doubles()) == 1);
  BOOST_TEST(test::message_without_lines_of([&] { (void)random_bernoulli(g, {2}, 0.5, DType::bf16); }) ==
             "random_test.cpp: random_bernoulli: bf16 is for storage: draw f32 and cast it\n"
             "  random_bernoulli needs 0 <= p <= 1");
}

BOOST_AUTO_TEST_CASE(empty_scalar_and_symbolic_shapes) {
  Graph g;
  const auto x = evaluate({random_uniform(g, {0, 3}), random_normal(g, {}), random_bernoulli(g, {0}, 0.5)});
  BOOST_TEST(x[0].bytes.empty());
  BOOST_TEST(x[1].bytes.size() == 4);
  BOOST_TEST(x[2].bytes.empty());
  BOOST_TEST((random_uniform(g, {"batch", 3}).shape() == Shape{"batch", 3}));
}

BOOST_AUTO_TEST_CASE(the_host_draws_what_the_op_draws) {
  Graph g;
  const Tensor u = random_uniform(g, {500}, 0, 1, DType::f64), n = random_normal(g, {500}, 0, 1, DType::f64);
  const auto values = evaluate({u, n}, {}, Isa::baseline, {.seed = 5, .step = 2});
  const auto stream = [](const Tensor& x) { return static_cast<uint64_t>(x.node().attributes.get<int64_t>("stream")); };
  std::vector<double> drawn(400);
  philox_uniform(5, stream(u), 2, 100, drawn);
  const std::vector<double> uniform = values[0].as<double>(), normal = values[1].as<double>();
  BOOST_TEST(std::equal(drawn.begin(), drawn.end(), uniform.begin() + 100));
  philox_normal(5, stream(n), 2, 100, drawn);
  BOOST_TEST(std::equal(drawn.begin(), drawn.end(), normal.begin() + 100));
}

BOOST_AUTO_TEST_CASE(streams_of_names) {
  static_assert(stream_of_name("") == 0xcbf29ce484222325);
  static_assert(stream_of_name("a") == 0xaf63dc4c8601ec8c);  // both from the FNV test suite
  static_assert(stream_of_name("foobar") == 0x85944171f73967e8);
  BOOST_TEST(philox_key(1, 2) != philox_key(2, 1));
}

BOOST_AUTO_TEST_CASE(errors) {
  Graph g;
  const std::string where = "random_test.cpp: ";
  const std::string uniform = "\n  random_uniform needs finite low <= high and a dtype of f32 or f64";
  const std::string normal = "\n  random_normal needs a finite mean, a finite stddev >= 0 and a dtype of f32 or f64";
  BOOST_TEST(message_without_lines_of([&] { (void)random_uniform(g, {2}, 1, 0); }) ==
             where + "random_uniform: [1, 0) is no range of f32" + uniform);
  BOOST_TEST(message_without_lines_of([&] { (void)random_uniform(g, {2}, -3e38, 3e38); }) ==
             where + "random_uniform: [-3e+38, 3e+38) is no range of f32" + uniform);
  BOOST_TEST(message_without_lines_of([&] { (void)random_uniform(g, {2}, 0, 1, DType::i32); }) ==
             where + "random_uniform: it draws f32 or f64, not i32" + uniform);
  BOOST_TEST(message_without_lines_of([&] { (void)random_uniform(g, {-2}); }) ==
             where + "random_uniform: the shape [-2] has a negative size" + uniform);
  BOOST_TEST(message_without_lines_of([&] { (void)random_normal(g, {2}, 0, -1); }) ==
             where + "random_normal: there is no normal distribution of mean 0 and standard deviation -1" + normal);
  BOOST_TEST(message_without_lines_of([&] { (void)random_normal(g, {2}, 0, 1, DType::u8); }) ==
             where + "random_normal: it draws f32 or f64, not u8" + normal);
  BOOST_TEST(message_without_lines_of([&] { (void)random_bernoulli(g, {2}, 1.5); }) ==
             where + "random_bernoulli: 1.5 is no probability\n  random_bernoulli needs 0 <= p <= 1");
}

BOOST_AUTO_TEST_SUITE_END()
