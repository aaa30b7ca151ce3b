#pragma once

#include <gradloom/nn/fit.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace gradloom::inline v0::nn {

struct ProgressLineOptions {
  std::FILE* out = stdout;
  std::string examples = "examples";   ///< what is counted per second: "images"
  std::vector<std::string> metrics{};  ///< names of the Program's outputs after the loss
  enum class Rewrite : uint8_t { on_terminals, always, never } rewrite = Rewrite::on_terminals;
  double interval = 0.1;  ///< seconds between two versions of the line
};

/// Prints how a training goes. On a terminal one line is rewritten in place, at most ten times a second,
///
///     epoch 2/5  step 312/469  loss 0.3127  48210 images/s  0:23 left
///
/// and each epoch leaves one line behind; into a file go only these:
///
///     epoch 2/5  loss 0.3012  accuracy 0.8921  validation loss 0.3421  validation accuracy 0.8790  1.2 s  48210 img/s
class GRADLOOM_API ProgressLine final : public ProgressSink {
 public:
  explicit ProgressLine(ProgressLineOptions options = {});

  void show(const StepReport& report) override;
  void show(const EpochReport& report) override;

 private:
  ProgressLineOptions options_;
  bool rewrite_ = false;
  double next_ = 0;  // when the line may be printed again, by a clock that only grows
};

}  // namespace gradloom::inline v0::nn
