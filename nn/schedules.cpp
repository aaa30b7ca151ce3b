#include <gradloom/graph/error.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/schedules.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/trigonometric.hpp>

#include <fmt/format.h>

#include <cmath>

namespace gradloom::inline v0::nn {

namespace {

void require_positive(const char* schedule, const char* what, double value) {
  if (value > 0) return;
  throw Error(
      {.problem = fmt::format("{} is {}", what, value), .op = schedule, .rule = fmt::format("{} is positive", what)});
}

// t is an i64 scalar, counted from the end of the warm-up. Everything is f64: a factor near 1 to the power of many
// steps would be off by per cents in f32, and scalars cost nothing.
Tensor decayed(const Schedule& schedule, const Tensor& t) {
  const auto real = [](const Tensor& x) { return cast(x, DType::f64); };
  const auto steps = static_cast<double>(schedule.steps);
  switch (schedule.decay) {
    case Schedule::Decay::none:
      break;
    case Schedule::Decay::step:
      return schedule.initial * exp(std::log(schedule.factor) * real(t / schedule.steps));
    case Schedule::Decay::exponential:
      return schedule.initial * exp(std::log(schedule.factor) / steps * real(t));
    case Schedule::Decay::cosine: {
      constexpr double pi = 3.14159265358979323846;
      const Tensor progress = minimum(real(t), steps) / steps;
      return schedule.final + 0.5 * (schedule.initial - schedule.final) * (1 + cos(pi * progress));
    }
  }
  return constant(t.graph(), schedule.initial, DType::f64);
}

}  // namespace

Schedule step_decay(double initial, int64_t every, double factor) {
  require_positive("step_decay", "every", static_cast<double>(every));
  require_positive("step_decay", "factor", factor);
  Schedule schedule = initial;
  schedule.decay = Schedule::Decay::step;
  schedule.steps = every;
  schedule.factor = factor;
  return schedule;
}

Schedule exponential_decay(double initial, int64_t steps, double factor) {
  require_positive("exponential_decay", "steps", static_cast<double>(steps));
  require_positive("exponential_decay", "factor", factor);
  Schedule schedule = initial;
  schedule.decay = Schedule::Decay::exponential;
  schedule.steps = steps;
  schedule.factor = factor;
  return schedule;
}

Schedule cosine_decay(double initial, int64_t steps, double final) {
  require_positive("cosine_decay", "steps", static_cast<double>(steps));
  Schedule schedule = initial;
  schedule.decay = Schedule::Decay::cosine;
  schedule.steps = steps;
  schedule.final = final;
  return schedule;
}

Schedule warm_up(Schedule schedule, int64_t steps) {
  if (steps < 0) {
    throw Error({.problem = fmt::format("steps is {}", steps), .op = "warm_up", .rule = "steps is not negative"});
  }
  schedule.warm_up = steps;
  return schedule;
}

Tensor learning_rate(const Schedule& schedule, const Operand& step) {
  const SourceScope scope(step, "learning_rate");
  const Tensor t = cast(step, DType::i64);
  if (schedule.warm_up == 0) return decayed(schedule, t);
  const Tensor share = minimum(cast(t + 1, DType::f64) / static_cast<double>(schedule.warm_up), 1);
  return share * decayed(schedule, maximum(t - schedule.warm_up, 0));
}

}  // namespace gradloom::inline v0::nn
