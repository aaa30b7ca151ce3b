#pragma once

#include <gradloom/graph/dim.hpp>
#include <gradloom/graph/function_ref.hpp>
#include <gradloom/graph/tensor.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace gradloom::inline v0 {

struct OpDef;

/// Operands: the carried values' first ones, the sequences, the constants. Attributes body (whose inputs stand for a
/// step's view of them), carried and sequences (how many), length, reverse. Outputs: the last carried values, then
/// [length, ...] of every further output of the body.
GRADLOOM_API extern const OpDef scan_def;

struct ScanOptions {
  std::vector<Tensor> carried{};    ///< the values that the first step is given
  std::vector<Tensor> sequences{};  ///< each step is given one slice of these, without the axis
  int axis = 0;                     ///< of the sequences and the outputs; negative ones count from the end
  bool reverse = false;             ///< from the last slice to the first; outputs stay in the order of the sequences
  Dim length = -1;                  ///< the number of steps, where there are no sequences
  /// Gradients flow back through at most the steps since the last multiple of this (truncated backpropagation through
  /// time, Williams & Peng 1990); 0: through all of them.
  int64_t truncate = 0;
};

/// What a step returns: the next carried values, of the same shapes and dtypes, and any outputs.
struct ScanStep {
  std::vector<Tensor> carried{};
  std::vector<Tensor> outputs{};
};

/// The carried values after the last step, and the outputs of all steps side by side along the axis.
struct ScanResult {
  std::vector<Tensor> carried;
  std::vector<Tensor> outputs;
};

using ScanBody = FunctionRef<ScanStep(std::span<const Tensor> carried, std::span<const Tensor> sequences)>;

/// A loop along an axis: carried, output[i] = body(carried, sequence[i]) for every i. The function is called once,
/// here, with stand-ins; what it makes is kept as a graph that runs once a step, so that neither the time to compile
/// nor the memory grow with the number of steps, but for the outputs and for what gradients need of each step. It may
/// use any Tensor around it, make parameters, and contain loops; random nodes in it draw anew each step. No steps give
/// the first carried values and outputs of size 0.
///
///     // [time, batch, in] -> the states of all steps, [time, batch, units]
///     ScanResult r = scan([&](auto h, auto x) {
///       Tensor next = tanh(matmul(x[0], w) + matmul(h[0], u));
///       return ScanStep{{next}, {next}};
///     }, {.carried = {h0}, .sequences = {x}});
///
/// Differentiable to every order: the gradient of a scan is a scan in the other direction over values that this one
/// stores. Throws Error if there is neither a sequence nor a carried value, if the sequences differ in length, or if
/// the body returns carried values of another number, shape or dtype.
[[nodiscard]] GRADLOOM_API ScanResult scan(ScanBody body, const ScanOptions& options,
                                           SourceLocation location = SourceLocation::current());

}  // namespace gradloom::inline v0
