#include <gradloom/nn/positions.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/iota.hpp>
#include <gradloom/ops/mod.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/trigonometric.hpp>
#include <gradloom/ops/where.hpp>

#include <fmt/format.h>

#include <cmath>

namespace gradloom::inline v0::nn {

Tensor positions(Graph& graph, const Dim& length, const Tensor& start, SourceLocation location) {
  const Tensor from_zero = iota(graph, {length}, 0, DType::i64, location);
  return start.valid() ? Operand(from_zero, location) + cast({start, location}, DType::i64) : from_zero;
}

Tensor sinusoidal_positions(const Operand& positions, int64_t width, DType dtype) {
  const SourceScope scope(positions, "sinusoidal_positions");
  const auto fail = [&](std::string problem, std::string_view rule) {
    refuse("sinusoidal_positions", positions, std::move(problem), {{"positions", positions.tensor()}}, rule);
  };
  if (width < 1) fail(fmt::format("the width is {}", width), "a width is positive");
  if (!is_float(dtype)) fail(fmt::format("the dtype is {}", to_string(dtype)), "positions are f32 or f64");
  Graph& graph = positions.tensor().graph();
  const Tensor column = iota(graph, {width}, 0, dtype);
  const Tensor odd = mod(column, 2);
  const Tensor frequency = exp(-(column - odd) * (std::log(10000.0) / static_cast<double>(width)));
  const Tensor angle = expand_dims(cast(positions, dtype), -1) * frequency;
  return where(odd > 0, cos(angle), sin(angle));
}

Tensor rotary(const Operand& x, const RotaryOptions& options) {
  constexpr std::string_view rule = "rotary needs x [..., length, heads, depth], with depth a number that is even";
  const SourceScope scope(x, "rotary");
  const Tensor& value = x.tensor();
  const auto fail = [&](std::string problem) { refuse("rotary", x, std::move(problem), {{"x", value}}, rule); };
  if (value.rank() < 3) fail("x has fewer than three axes");
  if (!value.dim(-1).known() || value.dim(-1).value() % 2 != 0)
    fail(fmt::format("the depth is {}", value.dim(-1).to_string()));
  const int64_t half = value.dim(-1).value() / 2;
  Graph& graph = value.graph();
  const Tensor at = options.positions.valid() ? options.positions : positions(graph, value.dim(-3));
  const Tensor column = iota(graph, {half}, 0, value.dtype());
  const Tensor frequency = exp(column * (-std::log(options.base) / static_cast<double>(half)));
  const Tensor angle = expand_dims(cast(at, value.dtype()), -1) * frequency;  // [length, half]
  const Tensor c = expand_dims(cos(angle), 1), s = expand_dims(sin(angle), 1);
  const std::vector<Tensor> parts = split(value, 2, -1);
  return concat({parts[0] * c - parts[1] * s, parts[1] * c + parts[0] * s}, -1);
}

namespace {

constexpr std::string_view learned_rule = "learned positions need x [..., length, width], with width a number";

}  // namespace

LearnedPositions::LearnedPositions(int64_t most, LearnedPositionsOptions options, SourceLocation location)
    : most_(most), options_(std::move(options)) {
  if (most > 0) return;
  refuse("positions", Operand(most, location), fmt::format("{} positions were asked for", most), {},
         "a table has at least one row");
}

Tensor LearnedPositions::operator()(const Operand& x, const Tensor& positions) {
  if (x.is_number()) refuse("positions", x, "x is a number or an empty Tensor", {}, learned_rule);
  const Tensor& value = x.tensor();
  const auto fail = [&](std::string problem) {
    refuse("positions", x, std::move(problem), {{"x", value}}, learned_rule);
  };
  if (value.rank() < 2) fail("x has fewer than two axes");
  if (!value.dim(-1).known()) fail(fmt::format("the width {} is not known", value.dim(-1).to_string()));
  if (value.dim(-2).known() && value.dim(-2).value() > most_)
    fail(fmt::format("x is {} long, and there are {} positions", value.dim(-2).to_string(), most_));
  if (!table_.valid()) {
    Graph& graph = value.graph();
    const Scope scope = options_.name.empty() ? graph.numbered_scope("positions") : graph.scope(options_.name);
    table_ =
        graph.parameter("table", {most_, value.dim(-1)}, options_.table,
                        {.dtype = promote(value.dtype(), DType::f32), .trainable = options_.trainable}, x.location());
  }
  if (&table_.graph() != &value.graph()) fail("the table belongs to another graph, that of the first call");
  const Operand table(table_, x.location());
  return x + (positions.valid() ? gather(table, positions) : slice(table, 0, {0, value.dim(-2)}));
}

}  // namespace gradloom::inline v0::nn
