#include "bowl_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>

using namespace gradloom;
using test::Bowl;
using test::check;
using test::Clip;
using test::elements;
using test::Formula;
using test::message_of;
using test::start;
using test::Vector;

BOOST_AUTO_TEST_SUITE(nn_optimizers)

BOOST_AUTO_TEST_CASE(gradient_descent_follows_its_formula) {
  Bowl bowl;
  check(bowl, nn::gradient_descent(bowl.loss, {.learning_rate = 0.05}),
        [](double p, double g, auto&, int) { return p - 0.05 * g; });
  check(bowl, nn::gradient_descent(bowl.loss, {.learning_rate = 0.05, .weight_decay = 0.1}),
        [](double p, double g, auto&, int) { return p - 0.05 * (g + 0.1 * p); });
}

BOOST_AUTO_TEST_CASE(momentum_and_nesterov_follow_their_formulas) {
  Bowl bowl;
  check(bowl, nn::momentum(bowl.loss, {.learning_rate = 0.02, .momentum = 0.8, .weight_decay = 0.01}),
        [](double p, double g, auto& slots, int) {
          g += 0.01 * p;
          slots["velocity"] = 0.8 * slots["velocity"] + g;
          return p - 0.02 * slots["velocity"];
        });
  check(bowl, nn::nesterov(bowl.loss, {.learning_rate = 0.02, .momentum = 0.8, .weight_decay = 0.01}),
        [](double p, double g, auto& slots, int) {
          g += 0.01 * p;
          slots["velocity"] = 0.8 * slots["velocity"] + g;
          return p - 0.02 * (g + 0.8 * slots["velocity"]);
        });
}

BOOST_AUTO_TEST_CASE(rmsprop_and_adagrad_follow_their_formulas) {
  Bowl bowl;
  check(bowl, nn::rmsprop(bowl.loss, {.learning_rate = 0.1, .decay = 0.9, .epsilon = 0.01}),
        [](double p, double g, auto& slots, int) {
          slots["v"] = 0.9 * slots["v"] + 0.1 * g * g;
          return p - 0.1 * g / (std::sqrt(slots["v"]) + 0.01);
        });
  check(bowl, nn::adagrad(bowl.loss, {.learning_rate = 0.1, .initial_accumulator = 0.5, .epsilon = 0.01}),
        [](double p, double g, auto& slots, int t) {
          slots["sum"] += (t == 1 ? 0.5 : 0) + g * g;
          return p - 0.1 * g / (std::sqrt(slots["sum"]) + 0.01);
        });
}

BOOST_AUTO_TEST_CASE(adam_follows_its_formula) {
  Bowl bowl;
  check(bowl, nn::adam(bowl.loss, {.learning_rate = 0.1, .beta1 = 0.8, .beta2 = 0.99, .epsilon = 1e-3}),
        [](double p, double g, auto& slots, int t) {
          slots["m"] = 0.8 * slots["m"] + (1 - 0.8) * g;
          slots["v"] = 0.99 * slots["v"] + (1 - 0.99) * g * g;
          const double rate = 0.1 / (1 - std::pow(0.8, t));
          return p - rate * slots["m"] / (std::sqrt(slots["v"]) / std::sqrt(1 - std::pow(0.99, t)) + 1e-3);
        });
}

BOOST_AUTO_TEST_CASE(adamw_decays_beside_the_gradient_and_only_what_it_should) {
  const auto formula = [](double decay) {
    return [decay](double p, double g, std::map<std::string, double>& slots, int t) {
      slots["m"] = 0.9 * slots["m"] + (1 - 0.9) * g;
      slots["v"] = 0.999 * slots["v"] + (1 - 0.999) * g * g;
      slots["element"] = 1;
      const double rate = 0.1 / (1 - std::pow(0.9, t));
      return p * (1 - 0.1 * decay) -
             rate * slots["m"] / (std::sqrt(slots["v"]) / std::sqrt(1 - std::pow(0.999, t)) + 1e-8);
    };
  };
  Bowl bowl;
  check(bowl, nn::adamw(bowl.loss, {.learning_rate = 0.1, .weight_decay = 0.2}), formula(0.2));
  check(
      bowl,
      nn::adamw(bowl.loss, {.learning_rate = 0.1, .weight_decay = 0.2, .decays = [](const Tensor&) { return false; }}),
      formula(0));
  check(bowl, nn::adamw(bowl.loss, {.learning_rate = 0.1, .weight_decay = 0.2, .without_decay = {bowl.w, bowl.b}}),
        formula(0));
}

BOOST_AUTO_TEST_CASE(gradients_are_clipped_by_value_then_by_their_global_norm) {
  const auto by_value = [](double limit) {
    return [limit](Vector& g) {
      for (double& x : g) x = std::clamp(x, -limit, limit);
    };
  };
  const auto by_norm = [](double limit) {
    return [limit](Vector& g) {
      double squares = 0;
      for (const double x : g) squares += x * x;
      const double scale = std::min(1.0, limit / (std::sqrt(squares) + 1e-6));
      for (double& x : g) x *= scale;
    };
  };
  constexpr double f32 = 2e-6;  // the norm mixes the gradients of both dtypes
  const Formula descent = [](double p, double g, auto&, int) { return p - 0.05 * g; };
  Bowl bowl;
  check(bowl, nn::gradient_descent(bowl.loss, {.learning_rate = 0.05, .clip_value = 2}), descent, by_value(2));
  check(bowl, nn::gradient_descent(bowl.loss, {.learning_rate = 0.05, .clip_global_norm = 5}), descent, by_norm(5),
        f32);
  check(bowl, nn::gradient_descent(bowl.loss, {.learning_rate = 0.05, .clip_global_norm = 1e6}), descent);
  check(
      bowl, nn::gradient_descent(bowl.loss, {.learning_rate = 0.05, .clip_value = 2, .clip_global_norm = 3}), descent,
      [&](Vector& g) {
        by_value(2)(g);
        by_norm(3)(g);
      },
      f32);
}

BOOST_AUTO_TEST_CASE(a_schedule_runs_over_the_optimisers_own_steps) {
  Bowl bowl;
  check(bowl, nn::gradient_descent(bowl.loss, {.learning_rate = nn::step_decay(0.08, 3, 0.5)}),
        [](double p, double g, auto&, int t) { return p - 0.08 * std::pow(0.5, (t - 1) / 3) * g; });
  check(bowl, nn::adam(bowl.loss, {.learning_rate = nn::warm_up(0.1, 4)}), [](double p, double g, auto& slots, int t) {
    slots["m"] = 0.9 * slots["m"] + 0.1 * g;
    slots["v"] = 0.999 * slots["v"] + 0.001 * g * g;
    const double rate = 0.1 * std::min(1.0, t / 4.0) / (1 - std::pow(0.9, t));
    return p - rate * slots["m"] / (std::sqrt(slots["v"]) / std::sqrt(1 - std::pow(0.999, t)) + 1e-8);
  });
}

BOOST_AUTO_TEST_CASE(slots_are_frozen_parameters_with_names_of_their_own) {
  Bowl bowl;
  (void)nn::adam(bowl.loss);
  (void)nn::adam(bowl.loss);
  (void)nn::gradient_descent(bowl.loss);
  {
    const Scope scope = bowl.g.scope("fine_tuning");
    (void)nn::adam(bowl.loss);
  }
  std::vector<std::string> names;
  for (const Tensor& parameter : bowl.g.parameters()) {
    names.push_back(parameter.name() + " " + std::string(to_string(parameter.dtype())) + parameter.shape().to_string());
  }
  const std::vector<std::string> expected = {"layer/w f64[3]",
                                             "layer/b f32[2]",
                                             "adam/step i64[]",
                                             "adam/layer/w/m f64[3]",
                                             "adam/layer/w/v f64[3]",
                                             "adam/layer/b/m f32[2]",
                                             "adam/layer/b/v f32[2]",
                                             "adam_2/step i64[]",
                                             "adam_2/layer/w/m f64[3]",
                                             "adam_2/layer/w/v f64[3]",
                                             "adam_2/layer/b/m f32[2]",
                                             "adam_2/layer/b/v f32[2]",
                                             "fine_tuning/adam/step i64[]",
                                             "fine_tuning/adam/layer/w/m f64[3]",
                                             "fine_tuning/adam/layer/w/v f64[3]",
                                             "fine_tuning/adam/layer/b/m f32[2]",
                                             "fine_tuning/adam/layer/b/v f32[2]"};
  BOOST_TEST(names == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(only_trainable_parameters_that_the_loss_depends_on_are_updated) {
  Graph g;
  const Tensor used = g.parameter("used", {2}), frozen = g.parameter("frozen", {2}, {}, {.trainable = false});
  const Tensor unused = g.parameter("unused", {2});
  const Tensor loss = sum(used * frozen);
  const auto updated = [](const std::vector<Update>& updates) {
    std::vector<std::string> names;
    for (const Update& update : updates) names.push_back(update.parameter.name());
    return names;
  };
  BOOST_TEST(updated(nn::gradient_descent(loss)) == std::vector<std::string>{"used"}, boost::test_tools::per_element());
  BOOST_TEST(updated(nn::gradient_descent(loss, {.parameters = {used, unused, frozen}})) ==
                 (std::vector<std::string>{"used", "unused"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(errors_tell_what_an_optimiser_needs) {
  Graph g;
  const Tensor x = g.input("x", {2}), frozen = g.parameter("frozen", {2}, {}, {.trainable = false});
  const Tensor p = g.parameter("p", {2});
  const std::string file = "optimizers_test.cpp:";
  const std::string made = file + std::to_string(__LINE__ - 3);

  int line = __LINE__ + 1;
  const std::string vector = message_of([&] { (void)nn::adam(x); });
  BOOST_TEST(vector == file + std::to_string(line) + ": adam: the loss is not a scalar\n  loss \"x\"  f32[2]  input, " +
                           made + "\n  adam needs a scalar loss: reduce it with mean or sum");

  const std::string rule = "\n  an optimiser needs a parameter that is trainable and that the loss depends on";
  const Tensor total = sum(x * frozen).named("total");
  line = __LINE__ + 1;
  const std::string none = message_of([&] { (void)nn::nesterov(total); });
  BOOST_TEST(none == file + std::to_string(line) +
                         ": nesterov: there is no trainable parameter\n  loss \"total\"  f32[]  sum, " + file +
                         std::to_string(line - 2) + rule);

  const Tensor loss = sum(x * p);
  line = __LINE__ + 1;
  const std::string input = message_of([&] { (void)nn::adagrad(loss, {.parameters = {x}}); });
  BOOST_TEST(input == file + std::to_string(line) +
                          ": adagrad: \"x\" is not a parameter\n  parameters \"x\"  f32[2]  input, " + made + rule);

  Graph other;
  line = __LINE__ + 1;
  const std::string foreign = message_of([&] { (void)nn::rmsprop(loss, {.parameters = {other.parameter("p", {2})}}); });
  BOOST_TEST(foreign == file + std::to_string(line) +
                            ": rmsprop: one of the parameters is an empty Tensor or of another graph" + rule);

  line = __LINE__ + 1;
  const std::string value = message_of([&] { (void)nn::momentum(loss, {.clip_value = -1}); });
  BOOST_TEST(value ==
             file + std::to_string(line) +
                 ": momentum: clip_value is -1\n  clip_value and clip_global_norm are positive, or 0 for none");
  line = __LINE__ + 1;
  const std::string norm = message_of([&] { (void)nn::momentum(loss, {.clip_global_norm = -2}); });
  BOOST_TEST(norm ==
             file + std::to_string(line) +
                 ": momentum: clip_global_norm is -2\n  clip_value and clip_global_norm are positive, or 0 for none");

  line = __LINE__ + 1;
  const std::string empty = message_of([&] { (void)nn::adamw(Tensor()); });
  BOOST_TEST(
      empty ==
      file + std::to_string(line) +
          ": adamw: the loss is a number or an empty Tensor\n  adamw needs a scalar loss: reduce it with mean or sum");
}

BOOST_AUTO_TEST_SUITE_END()
