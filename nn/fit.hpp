// A training loop for those who do not want to write theirs:
//
//     nn::ProgressLine progress;
//     nn::fit(cores, state, train, loader, {.epochs = 5, .progress = &progress});
//
// It does nothing that the bare loop `for (const Batch& batch : loader) train.run(cores, state, batch);` could not do.
#pragma once

#include <gradloom/nn/batch_source.hpp>
#include <gradloom/runtime/callback.hpp>
#include <gradloom/runtime/program.hpp>

#include <cstdint>
#include <vector>

namespace gradloom::inline v0::nn {

/// What is told after every step.
struct StepReport {
  int epoch = 0;  ///< from 1
  int epochs = 0;
  int64_t step = 0;          ///< of this epoch, from 1
  int64_t steps = 0;         ///< of an epoch; 0 while that is not known
  double loss = 0;           ///< of this batch
  double mean_loss = 0;      ///< of this epoch so far
  int64_t examples = 0;      ///< of this epoch so far
  double seconds = 0;        ///< since this epoch began
  double seconds_left = -1;  ///< to the end of the last epoch; negative while that is not known
};

/// What is told after every epoch. Means are weighted by the sizes of the batches.
struct EpochReport {
  int epoch = 0;  ///< from 1
  int epochs = 0;
  double loss = 0;
  std::vector<double> metrics{};  ///< the means of the training Program's outputs after the loss
  bool validated = false;         ///< the next two are there
  double validation_loss = 0;
  std::vector<double> validation_metrics{};
  int64_t examples = 0;
  double seconds = 0;  ///< of training, without validation
};

/// Is shown how a training goes; fit() itself prints nothing. Called on fit()'s own thread, between runs. See
/// ProgressLine.
class GRADLOOM_API ProgressSink {
 public:
  virtual ~ProgressSink();
  virtual void show(const StepReport& report) = 0;
  virtual void show(const EpochReport& report) = 0;
};

enum class FitAction : uint8_t { proceed, stop };

/// Ends a training that no longer gets better, by the validation loss, or by the loss if nothing is validated.
struct EarlyStopping {
  int patience = 0;          ///< after so many epochs in a row without a better one; 0: never
  double min_delta = 0;      ///< better is less than the best so far minus this
  bool restore_best = true;  ///< leave the State as it was after the best epoch (all of it: slots and step too)
};

struct FitOptions {
  int epochs = 1;
  ProgressSink* progress = nullptr;
  Callback<FitAction(const StepReport&)> on_step{};    ///< after every step
  Callback<FitAction(const EpochReport&)> on_epoch{};  ///< after every epoch and its validation
  const Program* validation = nullptr;  ///< updates nothing; its outputs are those of the training Program
  BatchSource validation_batches{};
  EarlyStopping early_stopping{};
};

struct FitResult {
  std::vector<EpochReport> epochs{};  ///< of every epoch that was completed
  int best_epoch = 0;                 ///< the one with the lowest loss (as for early stopping), from 1; 0: all were nan
  bool stopped = false;               ///< before the last epoch, by a callback or by early stopping
};

/// Trains: runs `train` on every batch, `epochs` times. Its outputs are scalars: the loss first, then any metrics. A
/// batch's size is that of the first axis of its first Array. Throws Error if an output is no scalar, if an epoch has
/// no batches, and as Program::run does; the State then holds what the steps before it learned.
GRADLOOM_API FitResult fit(const Executor& executor, State& state, const Program& train, const BatchSource& batches,
                           const FitOptions& options = {});

/// The means of a Program's outputs, scalars all, over all batches, weighted by their sizes. Throws Error as fit()
/// does.
[[nodiscard]] GRADLOOM_API std::vector<double> evaluate(const Executor& executor, const State& state,
                                                        const Program& program, const BatchSource& batches);

}  // namespace gradloom::inline v0::nn
