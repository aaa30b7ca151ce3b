#include <gradloom/graph/error.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/nn/lbfgs.hpp>
#include <gradloom/nn/optimizer_internal.hpp>
#include <gradloom/nn/refuse_internal.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>

namespace gradloom::inline v0::nn {

namespace {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// y + alpha x
Vector plus(const Vector& y, double alpha, const Vector& x) {
  Vector sum = y;
  for (size_t i = 0; i < x.size(); ++i) sum[i] += alpha * x[i];
  return sum;
}

double largest(const Vector& x) {
  double most = 0;
  for (const double element : x) most = std::max(most, std::abs(element));
  return most;
}

void append(Vector& to, const Array& from) {
  if (from.dtype() == DType::f64) {
    const Vector elements = from.to_vector<double>();
    to.insert(to.end(), elements.begin(), elements.end());
  } else {
    for (const float element : from.to_vector<float>()) to.push_back(static_cast<double>(element));
  }
}

/// The loss as a function of one long vector of all parameters.
class Objective {
 public:
  struct Value {
    double loss = 0;
    Vector gradient;
  };

  Objective(const Program& program, const std::vector<std::string>& names, const Executor& executor, State& state,
            const Batch& inputs)
      : program_(program), names_(names), executor_(executor), state_(state), inputs_(inputs) {}

  [[nodiscard]] Vector parameters() const {
    Vector all;
    for (const std::string& name : names_) append(all, state_.get(name));
    return all;
  }

  void set_parameters(const Vector& x) {
    size_t at = 0;
    for (const std::string& name : names_) {
      const Array old = state_.get(name);
      const Array value(old.sizes(), old.dtype());
      if (old.dtype() == DType::f64) {
        for (double& element : value.data<double>()) element = x[at++];
      } else {
        for (float& element : value.data<float>()) element = static_cast<float>(x[at++]);
      }
      state_.set(name, value);
    }
  }

  Value at(const Vector& x) {
    set_parameters(x);
    ++evaluations_;
    const std::vector<Array> results = program_.run(executor_, std::as_const(state_), inputs_);
    Value value;
    Vector loss;
    append(loss, results[0]);
    value.loss = loss[0];
    for (size_t i = 1; i < results.size(); ++i) append(value.gradient, results[i]);
    return value;
  }

  [[nodiscard]] int evaluations() const { return evaluations_; }

 private:
  const Program& program_;
  const std::vector<std::string>& names_;
  const Executor& executor_;
  State& state_;
  const Batch& inputs_;
  int evaluations_ = 0;
};

/// A point on the line of a search.
struct Point {
  double alpha = 0;
  double slope = 0;  // of the loss, along the line
  Objective::Value value;
  [[nodiscard]] double loss() const { return value.loss; }
};

/// Where the cubic through two points and their slopes is lowest, kept away from both ends (eq. 3.59).
double between(const Point& a, const Point& b) {
  const double d1 = a.slope + b.slope - 3 * (a.loss() - b.loss()) / (a.alpha - b.alpha);
  const double square = d1 * d1 - a.slope * b.slope;
  const double low = std::min(a.alpha, b.alpha), high = std::max(a.alpha, b.alpha), margin = 0.1 * (high - low);
  double alpha = 0.5 * (low + high);
  if (square >= 0) {
    const double d2 = std::copysign(std::sqrt(square), b.alpha - a.alpha);
    const double lowest = b.alpha - (b.alpha - a.alpha) * (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2);
    if (std::isfinite(lowest)) alpha = lowest;
  }
  return std::clamp(alpha, low + margin, high - margin);
}

/// Algorithms 3.5 and 3.6: a step that meets the strong Wolfe conditions, or nothing if none was found; `best` is then
/// the one with the lowest loss among those tried.
class LineSearch {
 public:
  LineSearch(Objective& objective, const LbfgsOptions& options, const Vector& from, const Vector& direction,
             Point start)
      : objective_(objective),
        options_(options),
        from_(from),
        direction_(direction),
        start_(std::move(start)),
        best_(start_) {}

  std::optional<Point> find(double first) {
    Point last = start_;
    double alpha = first;
    while (tried_ < options_.line_search) {
      Point now = try_step(alpha);
      if (too_high(now) || (tried_ > 1 && now.loss() >= last.loss())) return zoom(last, now);
      if (flat(now)) return now;
      if (now.slope >= 0) return zoom(now, last);
      last = std::move(now);
      alpha *= 2;
    }
    return std::nullopt;
  }

  [[nodiscard]] const Point& best() const { return best_; }

 private:
  [[nodiscard]] bool too_high(const Point& point) const {
    return !(point.loss() <= start_.loss() + options_.sufficient_decrease * point.alpha * start_.slope);  // nan is too
  }
  [[nodiscard]] bool flat(const Point& point) const {
    return std::abs(point.slope) <= -options_.curvature * start_.slope;
  }

  Point try_step(double alpha) {
    ++tried_;
    Point point{.alpha = alpha, .slope = 0, .value = objective_.at(plus(from_, alpha, direction_))};
    point.slope = dot(point.value.gradient, direction_);
    if (point.loss() < best_.loss()) best_ = point;
    return point;
  }

  /// `low` meets the first condition, and the interval between the two has points that meet both.
  std::optional<Point> zoom(Point low, Point high) {
    while (tried_ < options_.line_search && low.alpha != high.alpha) {
      const bool finite = std::isfinite(high.loss()) && std::isfinite(high.slope);
      Point now = try_step(finite ? between(low, high) : 0.5 * (low.alpha + high.alpha));
      if (too_high(now) || now.loss() >= low.loss()) {
        high = std::move(now);
        continue;
      }
      if (flat(now)) return now;
      if (now.slope * (high.alpha - low.alpha) >= 0) high = low;
      low = std::move(now);
    }
    return std::nullopt;
  }

  Objective& objective_;
  const LbfgsOptions& options_;
  const Vector &from_, &direction_;
  const Point start_;
  Point best_;
  int tried_ = 0;
};

/// The latest steps s and changes y of the gradient, and what they say about the inverse of the Hessian.
class History {
 public:
  explicit History(int size) : size_(static_cast<size_t>(size)) {}

  void add(Vector s, Vector y) {
    const double sy = dot(s, y);
    // The Wolfe conditions make it positive; rounding, or a search that gave up, may not.
    if (!(sy > 1e-300)) return;
    pairs_.push_back({std::move(s), std::move(y), 1 / sy});
    if (pairs_.size() > size_) pairs_.pop_front();
  }

  /// -H g by the two loops of algorithm 7.4.
  [[nodiscard]] Vector direction(const Vector& gradient) const {
    Vector q = gradient;
    Vector alphas(pairs_.size());
    for (size_t i = pairs_.size(); i-- > 0;) {
      alphas[i] = pairs_[i].rho * dot(pairs_[i].s, q);
      q = plus(q, -alphas[i], pairs_[i].y);
    }
    if (!pairs_.empty()) {
      const Pair& latest = pairs_.back();
      const double scale = 1 / (latest.rho * dot(latest.y, latest.y));  // eq. 7.20
      for (double& element : q) element *= scale;
    }
    for (size_t i = 0; i < pairs_.size(); ++i) {
      q = plus(q, alphas[i] - pairs_[i].rho * dot(pairs_[i].y, q), pairs_[i].s);
    }
    for (double& element : q) element = -element;
    return q;
  }

  [[nodiscard]] bool empty() const { return pairs_.empty(); }
  void clear() { pairs_.clear(); }

 private:
  struct Pair {
    Vector s, y;
    double rho;
  };
  size_t size_;
  std::deque<Pair> pairs_;
};

void check(const Operand& loss, const LbfgsOptions& options) {
  constexpr std::string_view rule =
      "history, iterations and line_search are positive, 0 < sufficient_decrease < curvature < 1";
  if (options.history < 1 || options.iterations < 1 || options.line_search < 1) {
    refuse("lbfgs", loss,
           fmt::format("history is {}, iterations {} and line_search {}", options.history, options.iterations,
                       options.line_search),
           {}, rule);
  }
  if (!(0 < options.sufficient_decrease && options.sufficient_decrease < options.curvature && options.curvature < 1)) {
    refuse("lbfgs", loss,
           fmt::format("sufficient_decrease is {} and curvature {}", options.sufficient_decrease, options.curvature),
           {}, rule);
  }
}

}  // namespace

Lbfgs::Lbfgs(const Operand& loss, const LbfgsOptions& options) : options_(options) {
  check(loss, options);
  CompileOptions wanted{.outputs = {loss.tensor()}};
  for (const Differentiated& item : differentiate("lbfgs", loss, options.parameters)) {
    if (item.parameter.dtype() == DType::bf16) {
      refuse("lbfgs", loss, fmt::format("\"{}\" is bf16", item.parameter.name()), {{"parameters", item.parameter}},
             "lbfgs needs parameters of f32 or f64: a line search compares losses that differ by less than bf16 can");
    }
    wanted.outputs.push_back(item.gradient);
    names_.push_back(item.parameter.node().name);
  }
  wanted.side_updates = false;  // an evaluation is no step
  program_ = compile(wanted);
}

LbfgsResult Lbfgs::minimize(const Executor& executor, State& state, const Batch& inputs) const {
  program_.initialize(state);
  Objective objective(program_, names_, executor, state, inputs);
  Vector x = objective.parameters();
  Objective::Value value = objective.at(x);
  if (!std::isfinite(value.loss)) {
    const double shown = std::isnan(value.loss) ? std::abs(value.loss) : value.loss;  // the sign of a nan says nothing
    throw Error({.problem = fmt::format("the loss is {} where it begins", shown), .op = "lbfgs"});
  }

  History history(options_.history);
  LbfgsResult result;
  using End = LbfgsResult::End;
  const auto iterate = [&]() -> std::optional<End> {
    if (largest(value.gradient) <= options_.gradient_tolerance) return End::gradient_tolerance;
    if (result.iterations == options_.iterations) return End::iterations;
    const Vector direction = history.direction(value.gradient);
    // Without a history nothing is known of the scale: the first step changes no parameter by more than 1.
    const double first = history.empty() ? std::min(1.0, 1 / largest(direction)) : 1;
    LineSearch search(objective, options_, x, direction, {0, dot(value.gradient, direction), value});
    const std::optional<Point> found = search.find(first);
    const Point& step = found ? *found : search.best();
    ++result.iterations;
    if (step.alpha == 0) return End::line_search;

    Vector s(x.size()), y = plus(step.value.gradient, -1, value.gradient);
    for (size_t i = 0; i < x.size(); ++i) s[i] = step.alpha * direction[i];
    x = plus(x, 1, s);
    history.add(std::move(s), std::move(y));
    const double before = value.loss;
    value = step.value;
    if (!found) return End::line_search;
    if (before - value.loss <= options_.loss_tolerance * std::abs(before)) return End::loss_tolerance;
    return std::nullopt;
  };
  std::optional<End> end;
  while (!end) end = iterate();
  objective.set_parameters(x);  // the last one tried need not be the one taken
  result.end = *end;
  result.loss = value.loss;
  result.largest_gradient = largest(value.gradient);
  result.evaluations = objective.evaluations();
  return result;
}

}  // namespace gradloom::inline v0::nn
