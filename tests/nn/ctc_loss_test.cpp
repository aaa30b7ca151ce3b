// Against the definition: every path through the classes is listed, and the probabilities of those that collapse to the
// labelling are added in doubles.
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/ctc_loss.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <random>

using namespace gradloom;
using nn::Reduction;
using test::message_without_lines_of;
using test::named_message_of;

namespace {

using Vector = std::vector<double>;
using Labels = std::vector<int32_t>;

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Logits [time, batch, classes] of one kind of numbers.
Array random_logits(int64_t time, int64_t batch, int64_t classes, uint64_t seed = 1) {
  const Array array({time, batch, classes}, DType::f64);
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal(0, 2);
  for (double& x : array.data<double>()) x = normal(engine);
  return array;
}

/// The probability of every labelling of the first `steps` steps of one sequence, blank and all by the definition.
std::map<Labels, double> probabilities(const Array& logits, int64_t sequence, int64_t steps, int32_t blank) {
  const int64_t classes = logits.sizes()[2];
  std::map<Labels, double> found;
  Labels path(static_cast<size_t>(steps), 0);
  while (true) {
    double p = 1;
    Labels labels;
    for (int64_t t = 0; t < steps; ++t) {
      const int32_t here = path[static_cast<size_t>(t)];
      double total = 0;
      for (int64_t k = 0; k < classes; ++k) total += std::exp(logits.at<double>({t, sequence, k}));
      p *= std::exp(logits.at<double>({t, sequence, here})) / total;
      if (here != blank && (t == 0 || path[static_cast<size_t>(t - 1)] != here)) labels.push_back(here);
    }
    found[labels] += p;
    size_t t = 0;
    while (t < path.size() && ++path[t] == classes) path[t++] = 0;
    if (t == path.size()) return found;
  }
}

struct Sequence {
  Labels labels;
  int64_t steps = 0;
};

/// The batch's labels [batch, max_length], with what is no class behind them, and its lengths.
struct Target {
  Array labels, steps, letters;

  Target(const std::vector<Sequence>& batch, int64_t max_length, DType dtype = DType::i32) {
    std::vector<int64_t> all, input_lengths, label_lengths;
    for (const Sequence& sequence : batch) {
      const auto count = static_cast<int64_t>(sequence.labels.size());
      all.insert(all.end(), sequence.labels.begin(), sequence.labels.end());
      for (int64_t i = count; i < max_length; ++i) all.push_back(i % 2 == 0 ? -7 : 1000);
      input_lengths.push_back(sequence.steps);
      label_lengths.push_back(count);
    }
    const auto sequences = static_cast<int64_t>(batch.size());
    const auto array = [&](const std::vector<int64_t>& values, std::initializer_list<int64_t> sizes) {
      return dtype == DType::i64 ? Array::from<int64_t>(values, sizes)
                                 : Array::from<int32_t>(std::vector<int32_t>(values.begin(), values.end()), sizes);
    };
    labels = array(all, {sequences, max_length});
    steps = array(input_lengths, {sequences});
    letters = array(label_lengths, {sequences});
  }
};

struct Losses {
  Vector losses, slopes;
};

/// The losses of the single sequences and the gradient of their sum.
Losses run(const Array& logits, const Target& target, nn::CtcOptions options = {}) {
  Graph g;
  const auto input = [&](const char* name, const Array& value) {
    return g.input(name, Shape(std::span<const int64_t>(value.sizes())), value.dtype());
  };
  const Tensor x = input("logits", logits);
  options.reduction = Reduction::none;
  const Tensor loss = nn::ctc_loss(x, input("labels", target.labels), input("steps", target.steps),
                                   input("letters", target.letters), options);
  const Program program = compile({.outputs = {cast(loss, DType::f64), cast(gradient(sum(loss), x), DType::f64)}});
  State state;
  const std::vector<Array> results = program.run(
      state, {{"logits", logits}, {"labels", target.labels}, {"steps", target.steps}, {"letters", target.letters}});
  return {results[0].to_vector<double>(), results[1].to_vector<double>()};
}

void check_close(double got, double expected) {
  BOOST_TEST((got == expected || std::abs(got - expected) <= 1e-12 * (1 + std::abs(expected))),
             got << " instead of " << expected);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_ctc_loss)

// Labellings of every kind: of none and of as many as fit, with and without repetitions, and those that do not fit.
BOOST_AUTO_TEST_CASE(it_is_the_sum_over_all_paths) {
  const std::vector<Labels> labellings = {{},        {1},       {0},       {1, 0},       {1, 1},         {0, 0},
                                          {1, 0, 1}, {1, 1, 0}, {0, 0, 0}, {1, 0, 0, 1}, {1, 0, 1, 0, 1}};
  for (const int32_t blank : {0, 1, 2}) {
    std::vector<Sequence> batch;
    for (int64_t steps = 0; steps <= 5; ++steps) {
      for (const Labels& labelling : labellings) {
        Sequence sequence{labelling, steps};
        for (int32_t& label : sequence.labels) label = (blank + 1 + label) % 3;  // the two classes that are no blank
        batch.push_back(std::move(sequence));
      }
    }
    const Array logits = random_logits(5, static_cast<int64_t>(batch.size()), 3);
    for (const DType dtype : {DType::i32, DType::i64}) {
      const Losses got = run(logits, Target(batch, 6, dtype), {.blank = blank});
      for (size_t b = 0; b < batch.size(); ++b) {
        BOOST_TEST_CONTEXT("blank " << blank << ", sequence " << b) {
          const auto all = probabilities(logits, static_cast<int64_t>(b), batch[b].steps, blank);
          const auto found = all.find(batch[b].labels);
          check_close(got.losses[b], found == all.end() ? infinity : -std::log(found->second));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(labellings_share_all_of_the_probability) {
  constexpr int64_t steps = 4;
  const Array one = random_logits(steps, 1, 4, 3);
  std::vector<Sequence> batch;
  std::vector<double> expected;
  for (const auto& [labels, p] : probabilities(one, 0, steps, 0)) batch.push_back({labels, steps});
  const auto count = static_cast<int64_t>(batch.size());
  const Array logits({steps, count, 4}, DType::f64);
  for (int64_t t = 0; t < steps; ++t) {
    for (int64_t b = 0; b < count; ++b) {
      for (int64_t k = 0; k < 4; ++k) logits.at<double>({t, b, k}) = one.at<double>({t, 0, k});
    }
  }
  double total = 0;
  for (const double loss : run(logits, Target(batch, steps)).losses) total += std::exp(-loss);
  check_close(total, 1);
  BOOST_TEST(count == 61);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_has_an_infinite_loss_and_no_gradient) {
  // Too many labels, no step for a blank between equal ones, a blank for a label, and one that can be.
  const std::vector<Sequence> batch = {{{1, 2, 1, 2}, 3}, {{1, 1}, 2}, {{1, 0}, 3}, {{1, 2}, 3}};
  const Array logits = random_logits(3, 4, 3);
  const Losses plain = run(logits, Target(batch, 4)), zero = run(logits, Target(batch, 4), {.zero_infinity = true});
  for (size_t b = 0; b < 3; ++b) {
    BOOST_TEST(plain.losses[b] == infinity);
    BOOST_TEST(zero.losses[b] == 0);
  }
  BOOST_TEST(std::isfinite(plain.losses[3]));
  BOOST_TEST(plain.losses[3] == zero.losses[3]);
  for (const Losses& of : {plain, zero}) {
    for (size_t i = 0; i < of.slopes.size(); ++i) {
      const bool possible = i / 3 % 4 == 3;
      BOOST_TEST((possible ? of.slopes[i] != 0 && std::isfinite(of.slopes[i]) : of.slopes[i] == 0), i);
    }
  }
}

BOOST_AUTO_TEST_CASE(steps_beyond_a_sequence_are_not_looked_at) {
  const Target target({{{1, 2}, 3}, {{}, 0}}, 2);
  const Array logits = random_logits(5, 2, 3);
  const Losses clean = run(logits, target);
  for (int64_t t = 0; t < 5; ++t) {
    for (int64_t k = 0; k < 3; ++k) {
      if (t >= 3) logits.at<double>({t, 0, k}) = std::numeric_limits<double>::quiet_NaN();
      logits.at<double>({t, 1, k}) = infinity;
    }
  }
  const Losses got = run(logits, target);
  BOOST_TEST(got.losses == clean.losses);
  BOOST_TEST(got.losses[1] == 0);
  BOOST_TEST(got.slopes == clean.slopes);
}

// A slope is the softmax less the share of the paths that go through a class (eq. 16), so they add up to 0.
BOOST_AUTO_TEST_CASE(slopes_of_long_sequences_and_large_logits_are_finite) {
  for (const double scale : {1.0, 1000.0}) {
    const Array logits({400, 1, 5}, DType::f32);
    std::mt19937_64 engine(2);
    std::uniform_real_distribution<double> in(-1, 1);
    for (float& x : logits.data<float>()) x = static_cast<float>(scale * in(engine));
    Sequence sequence{{}, 400};
    for (int i = 0; i < 120; ++i) sequence.labels.push_back(1 + i * i % 4);
    const Losses got = run(logits, Target({sequence}, 120));
    BOOST_TEST((got.losses[0] > 100 && std::isfinite(got.losses[0])), got.losses[0]);
    for (size_t t = 0; t < 400; ++t) {
      double total = 0;
      for (size_t k = 0; k < 5; ++k) total += got.slopes[5 * t + k];
      BOOST_TEST(std::abs(total) < 1e-4, "the slopes of step " << t << " add up to " << total);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_class_that_is_ruled_out) {
  const Array logits = random_logits(3, 2, 3);
  for (int64_t t = 0; t < 3; ++t) {
    for (int64_t b = 0; b < 2; ++b) logits.at<double>({t, b, 2}) = -infinity;
  }
  const Losses got = run(logits, Target({{{1}, 3}, {{2}, 3}}, 1));
  check_close(got.losses[0], -std::log(probabilities(logits, 0, 3, 0).at({1})));
  BOOST_TEST(got.losses[1] == infinity);
  for (const double slope : got.slopes) BOOST_TEST(std::isfinite(slope));
}

BOOST_AUTO_TEST_CASE(reductions_and_weights) {
  const std::vector<Sequence> batch = {{{1, 2}, 4}, {{2}, 3}, {{}, 4}};
  const Array logits = random_logits(4, 3, 3), weights = Array::from<double>({0.5, 2, 1});
  const Target target(batch, 2);
  const Vector losses = run(logits, target).losses;
  Graph g;
  const Tensor x = g.input("logits", {"time", "batch", 3}, DType::f64);
  const Tensor labels = g.input("labels", {"batch", "length"}, DType::i32);
  const Tensor steps = g.input("steps", {"batch"}, DType::i32), letters = g.input("letters", {"batch"}, DType::i32);
  const Tensor weight = g.input("weight", {"batch"}, DType::f64);
  const auto loss = [&](Reduction reduction, const Tensor& of_samples) {
    return nn::ctc_loss(x, labels, steps, letters, {.reduction = reduction, .sample_weight = of_samples});
  };
  State state;
  const std::vector<Array> got =
      compile({.outputs = {loss(Reduction::mean, {}), loss(Reduction::sum, {}), loss(Reduction::mean, weight)}})
          .run(state, {{"logits", logits},
                       {"labels", target.labels},
                       {"steps", target.steps},
                       {"letters", target.letters},
                       {"weight", weights}});
  check_close(got[0].item<double>(), (losses[0] + losses[1] + losses[2]) / 3);
  check_close(got[1].item<double>(), losses[0] + losses[1] + losses[2]);
  check_close(got[2].item<double>(), (0.5 * losses[0] + 2 * losses[1] + losses[2]) / 3.5);
}

BOOST_AUTO_TEST_CASE(no_labels_no_steps_and_no_sequences) {
  const Array logits = random_logits(3, 2, 3);
  const Vector losses = run(logits, Target({{{}, 3}, {{}, 0}}, 0)).losses;
  check_close(losses[0], -std::log(probabilities(logits, 0, 3, 0).at({})));
  BOOST_TEST(losses[1] == 0);
  BOOST_TEST(run(random_logits(0, 2, 3), Target({{{}, 0}, {{1}, 0}}, 1)).losses == (Vector{0, infinity}));
  BOOST_TEST(run(random_logits(3, 0, 3), Target({}, 2)).losses.empty());
}

BOOST_AUTO_TEST_CASE(gradients_of_first_and_second_order) {
  const Target target({{{1, 1, 2}, 5}, {{2}, 4}, {{}, 5}, {{1, 1, 1}, 4}}, 3);
  const GradcheckReport report = gradcheck(
      [](auto v) {
        return nn::ctc_loss(v[0], v[1], v[2], v[3], {.reduction = Reduction::none, .zero_infinity = true});
      },
      {random_logits(5, 4, 3), target.labels, target.steps, target.letters});
  BOOST_TEST(report.passed, report.message);
}

BOOST_AUTO_TEST_CASE(it_learns_a_labelling) {
  Graph g;
  const Tensor x = g.parameter("x", {12, 1, 4}, {});
  const Tensor labels = g.input("labels", {1, 3}, DType::i32), steps = g.input("steps", {1}, DType::i32),
               letters = g.input("letters", {1}, DType::i32);
  const Tensor loss = nn::ctc_loss(x, labels, steps, letters);
  const Program train = compile({.outputs = {loss, x}, .updates = nn::adam(loss, {.learning_rate = 0.1})});
  State state;
  const Target target({{{3, 1, 1}, 12}}, 3);
  const Batch batch = {{"labels", target.labels}, {"steps", target.steps}, {"letters", target.letters}};
  std::vector<Array> result;
  for (int step = 0; step < 150; ++step) result = train.run(state, batch);
  BOOST_TEST(result[0].item<float>() < 0.05F);
  Labels read;  // the best path, collapsed
  int64_t before = 0;
  for (int64_t t = 0; t < 12; ++t) {
    int64_t best = 0;
    for (int64_t k = 1; k < 4; ++k)
      best = result[1].at<float>({t, 0, k}) > result[1].at<float>({t, 0, best}) ? k : best;
    if (best != 0 && best != before) read.push_back(static_cast<int32_t>(best));
    before = best;
  }
  BOOST_TEST(read == (Labels{3, 1, 1}));
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  const std::string rule =
      "\n  ctc_loss needs logits [time, batch, classes], and as i32 or i64 labels [batch, max_length], input_lengths "
      "[batch] and label_lengths [batch]";
  Graph g, other;
  const auto input = [&](const char* name, const Shape& shape, DType dtype) { return g.input(name, shape, dtype); };
  const int made = __LINE__ - 1;
  const Tensor x = input("x", {"time", 2, 3}, DType::f32), matrix = input("matrix", {2, 3}, DType::f32),
               any = input("any", {"time", 2, "n"}, DType::f32), labels = input("labels", {2, 4}, DType::i32),
               lengths = input("lengths", {2}, DType::i64), floats = input("floats", {2}, DType::f32),
               three = input("three", {3}, DType::i32), foreign = other.input("foreign", {2}, DType::i32);
  const auto check = [&](const Tensor& logits, const std::array<Tensor, 3>& of, int64_t blank,
                         const std::string& expected) {
    const std::string got =
        named_message_of([&] { (void)nn::ctc_loss(logits, of[0], of[1], of[2], {.blank = blank}); }, {{"made", made}});
    BOOST_TEST(got == "<here>: ctc_loss: " + expected);
  };
  check(matrix, {labels, lengths, lengths}, 0,
        "logits have 2 axes\n  logits \"matrix\"  f32[2, 3]  input, <made>" + rule);
  check(any, {labels, lengths, lengths}, 0,
        "the number of classes, n, is not known\n  logits \"any\"  f32[time, 2, n]  input, <made>" + rule);
  for (const int64_t blank : {-1, 3}) {
    check(x, {labels, lengths, lengths}, blank,
          "blank is " + std::to_string(blank) +
              ", of 3 classes\n  logits \"x\"  f32[time, 2, 3]  input, <made>\n"
              "  blank is one of the classes, counted from 0");
  }
  check(x, {Tensor(), lengths, lengths}, 0, "labels is an empty Tensor or of another graph" + rule);
  check(x, {labels, lengths, foreign}, 0, "label_lengths is an empty Tensor or of another graph" + rule);
  check(x, {labels, floats, lengths}, 0,
        "input_lengths are f32\n  logits \"x\"              f32[time, 2, 3]  input, <made>\n"
        "  input_lengths \"floats\"  f32[2]           input, <made>" +
            rule);
  check(x, {labels, lengths, three}, 0,
        "label_lengths [3] do not fit logits [time, 2, 3]\n  logits \"x\"             f32[time, 2, 3]  input, <made>\n"
        "  label_lengths \"three\"  i32[3]           input, <made>" +
            rule);
  check(x, {lengths, lengths, lengths}, 0,
        "labels [2] do not fit logits [time, 2, 3]\n  logits \"x\"        f32[time, 2, 3]  input, <made>\n"
        "  labels \"lengths\"  i64[2]           input, <made>" +
            rule);
}

BOOST_AUTO_TEST_CASE(a_run_refuses_numbers_out_of_range) {
  const Array logits = random_logits(4, 2, 3);
  const auto check = [&](const Target& target, const std::string& problem) {
    const std::string got = message_without_lines_of([&] { (void)run(logits, target); });
    BOOST_TEST(got.starts_with("ctc_loss_test.cpp: gather: " + problem + "\n"), got);
  };
  check(Target({{{1, 2}, 4}, {{1, 3}, 4}}, 3), "indices[1, 1] is 3, but axis 0 of x has size 3");
  check(Target({{{1, 2}, 4}, {{-1, 2}, 4}}, 3), "indices[1, 0] is -1, but axis 0 of x has size 3");
  check(Target({{{1, 2}, 4}, {{1, 2}, 5}}, 3), "indices[1] is 5, but axis 0 of x has size 5");
  Target target({{{1, 2}, 4}, {{1, 2}, 4}}, 3);
  target.letters.at<int32_t>({1}) = 4;
  check(target, "indices[1] is 4, but axis 0 of x has size 4");
}

BOOST_AUTO_TEST_SUITE_END()
