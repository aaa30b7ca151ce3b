// Learning rates that change as training goes on, as data; an optimiser turns them into graph nodes over its own count
// of steps. A plain number is a schedule too.
//
//     nn::adam(loss, {.learning_rate = nn::warm_up(nn::cosine_decay(1e-3, 10'000), 500)})
#pragma once

#include <gradloom/graph/tensor.hpp>

#include <cstdint>

namespace gradloom::inline v0::nn {

/// The learning rate of step t = 0, 1, 2, ...: see the functions below, which make them.
struct Schedule {
  enum class Decay : uint8_t { none, step, exponential, cosine };

  Schedule(double rate) : initial(rate) {}  // NOLINT: a number is a constant schedule

  double initial = 0;
  Decay decay = Decay::none;
  int64_t steps = 1;    ///< the period of step and exponential, the length of cosine
  double factor = 1;    ///< what step and exponential multiply by each period
  double final = 0;     ///< where cosine ends
  int64_t warm_up = 0;  ///< steps of linear growth before the decay begins

  [[nodiscard]] bool is_constant() const { return decay == Decay::none && warm_up == 0; }
};

/// initial * factor^floor(t / every). Throws Error unless `every` and `factor` are positive.
[[nodiscard]] GRADLOOM_API Schedule step_decay(double initial, int64_t every, double factor);

/// initial * factor^(t / steps). Throws Error unless `steps` and `factor` are positive.
[[nodiscard]] GRADLOOM_API Schedule exponential_decay(double initial, int64_t steps, double factor);

/// From initial to final along half a cosine, final from step `steps` on (Loshchilov and Hutter, 2017, "SGDR", eq. 5,
/// without restarts). Throws Error unless `steps` is positive.
[[nodiscard]] GRADLOOM_API Schedule cosine_decay(double initial, int64_t steps, double final = 0);

/// Linear growth over the first `steps` steps, (t + 1) / steps of the schedule's initial rate; then the schedule
/// itself, from its step 0. Throws Error if `steps` is negative.
[[nodiscard]] GRADLOOM_API Schedule warm_up(Schedule schedule, int64_t steps);

/// The rate of step `step` (an integer scalar) as an f64 scalar of its graph.
[[nodiscard]] GRADLOOM_API Tensor learning_rate(const Schedule& schedule, const Operand& step);

}  // namespace gradloom::inline v0::nn
