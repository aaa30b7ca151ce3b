#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/fit.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/nn/progress_line.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <list>

using namespace gradloom;
using test::message_of;

namespace {

/// y = w x fitted to y = 2 x; outputs: the loss and w as it was before the step.
struct Line {
  Graph g;
  Tensor x = g.input("x", {"batch"}), y = g.input("y", {"batch"});
  Tensor w = g.parameter("w", {});
  Tensor loss = sum(square(w * x - y));
  Program train = compile({.outputs = {loss, w}, .updates = nn::momentum(loss, {.learning_rate = 0.01})});
  Program validation = compile({.outputs = {loss, w}, .mode = Mode::inference});
  Executor cores{{.threads = 1}};
  State state;
  std::vector<Batch> batches = {batch({1, 2}), batch({3}), batch({-1, 0.5f, 1})};

  static Batch batch(const std::vector<float>& x) {
    std::vector<float> y;
    for (const float value : x) y.push_back(2 * value);
    const int64_t sizes[] = {static_cast<int64_t>(x.size())};
    return {{"x", Array::from<float>(x, sizes)}, {"y", Array::from<float>(y, sizes)}};
  }
  float value_of_w() const { return state.get("w").item<float>(); }
};

/// Remembers everything it is shown.
struct Recorder final : nn::ProgressSink {
  std::vector<nn::StepReport> steps;
  std::vector<nn::EpochReport> epochs;

  void show(const nn::StepReport& report) override { steps.push_back(report); }
  void show(const nn::EpochReport& report) override { epochs.push_back(report); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_fit)

BOOST_AUTO_TEST_CASE(does_what_the_bare_loop_does) {
  Line fitted, bare;
  const nn::FitResult result = nn::fit(fitted.cores, fitted.state, fitted.train, fitted.batches, {.epochs = 3});
  double weighted = 0, w = 0;
  for (int epoch = 1; epoch <= 3; ++epoch) {
    weighted = w = 0;
    for (const Batch& batch : bare.batches) {
      const std::vector<Array> outputs = bare.train.run(bare.cores, bare.state, batch);
      const auto rows = static_cast<double>(batch["x"].size());
      weighted += rows * static_cast<double>(outputs[0].item<float>()) / 6;
      w += rows * static_cast<double>(outputs[1].item<float>()) / 6;
    }
  }
  BOOST_TEST(fitted.value_of_w() == bare.value_of_w());
  BOOST_TEST(result.epochs.size() == 3u);
  BOOST_TEST(result.best_epoch >= 1);
  BOOST_TEST(!result.stopped);
  BOOST_TEST(std::abs(result.epochs[2].loss - weighted) < 1e-12);
  BOOST_TEST(result.epochs[2].metrics.size() == 1u);
  BOOST_TEST(std::abs(result.epochs[2].metrics[0] - w) < 1e-12);
  BOOST_TEST(result.epochs[2].examples == 6);
}

BOOST_AUTO_TEST_CASE(the_sink_is_shown_every_step_and_epoch) {
  Line line;
  Recorder recorder;
  (void)nn::fit(line.cores, line.state, line.train, line.batches, {.epochs = 2, .progress = &recorder});
  BOOST_TEST(recorder.steps.size() == 6u);
  BOOST_TEST(recorder.epochs.size() == 2u);
  const nn::StepReport& step = recorder.steps[4];
  BOOST_TEST(step.epoch == 2);
  BOOST_TEST(step.epochs == 2);
  BOOST_TEST(step.step == 2);
  BOOST_TEST(step.steps == 3);
  BOOST_TEST(step.examples == 3);
  BOOST_TEST(std::abs(step.mean_loss - (2 * recorder.steps[3].loss + step.loss) / 3) < 1e-12);
  BOOST_TEST(step.seconds_left >= 0);
  BOOST_TEST(recorder.steps[5].seconds_left == 0);
}

BOOST_AUTO_TEST_CASE(any_range_of_batches_will_do) {
  Line line;
  Recorder recorder;
  struct Endless {  // a range that cannot tell its size
    const std::vector<Batch>& batches;
    auto begin() const { return batches.begin(); }
    auto end() const { return batches.end(); }
  };
  const Endless range{line.batches};
  (void)nn::fit(line.cores, line.state, line.train, range, {.epochs = 2, .progress = &recorder});
  BOOST_TEST(recorder.steps[0].steps == 0);
  BOOST_TEST(recorder.steps[0].seconds_left == -1);
  BOOST_TEST(recorder.steps[3].steps == 3);
  std::list<Batch> list(line.batches.begin(), line.batches.end());
  (void)nn::fit(line.cores, line.state, line.train, list);
  nn::BatchSource source = list;
  const nn::BatchSource copy = source;
  BOOST_TEST(copy.size() == 3);
}

BOOST_AUTO_TEST_CASE(callbacks_can_stop_within_and_after_an_epoch) {
  Line line;
  int steps = 0;
  const auto stop_in_epoch = [&](const nn::StepReport&) {
    return ++steps == 5 ? nn::FitAction::stop : nn::FitAction::proceed;
  };
  const nn::FitResult within =
      nn::fit(line.cores, line.state, line.train, line.batches, {.epochs = 9, .on_step = stop_in_epoch});
  BOOST_TEST(within.stopped);
  BOOST_TEST(within.epochs.size() == 1u);
  BOOST_TEST(steps == 5);
  BOOST_TEST(line.state.step() == 5);
  const auto stop_after_epoch = [](const nn::EpochReport& report) {
    return report.epoch == 2 ? nn::FitAction::stop : nn::FitAction::proceed;
  };
  const nn::FitResult after =
      nn::fit(line.cores, line.state, line.train, line.batches, {.epochs = 9, .on_epoch = stop_after_epoch});
  BOOST_TEST(after.stopped);
  BOOST_TEST(after.epochs.size() == 2u);
}

BOOST_AUTO_TEST_CASE(validation_is_measured_after_every_epoch_and_changes_nothing) {
  Line with, without;
  const std::vector<Batch> held_out = {Line::batch({1}), Line::batch({2, 3})};
  const nn::FitResult result = nn::fit(with.cores, with.state, with.train, with.batches,
                                       {.epochs = 2, .validation = &with.validation, .validation_batches = held_out});
  (void)nn::fit(without.cores, without.state, without.train, without.batches, {.epochs = 2});
  BOOST_TEST(with.value_of_w() == without.value_of_w());
  const double error = static_cast<double>(with.value_of_w()) - 2;
  BOOST_TEST(result.epochs[1].validated);
  BOOST_TEST(std::abs(result.epochs[1].validation_loss - error * error * (1 + 2 * 13) / 3) < 1e-4);
  BOOST_TEST(std::abs(result.epochs[1].validation_metrics.at(0) - with.value_of_w()) < 1e-6);
  const std::vector<double> again = nn::evaluate(with.cores, with.state, with.validation, held_out);
  BOOST_TEST(again.at(0) == result.epochs[1].validation_loss);
  BOOST_TEST(again.at(1) == result.epochs[1].validation_metrics[0]);
}

BOOST_AUTO_TEST_CASE(early_stopping_waits_and_restores_the_best_state) {
  // Momentum overshoots: the loss on x = 1 falls, then rises again.
  Line line;
  const std::vector<Batch> one = {Line::batch({1})};
  State best;
  double lowest = std::numeric_limits<double>::infinity();
  int best_epoch = 0;
  {
    Line scout;
    for (int epoch = 1; epoch <= 40; ++epoch) {
      (void)scout.train.run(scout.cores, scout.state, one[0]);
      const double loss = nn::evaluate(scout.cores, scout.state, scout.validation, one)[0];
      if (loss < lowest) {
        lowest = loss;
        best_epoch = epoch;
        best = scout.state;
      } else if (epoch - best_epoch == 3) {
        break;
      }
    }
  }
  const nn::FitResult result = nn::fit(
      line.cores, line.state, line.train, one,
      {.epochs = 40, .validation = &line.validation, .validation_batches = one, .early_stopping = {.patience = 3}});
  BOOST_TEST(result.stopped);
  BOOST_TEST(result.best_epoch == best_epoch);
  BOOST_TEST(result.epochs.size() == static_cast<size_t>(best_epoch) + 3);
  BOOST_TEST(line.state.step() == best.step());
  for (const std::string& name : best.names()) BOOST_TEST(same_bits(line.state.get(name), best.get(name)), name);

  Line impatient;  // nothing is better by 100
  const nn::FitResult early =
      nn::fit(impatient.cores, impatient.state, impatient.train, one,
              {.epochs = 40, .early_stopping = {.patience = 2, .min_delta = 100, .restore_best = false}});
  BOOST_TEST(early.epochs.size() == 3u);
  BOOST_TEST(early.best_epoch == 1);
  BOOST_TEST(impatient.state.step() == 3);
}

BOOST_AUTO_TEST_CASE(a_loss_that_is_nan_is_never_the_best) {
  Line line;
  const std::vector<Batch> nan = {Line::batch({std::numeric_limits<float>::quiet_NaN()})};
  const nn::FitResult all =
      nn::fit(line.cores, line.state, line.train, nan, {.epochs = 9, .early_stopping = {.patience = 2}});
  BOOST_TEST(all.best_epoch == 0);
  BOOST_TEST(all.epochs.size() == 2u);

  // The loss is nan in the first epoch only.
  Line other;
  int epoch = 0;
  std::vector<Batch> held_out = nan;
  const nn::FitResult later = nn::fit(other.cores, other.state, other.train, other.batches,
                                      {.epochs = 3,
                                       .on_epoch =
                                           [&](const nn::EpochReport&) {
                                             if (++epoch == 1) held_out[0] = Line::batch({1});
                                             return nn::FitAction::proceed;
                                           },
                                       .validation = &other.validation,
                                       .validation_batches = held_out,
                                       .early_stopping = {.patience = 3}});
  BOOST_TEST(later.best_epoch > 1);
}

BOOST_AUTO_TEST_CASE(errors_tell_what_fit_needs) {
  Line line;
  const std::vector<Batch> none;
  BOOST_TEST(message_of([&] { (void)nn::fit(line.cores, line.state, line.train, none); }) ==
             "fit: there are no batches\n  an epoch has at least one batch");
  BOOST_TEST(message_of([&] { (void)nn::evaluate(line.cores, line.state, line.validation, none); }) ==
             "fit: there are no batches\n  an epoch has at least one batch");
  const Program vector = compile({.outputs = {line.loss, line.w * line.x}});
  BOOST_TEST(message_of([&] { (void)nn::fit(line.cores, line.state, vector, line.batches); }) ==
             "fit: output 1 of the Program is f32[2], not a scalar of f32, f64 or i64\n"
             "  fit and evaluate need Programs of scalars: the loss first, then metrics");
  const Program silent = compile({.updates = {{line.w, line.w + 1}}});
  BOOST_TEST(message_of([&] { (void)nn::fit(line.cores, line.state, silent, line.batches); }) ==
             "fit: the Program has no outputs\n  output 0 is the loss");
}

BOOST_AUTO_TEST_SUITE_END()
