#include <gradloom/graph/error.hpp>
#include <gradloom/nn/fit.hpp>
#include <gradloom/nn/metrics.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cmath>
#include <utility>

namespace gradloom::inline v0::nn {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

int64_t examples_in(const Batch& batch) {
  for (const auto& [name, array] : batch) {
    if (array.rank() > 0) return array.sizes()[0];
  }
  return 1;
}

std::string type_of(const Array& array) {
  return fmt::format("{}[{}]", to_string(array.dtype()), fmt::join(array.sizes(), ", "));
}

double scalar(const Array& output, size_t i) {
  if (output.size() == 1) {
    switch (output.dtype()) {
      case DType::f32:
        return static_cast<double>(output.item<float>());
      case DType::f64:
        return output.item<double>();
      case DType::i64:
        return static_cast<double>(output.item<int64_t>());
      default:
        break;
    }
  }
  throw Error(
      {.problem = fmt::format("output {} of the Program is {}, not a scalar of f32, f64 or i64", i, type_of(output)),
       .op = "fit",
       .rule = "fit and evaluate need Programs of scalars: the loss first, then metrics"});
}

/// A Program's outputs, averaged over the batches of an epoch.
class Averages {
 public:
  explicit Averages(const Program& program) : program_(program) {}

  /// Returns output 0.
  template <class StateT>
  double run(const Executor& executor, StateT& state, const Batch& batch) {
    if (outputs_.empty()) {
      outputs_ = program_.run(executor, state, batch);
      if (outputs_.empty())
        throw Error({.problem = "the Program has no outputs", .op = "fit", .rule = "output 0 is the loss"});
      means_.resize(outputs_.size());
    } else {
      program_.run(executor, state, batch, std::span<Array>(outputs_));
    }
    const int64_t examples = examples_in(batch);
    examples_ += examples;
    ++steps_;
    for (size_t i = 0; i < outputs_.size(); ++i) means_[i].add(scalar(outputs_[i], i), static_cast<double>(examples));
    return scalar(outputs_[0], 0);
  }

  int64_t examples() const { return examples_; }
  int64_t steps() const { return steps_; }
  double loss() const { return means_.at(0).value(); }
  std::vector<double> metrics() const {
    std::vector<double> values;
    for (size_t i = 1; i < means_.size(); ++i) values.push_back(means_[i].value());
    return values;
  }
  void require_batches() const {
    if (steps_ > 0) return;
    throw Error({.problem = "there are no batches", .op = "fit", .rule = "an epoch has at least one batch"});
  }

 private:
  const Program& program_;
  std::vector<Array> outputs_;
  std::vector<RunningMean> means_;
  int64_t examples_ = 0;
  int64_t steps_ = 0;
};

Averages averages(const Executor& executor, const State& state, const Program& program, const BatchSource& batches) {
  Averages run(program);
  batches.visit([&](const Batch& batch) {
    (void)run.run(executor, state, batch);
    return true;
  });
  run.require_batches();
  return run;
}

class Fit {
 public:
  Fit(const Executor& executor, State& state, const Program& train, const BatchSource& batches,
      const FitOptions& options)
      : executor_(executor),
        state_(state),
        train_(train),
        batches_(batches),
        options_(options),
        steps_(batches.size()) {}

  FitResult run() {
    State best;
    int epochs_since_best = 0;
    double best_loss = 0;
    const EarlyStopping& early = options_.early_stopping;
    for (int epoch = 1; epoch <= options_.epochs && !result_.stopped; ++epoch) {
      const bool complete = run_epoch(epoch);
      if (!complete) break;
      const EpochReport& report = result_.epochs.back();
      const double loss = report.validated ? report.validation_loss : report.loss;
      const bool better = result_.best_epoch == 0 ? !std::isnan(loss) : loss < best_loss - early.min_delta;
      if (better) {
        result_.best_epoch = epoch;
        best_loss = loss;
        epochs_since_best = 0;
        if (early.patience > 0 && early.restore_best) best = state_;
      } else if (++epochs_since_best == early.patience) {
        result_.stopped = true;
      }
      if (tell(report, options_.on_epoch) == FitAction::stop) result_.stopped = true;
    }
    if (result_.best_epoch > 0 && early.patience > 0 && early.restore_best) state_ = std::move(best);
    return std::move(result_);
  }

 private:
  /// Returns whether the epoch was completed; if so, its report is in the result.
  bool run_epoch(int epoch) {
    const Clock::time_point begin = Clock::now();
    Averages training(train_);
    bool stopped = false;
    batches_.visit([&](const Batch& batch) {
      StepReport report{.epoch = epoch, .epochs = options_.epochs};
      report.loss = training.run(executor_, state_, batch);
      report.step = training.steps();
      report.steps = steps_;
      report.mean_loss = training.loss();
      report.examples = training.examples();
      report.seconds = seconds_since(begin);
      if (steps_ > 0) {
        const auto done = static_cast<double>((epoch - 1) * steps_ + report.step);
        const auto all = static_cast<double>(options_.epochs * steps_);
        report.seconds_left = seconds_since(begin_) / done * (all - done);
      }
      stopped = tell(report, options_.on_step) == FitAction::stop;
      return !stopped;
    });
    result_.stopped = stopped;
    if (stopped) return false;
    training.require_batches();
    steps_ = training.steps();

    EpochReport report{
        .epoch = epoch, .epochs = options_.epochs, .loss = training.loss(), .metrics = training.metrics()};
    report.examples = training.examples();
    report.seconds = seconds_since(begin);
    if (options_.validation != nullptr) {
      const Averages validation =
          averages(executor_, std::as_const(state_), *options_.validation, options_.validation_batches);
      report.validated = true;
      report.validation_loss = validation.loss();
      report.validation_metrics = validation.metrics();
    }
    result_.epochs.push_back(std::move(report));
    return true;
  }

  template <class Report>
  FitAction tell(const Report& report, const Callback<FitAction(const Report&)>& callback) const {
    if (options_.progress != nullptr) options_.progress->show(report);
    return callback ? callback(report) : FitAction::proceed;
  }

  const Executor& executor_;
  State& state_;
  const Program& train_;
  const BatchSource& batches_;
  const FitOptions& options_;
  const Clock::time_point begin_ = Clock::now();
  int64_t steps_;  // of an epoch; 0 while unknown
  FitResult result_;
};

}  // namespace

ProgressSink::~ProgressSink() = default;

FitResult fit(const Executor& executor, State& state, const Program& train, const BatchSource& batches,
              const FitOptions& options) {
  return Fit(executor, state, train, batches, options).run();
}

std::vector<double> evaluate(const Executor& executor, const State& state, const Program& program,
                             const BatchSource& batches) {
  const Averages run = averages(executor, state, program, batches);
  std::vector<double> values = run.metrics();
  values.insert(values.begin(), run.loss());
  return values;
}

}  // namespace gradloom::inline v0::nn
