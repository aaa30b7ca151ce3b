// What all optimisers take: groups of parameters, and the accumulation of gradients.
#include "bowl_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/nn/dense.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/ops/hyperbolic.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::Bowl;
using test::message_of;
using test::Vector;

namespace {

/// One step from the same start: the State after it.
State after_step(const Bowl& bowl, const std::vector<Update>& updates) {
  State state = test::start();
  (void)compile({.outputs = {bowl.loss}, .updates = updates}).run(state, {});
  return state;
}

using MakeUpdates = std::vector<Update> (*)(const Tensor& loss, int64_t accumulate);

/// A small network's weights after `updates` updates, each of `pieces` pieces of 12 examples.
Vector trained(MakeUpdates make, int64_t pieces, int updates) {
  Graph g;
  const Tensor x = g.input("x", {"batch", 3}, DType::f64), t = g.input("t", {"batch", 1}, DType::f64);
  const Tensor loss = nn::mse(nn::dense(tanh(nn::dense(x, 5)), 1), t);
  const Program train = compile({.outputs = {loss}, .updates = make(loss, pieces)});
  State state{{.seed = 3}};
  const int64_t rows = 12 / pieces;
  for (int update = 0; update < updates; ++update) {
    for (int64_t piece = 0; piece < pieces; ++piece) {
      const Array xs({rows, 3}, DType::f64), ts({rows, 1}, DType::f64);
      for (int64_t i = 0; i < rows; ++i) {
        const double example = static_cast<double>(update * 12 + piece * rows + i);
        for (int64_t j = 0; j < 3; ++j)
          xs.data<double>()[static_cast<size_t>(3 * i + j)] = std::sin(example * 7 + static_cast<double>(j));
        ts.data<double>()[static_cast<size_t>(i)] = std::cos(example * 3);
      }
      (void)train.run(state, {{"x", xs}, {"t", ts}});
    }
  }
  Vector weights;
  for (const char* name : {"dense_1/weight", "dense_1/bias", "dense_2/weight", "dense_2/bias"}) {
    for (const double w : state.get(name).to_vector<double>()) weights.push_back(w);
  }
  return weights;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_optimizer_groups)

BOOST_AUTO_TEST_CASE(a_group_has_its_own_rate_and_decay) {
  Bowl bowl;
  const auto close = [](const Vector& a, const Vector& b) {
    BOOST_REQUIRE(a.size() == b.size());
    for (size_t i = 0; i < a.size(); ++i) BOOST_TEST(std::abs(a[i] - b[i]) < 1e-6 * (1 + std::abs(b[i])));
  };
  const State start = test::start();
  const State all = after_step(bowl, nn::momentum(bowl.loss, {.learning_rate = 0.1, .weight_decay = 0.5}));
  const State none = after_step(bowl, nn::momentum(bowl.loss, {.learning_rate = 0.1}));
  const State slow = after_step(bowl, nn::momentum(bowl.loss, {.learning_rate = 0.01, .weight_decay = 0.5}));
  const State grouped =
      after_step(bowl, nn::momentum(bowl.loss, {.learning_rate = 0.1,
                                                .weight_decay = 0.5,
                                                .groups = {{.parameters = {bowl.w}, .learning_rate = 0.1},
                                                           {.parameters = {bowl.b}, .weight_decay = 0}}}));
  close(grouped.get("layer/w").to_vector<double>(), slow.get("layer/w").to_vector<double>());
  const auto floats = [](const State& state) {
    const std::vector<float> b = state.get("layer/b").to_vector<float>();
    return Vector(b.begin(), b.end());
  };
  close(floats(grouped), floats(none));
  BOOST_TEST(floats(grouped) != floats(all));

  const State still =
      after_step(bowl, nn::adamw(bowl.loss, {.groups = {{.parameters = {bowl.w}, .learning_rate = 0}}}));
  BOOST_TEST(same_bits(still.get("layer/w"), start.get("layer/w")));
  BOOST_TEST(!same_bits(still.get("layer/b"), start.get("layer/b")));
}

BOOST_AUTO_TEST_CASE(parameters_that_the_optimizer_does_not_have_may_be_in_a_group) {
  Bowl bowl;
  const Tensor other = bowl.g.parameter("other", {2});
  const State state =
      after_step(bowl, nn::lion(bowl.loss, {.groups = {{.parameters = {other, bowl.w}, .weight_decay = 0}}}));
  BOOST_TEST(!state.has("other"));
}

BOOST_AUTO_TEST_CASE(accumulated_gradients_are_those_of_a_large_batch) {
  const MakeUpdates makers[] = {
      [](const Tensor& loss, int64_t n) { return nn::gradient_descent(loss, {.learning_rate = 0.1, .accumulate = n}); },
      [](const Tensor& loss, int64_t n) {
        return nn::adam(loss,
                        {.learning_rate = nn::step_decay(0.05, 2, 0.5), .clip_global_norm = 0.1, .accumulate = n});
      },
      [](const Tensor& loss, int64_t n) { return nn::nadam(loss, {.learning_rate = 0.05, .accumulate = n}); },
      [](const Tensor& loss, int64_t n) { return nn::adafactor(loss, {.accumulate = n}); },
  };
  for (const MakeUpdates make : makers) {
    const Vector large = trained(make, 1, 5);
    for (const int64_t pieces : {2, 4}) {
      const Vector small = trained(make, pieces, 5);
      for (size_t i = 0; i < large.size(); ++i)
        BOOST_TEST(std::abs(small[i] - large[i]) < 1e-12, small[i] << " instead of " << large[i]);
    }
  }
}

BOOST_AUTO_TEST_CASE(until_the_last_piece_nothing_moves) {
  Bowl bowl;
  const Program train = compile({.outputs = {bowl.loss}, .updates = nn::adam(bowl.loss, {.accumulate = 3})});
  State state = test::start();
  const State start = state;
  for (int piece = 1; piece <= 3; ++piece) {
    (void)train.run(state, {});
    BOOST_TEST(same_bits(state.get("layer/w"), start.get("layer/w")) == (piece < 3));
    BOOST_TEST(state.get("adam/step").item<int64_t>() == (piece < 3 ? 0 : 1));
    BOOST_TEST(state.get("adam/accumulated").item<int64_t>() == piece % 3);
  }
  for (const double sum : state.get("adam/layer/w/gradient").to_vector<double>()) BOOST_TEST(sum == 0);
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  const std::string file = "optimizer_groups_test.cpp:";
  const std::string rule = "  a group has factors that are not negative, and parameters of no other group";
  Bowl bowl;
  const Tensor &loss = bowl.loss, &w = bowl.w;
  int line = __LINE__ + 1;
  const std::string rate = message_of([&] { (void)nn::adam(loss, {.groups = {{.learning_rate = -1}}}); });
  BOOST_TEST(rate == file + std::to_string(line) + ": adam: learning_rate is -1\n" + rule);
  line = __LINE__ + 1;
  const std::string decay = message_of([&] { (void)nn::adam(loss, {.groups = {{.weight_decay = -1}}}); });
  BOOST_TEST(decay == file + std::to_string(line) + ": adam: weight_decay is -1\n" + rule);
  line = __LINE__ + 1;
  const std::string twice = message_of([&] { (void)nn::lamb(loss, {.groups = {{{w}}, {{w}}}}); });
  BOOST_TEST(twice == file + std::to_string(line) + ": lamb: \"layer/w\" is in two groups\n" + rule);
  line = __LINE__ + 1;
  const std::string empty = message_of([&] { (void)nn::adam(loss, {.groups = {{{Tensor()}}}}); });
  BOOST_TEST(empty == file + std::to_string(line) + ": adam: a group has an empty Tensor\n" + rule);
  line = __LINE__ + 1;
  const std::string pieces = message_of([&] { (void)nn::adam(loss, {.accumulate = 0}); });
  BOOST_TEST(pieces == file + std::to_string(line) +
                           ": adam: accumulate is 0\n  accumulate is the number of steps of one update");
}

BOOST_AUTO_TEST_SUITE_END()
