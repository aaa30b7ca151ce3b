// L-BFGS: a quasi-Newton method for losses that are the same in every evaluation (all data at once, no dropout). Its
// steps depend on how far each got, so it is a driver on the caller's side and no list of updates.
//
//     nn::Lbfgs fit(loss);
//     const nn::LbfgsResult result = fit.minimize(cores, state, data);
#pragma once

#include <gradloom/graph/tensor.hpp>
#include <gradloom/runtime/batch.hpp>
#include <gradloom/runtime/executor.hpp>
#include <gradloom/runtime/program.hpp>
#include <gradloom/runtime/state.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace gradloom::inline v0::nn {

struct LbfgsOptions {
  int history = 10;  ///< how many pairs of steps and changes of the gradient it keeps
  int iterations = 100;
  int line_search = 25;               ///< how many evaluations one line search may take
  double gradient_tolerance = 1e-6;   ///< ends where no element of the gradient is larger
  double loss_tolerance = 1e-12;      ///< ends where an iteration lowers the loss by less than this share of it
  double sufficient_decrease = 1e-4;  ///< c1 of the Wolfe conditions
  double curvature = 0.9;             ///< c2
  std::vector<Tensor> parameters{};   ///< none: those that the loss depends on; frozen ones are left out
};

struct LbfgsResult {
  enum class End : uint8_t { gradient_tolerance, loss_tolerance, iterations, line_search };

  End end = End::iterations;  ///< line_search: no step along the direction met the conditions; the best one was taken
  double loss = 0;
  double largest_gradient = 0;  ///< the largest absolute element
  int iterations = 0;
  int evaluations = 0;  ///< of the loss and its gradient
};

/// Minimises a loss by L-BFGS (Nocedal and Wright, 2006, "Numerical Optimization", algorithms 7.4 and 7.5) with a line
/// search for the strong Wolfe conditions (algorithms 3.5 and 3.6, with cubic interpolation). All of its own arithmetic
/// is in f64 and on one thread, the same for any number of threads; parameters are of f32 or f64 (with f32, a loss
/// cannot be told apart beyond seven digits, which is where line searches end). Side updates are left out: batch norm
/// uses the batch's statistics and keeps the running ones as they are.
class GRADLOOM_API Lbfgs {
 public:
  /// Compiles the loss and its gradient. Throws Error as optimisers do, and for options out of range.
  explicit Lbfgs(const Operand& loss, const LbfgsOptions& options = {});

  /// Runs until one of the ends is reached; the State's parameters then have the lowest loss it found. Throws Error as
  /// Program::run does, and if the loss is not finite where it begins.
  LbfgsResult minimize(const Executor& executor, State& state, const Batch& inputs = {}) const;

 private:
  LbfgsOptions options_;
  Program program_;  // the loss, then the gradients
  std::vector<std::string> names_;
};

}  // namespace gradloom::inline v0::nn
