#pragma once

#include <gradloom/graph/tensor.hpp>

#include <string>

namespace gradloom::inline v0::nn {

struct SpectralNormOptions {
  int iterations = 1;      ///< of the power method, in every training run
  double epsilon = 1e-12;  ///< least length of a vector that is divided by it
  std::string name{};      ///< the scope of its state; empty: "spectral_norm_1", ...
};

/// The weights divided by an estimate of their largest singular value, as a matrix [everything else, out]: [..., out]
/// ->
/// [..., out]. The estimate comes from a vector in the State, "spectral_norm_1/u" [out], that every training run moves
/// on by the power method; gradients do not pass through it. Miyato et al. 2018, Spectral normalization for generative
/// adversarial networks, algorithm 1. Throws Error for fewer than two axes, sizes that are not known, or a negative
/// number of iterations.
[[nodiscard]] GRADLOOM_API Tensor spectral_norm(const Operand& weight, const SpectralNormOptions& options = {});

}  // namespace gradloom::inline v0::nn
