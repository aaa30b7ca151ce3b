#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/nn/dense.hpp>
#include <gradloom/nn/layer.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

namespace {

const nn::Layer twice = [](const Tensor& x) { return 2 * x; };
const nn::Layer plus_one = [](const Tensor& x) { return x + 1; };

std::vector<std::string> parameter_names(const Graph& g) {
  std::vector<std::string> names;
  for (const Tensor& parameter : g.parameters()) names.push_back(parameter.name());
  return names;
}

/// The layer applied to [1, 2].
std::vector<float> of_1_2(const nn::Layer& layer) {
  Graph g;
  return evaluate({layer(g.input("x", {2}))}, {{"x", Values::of<float>({2}, {1, 2})}})[0].as<float>();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_layer)

BOOST_AUTO_TEST_CASE(layers_compose) {
  using Floats = std::vector<float>;
  BOOST_TEST((of_1_2(nn::sequential({twice, plus_one})) == Floats{3, 5}));
  BOOST_TEST((of_1_2(nn::sequential({})) == Floats{1, 2}));
  BOOST_TEST((of_1_2(nn::residual(plus_one)) == Floats{3, 5}));
  BOOST_TEST((of_1_2(nn::residual(plus_one, {.shortcut = {twice, twice}})) == Floats{6, 11}));
  BOOST_TEST((of_1_2(nn::parallel({twice, plus_one, nn::sequential({})})) == Floats{2, 4, 2, 3, 1, 2}));
}

BOOST_AUTO_TEST_CASE(names_are_scopes) {
  Graph g;
  const nn::Layer branch = nn::sequential({nn::Dense(3), nn::Dense(3, {.name = "last"})}, {.name = "branch"});
  const nn::Layer net = nn::sequential({nn::Dense(3), nn::residual(branch, {.name = "block"}), nn::Dense(1)});
  (void)net(g.input("x", {"batch", 4}));
  const std::vector<std::string> expected = {"dense_1/weight",
                                             "dense_1/bias",
                                             "block/branch/dense_1/weight",
                                             "block/branch/dense_1/bias",
                                             "block/branch/last/weight",
                                             "block/branch/last/bias",
                                             "dense_2/weight",
                                             "dense_2/bias"};
  BOOST_TEST(parameter_names(g) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(copies_share_their_weights) {
  Graph g;
  const Tensor x = g.input("x", {"batch", 4});
  const nn::Layer dense = nn::Dense(4), copy = dense;
  const Tensor y = nn::sequential({dense, dense})(x);
  BOOST_TEST(g.parameters().size() == 2u);
  (void)nn::parallel({copy, dense})(y);
  BOOST_TEST(g.parameters().size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_scope_can_be_frozen_or_trained_alone) {
  Graph g;
  const Tensor x = g.input("x", {"batch", 4});
  const Tensor h = nn::sequential({nn::Dense(3)}, {.name = "encoder"})(x);
  const Tensor loss = nn::mse(nn::dense(h, 4), x);
  const std::vector<Tensor> encoder = nn::parameters_under(g, "encoder");
  BOOST_TEST(encoder.size() == 2u);
  BOOST_TEST(nn::parameters_under(g, "").size() == 4u);

  const auto updated = [](const std::vector<Update>& updates) {
    std::vector<std::string> names;
    for (const Update& update : updates) names.push_back(update.parameter.name());
    return names;
  };
  const std::vector<std::string> head = {"dense_1/weight", "dense_1/bias"};
  BOOST_TEST(updated(nn::gradient_descent(loss, {.groups = {{.parameters = encoder, .learning_rate = 0}}})) == head,
             boost::test_tools::per_element());
  BOOST_TEST(updated(nn::gradient_descent(loss, {.parameters = nn::parameters_under(g, "dense_1")})) == head,
             boost::test_tools::per_element());
  (void)nn::adam(loss, {.groups = {{.parameters = encoder, .learning_rate = 0}}});
  for (const std::string& name : parameter_names(g)) BOOST_TEST(name.find("adam/encoder") == std::string::npos, name);
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  const std::string file = "layer_test.cpp:";
  Graph g;
  const Tensor scalar = g.input("scalar", {});
  const nn::Layer net = nn::sequential({twice, nn::Dense(3)});
  int line = __LINE__ + 1;
  const std::string inside = message_of([&] { (void)net(scalar); });
  BOOST_TEST(inside.starts_with(file + std::to_string(line) + ": dense: x is a scalar\n"), inside);
  line = __LINE__ + 1;
  const std::string none = message_of([&] { (void)nn::parallel({}); });
  BOOST_TEST(none ==
             file + std::to_string(line) + ": parallel: there are no branches\n  parallel needs at least one branch");
  line = __LINE__ + 1;
  const std::string scope = message_of([&] { (void)nn::parameters_under(g, "encoder"); });
  BOOST_TEST(scope == file + std::to_string(line) +
                          ": parameters_under: no trainable parameter is under \"encoder\"\n"
                          "  a scope is the beginning of parameters' names, without the last \"/\"");
}

BOOST_AUTO_TEST_SUITE_END()
