#pragma once

#include <gradloom/graph/tensor.hpp>

#include <cstdint>
#include <string>

namespace gradloom::inline v0::nn {

struct GroupNormOptions {
  double epsilon = 1e-5;
  bool trainable = true;
  std::string name{};  ///< the scope of its parameters; empty: "group_norm_1", "instance_norm_1", ...
};

/// gradloom::group_norm with parameters of its own, which the first call makes: "group_norm_1/gain" [channels], of
/// ones, and "/bias", of zeros. Every call uses the same ones. Groups of 0 mean one for each channel: instance
/// normalisation.
class GRADLOOM_API GroupNorm {
 public:
  explicit GroupNorm(int64_t groups, GroupNormOptions options = {});

  /// Throws Error as gradloom::group_norm does.
  Tensor operator()(const Operand& x);

  /// Empty Tensors before the first call.
  [[nodiscard]] const Tensor& gain() const { return gain_; }
  [[nodiscard]] const Tensor& bias() const { return bias_; }

 private:
  int64_t groups_;
  GroupNormOptions options_;
  Tensor gain_, bias_;
};

/// A fresh layer applied to x. Errors as those of GroupNorm.
[[nodiscard]] GRADLOOM_API Tensor group_norm(const Operand& x, int64_t groups, GroupNormOptions options = {});
[[nodiscard]] GRADLOOM_API Tensor instance_norm(const Operand& x, GroupNormOptions options = {});

}  // namespace gradloom::inline v0::nn
