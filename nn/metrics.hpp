// What is watched beside the loss.
#pragma once

#include <gradloom/graph/tensor.hpp>
#include <gradloom/runtime/array.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gradloom::inline v0::nn {

/// The share of rows whose highest score is that of the label, an f32 scalar. Scores [..., classes], labels: integers
/// [...]. Throws Error if the shapes do not fit. Of equal scores the first counts; no gradient flows through it.
[[nodiscard]] GRADLOOM_API Tensor accuracy(const Operand& scores, const Tensor& labels);

/// How often each class was taken for each other one.
class GRADLOOM_API ConfusionMatrix {
 public:
  /// Throws Error unless `classes` is positive.
  explicit ConfusionMatrix(int64_t classes);

  /// Counts predictions: two integer Arrays with the same number of elements, class numbers. Throws Error, and counts
  /// nothing, for another dtype, for different numbers of elements and for a class out of range.
  void add(const Array& labels, const Array& predictions);

  /// How many examples of class `label` were taken for class `prediction`. Throws Error if one is out of range.
  [[nodiscard]] int64_t count(int64_t label, int64_t prediction) const;
  /// The share of examples on the diagonal; nan if nothing was counted.
  [[nodiscard]] double accuracy() const;
  /// A table with a row per label and a column per prediction, headed by `names` (else by numbers). Throws Error if
  /// their number is not that of the classes.
  [[nodiscard]] std::string to_string(std::span<const std::string> names = {}) const;

 private:
  int64_t classes_;
  std::vector<int64_t> counts_;  // row-major: labels by predictions
};

/// The weighted mean of values that come one by one, such as the losses of batches, weighted by their sizes.
class RunningMean {
 public:
  void add(double value, double weight = 1) {
    weight_ += weight;
    // Welford's form: no large sum, in which late values would be rounded away.
    if (weight_ != 0) mean_ += (value - mean_) * (weight / weight_);
  }
  /// The mean so far; 0 if there is none.
  [[nodiscard]] double value() const { return mean_; }
  [[nodiscard]] double weight() const { return weight_; }

 private:
  double mean_ = 0;
  double weight_ = 0;
};

}  // namespace gradloom::inline v0::nn
