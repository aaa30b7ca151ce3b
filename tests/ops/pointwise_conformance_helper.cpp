#include "pointwise_conformance_helper.hpp"

#include "evaluate_helper.hpp"
#include "math_reference_internal.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/pointwise_table.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace gradloom::test {

std::string Loop::name() const { return fmt::format("{} of {} on {}", op.name, to_string(dtype), to_string(isa)); }

namespace {

bool takes_condition(const OpDef& op) { return op.inputs.size() == 3 && op.inputs[0] == "condition"; }

}  // namespace

Loop make_loop(const OpDef& op, Isa isa, DType dtype, const Attributes& attributes) {
  Loop loop{op, isa, dtype, op.pointwise->isa[static_cast<size_t>(isa)]->loops[static_cast<size_t>(dtype)]};
  Graph g;
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    loop.inputs.push_back(i == 0 && takes_condition(op) ? DType::boolean : dtype);
    tensors.push_back(g.input(std::to_string(i), {1}, loop.inputs.back()));
  }
  loop.output = g.add(op, tensors, attributes, {}).dtype();
  return loop;
}

// ---- What kernels are fed with

namespace {

struct Bounds {
  double lowest, highest;
};

/// The integers that the harness uses: those of i64 that a double holds with room for a sum.
Bounds integer_bounds(DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return {0, 1};
    case DType::u8:
      return {0, 255};
    case DType::i32:
      return {INT32_MIN, INT32_MAX};
    default:
      return {-0x1p40, 0x1p40};
  }
}

/// The double rounded to what the dtype can hold.
double representable(DType dtype, double x) {
  if (dtype == DType::f64) return x;
  if (dtype == DType::f32) return static_cast<float>(x);
  if (dtype == DType::bf16) return static_cast<float>(BFloat16(x));
  const Bounds bounds = integer_bounds(dtype);
  return std::clamp(std::floor(x), bounds.lowest, bounds.highest);
}

}  // namespace

Columns random_columns(const Loop& loop, const Sample& sample, size_t count) {
  RandomValues random(count);
  Columns columns;
  for (size_t i = 0; i < loop.inputs.size(); ++i) {
    const SampleInput& range = sample.inputs[i];
    const bool whole = !is_float(computed_as(loop.inputs[i]));
    const double low = whole ? std::ceil(range.low) : range.low;
    const double high = whole ? std::floor(range.high) + 1 : range.high;  // floor() follows: each integer is as likely
    std::vector<double>& column = columns.emplace_back();
    for (size_t k = 0; k < count; ++k) {
      column.push_back(representable(loop.inputs[i], random.uniform<double>(low, high)));
    }
  }
  return columns;
}

namespace {

template <class T>
std::vector<double> special_floats() {
  using Limits = std::numeric_limits<T>;
  std::vector<double> values = {std::nan("")};
  for (const double x : {0.0,
                         1.0,
                         double(Limits::infinity()),
                         0.5,
                         double(Limits::denorm_min()),
                         double(Limits::max()),
                         2.5,
                         double(Limits::min()),
                         double(Limits::epsilon()),
                         1.5,
                         2.0,
                         3.0,
                         3.5,
                         88.75,
                         104.5,
                         710.0,
                         746.0,
                         1e9,
                         0x1p31,
                         0x1p63}) {
    values.push_back(x);
    values.push_back(-x);
  }
  return values;
}

std::vector<double> special_values(DType dtype) {
  if (dtype == DType::f32) return special_floats<float>();
  if (dtype == DType::f64) return special_floats<double>();
  if (dtype == DType::bf16) {
    std::vector<double> values = special_floats<float>();
    for (double& value : values) value = representable(dtype, value);
    return values;
  }
  const auto [lowest, highest] = integer_bounds(dtype);
  if (dtype == DType::boolean || dtype == DType::u8) return {lowest, highest, 1, 0, highest, 1};
  return {0, 1, -1, 2, -2, 3, -3, 7, lowest, highest};
}

}  // namespace

// Of three inputs, every combination of the first few.
Columns special_columns(const Loop& loop) {
  Columns columns = {{}};
  for (const DType dtype : loop.inputs) {
    std::vector<double> values = special_values(dtype);
    if (loop.inputs.size() == 3 && values.size() > 9) values.resize(9);
    Columns longer(columns.size() + 1);
    const size_t rows = columns[0].size();
    for (const double value : values) {
      for (size_t i = 0; i < columns.size(); ++i)
        longer[i].insert(longer[i].end(), columns[i].begin(), columns[i].end());
      longer.back().insert(longer.back().end(), std::max<size_t>(rows, 1), value);
    }
    if (rows == 0) longer.erase(longer.begin());
    columns = longer;
  }
  return columns;
}

namespace {

std::vector<Values> typed(const Loop& loop, const Columns& columns) {
  std::vector<Values> inputs;
  for (size_t i = 0; i < columns.size(); ++i) {
    inputs.push_back(Values::from_doubles(loop.inputs[i], {static_cast<int64_t>(columns[i].size())}, columns[i]));
  }
  return inputs;
}

// ---- Running and judging

/// Runs the loop on elements offset... offset + n - 1, with the output in a buffer of its own or in that of input
/// `in_place`. Bytes after the output must stay as they were.
Values apply(const Loop& loop, std::vector<Values> inputs, size_t offset, size_t n, int in_place = -1) {
  const size_t bytes = n * size_of(loop.output), guard = 64;
  std::vector<std::byte> own(bytes + guard, std::byte{0xA5});
  std::vector<const void*> from;
  for (size_t i = 0; i < inputs.size(); ++i) from.push_back(inputs[i].bytes.data() + offset * size_of(loop.inputs[i]));
  std::byte* const to =
      in_place < 0 ? own.data() : inputs[static_cast<size_t>(in_place)].bytes.data() + offset * size_of(loop.output);
  loop.run(from.data(), to, static_cast<int64_t>(n));
  if (in_place < 0) {
    for (size_t i = bytes; i < own.size(); ++i) {
      if (own[i] != std::byte{0xA5})
        throw Disagreement(fmt::format("{} writes beyond the {} elements", loop.name(), n));
    }
  }
  return {loop.output, {static_cast<int64_t>(n)}, std::vector<std::byte>(to, to + bytes)};
}

/// How far off a result is, in ULP of the output's dtype. Integers are right or infinitely wrong. What they cannot
/// hold: floats saturate, integers wrap around, nan and division by zero are 0.
double error_of(const Loop& loop, double got, double expected) {
  if (loop.output == DType::f32) return ulp_error(static_cast<float>(got), expected);
  if (loop.output == DType::f64) return ulp_error(got, expected);
  if (loop.output == DType::bf16) {
    const auto rounded = static_cast<float>(BFloat16(expected));
    const bool right =
        std::isnan(rounded) ? std::isnan(got) : got == rounded && std::signbit(got) == std::signbit(rounded);
    return right ? 0 : std::numeric_limits<double>::infinity();
  }
  const auto judge = [&](auto zero) {
    using T = decltype(zero);
    using Limits = std::numeric_limits<T>;
    T whole{};
    if (is_float(computed_as(loop.dtype)) && std::fabs(expected) >= 0x1p53) {
      whole = expected < 0 ? Limits::lowest() : Limits::max();
    } else if (is_float(computed_as(loop.dtype)) && !std::isnan(expected)) {
      whole = static_cast<T>(
          std::clamp(expected, static_cast<double>(Limits::lowest()), static_cast<double>(Limits::max())));
    } else if (std::isfinite(expected)) {
      if (std::fabs(expected) >= 0x1p53) return 0.0;  // a product whose last bits the reference has lost
      whole = static_cast<T>(static_cast<int64_t>(expected));
    }
    return got == static_cast<double>(whole) ? 0.0 : std::numeric_limits<double>::infinity();
  };
  switch (loop.output) {
    case DType::boolean:
      return judge(bool{});
    case DType::u8:
      return judge(uint8_t{});
    case DType::i32:
      return judge(int32_t{});
    default:
      return judge(int64_t{});
  }
}

/// What the op states, and in double the reference's own error, unless correct rounding gives both the same bits.
double allowed_error(const Loop& loop) {
  if (loop.op.ulps <= 0.5) return 0.5 + 1e-6;  // the reference's result is rounded twice
  return loop.output == DType::f64 ? loop.op.ulps + 1 : loop.op.ulps;
}

/// The same bytes, or nan both: which nan comes out is up to the order of operands in an instruction.
bool same_bits(const Values& a, const std::byte* b) {
  if (std::equal(a.bytes.begin(), a.bytes.end(), b)) return true;  // not memcmp: of no bytes there may be no address
  const std::vector<double> left = a.as_doubles();
  const std::vector<double> right = Values{a.dtype, a.sizes, {b, b + a.bytes.size()}}.as_doubles();
  const size_t size = size_of(a.dtype);
  for (size_t i = 0; i < left.size(); ++i) {
    if (std::isnan(left[i]) && std::isnan(right[i])) continue;
    if (std::memcmp(a.bytes.data() + i * size, b + i * size, size) != 0) return false;
  }
  return true;
}

/// Special values, then random ones: more than 1115.
Columns long_columns(const Loop& loop, const std::vector<Sample>& samples) {
  Columns columns = special_columns(loop);
  const Columns random = random_columns(loop, samples[0], 1200);
  for (size_t i = 0; i < columns.size(); ++i) {
    columns[i].resize(std::min<size_t>(columns[i].size(), 100));
    columns[i].insert(columns[i].end(), random[i].begin(), random[i].end());
  }
  return columns;
}

}  // namespace

void check_values(const Loop& loop, const Columns& columns) {
  const size_t count = columns[0].size();
  const std::vector<double> results = apply(loop, typed(loop, columns), 0, count).as_doubles();
  double worst = 0;
  std::string report;
  for (size_t k = 0; k < count; ++k) {
    std::vector<double> x;
    for (const std::vector<double>& column : columns) x.push_back(column[k]);
    const double expected = loop.op.reference(x.data());
    const double error = error_of(loop, results[k], expected);
    if (!(error > worst)) continue;
    worst = error;
    report = fmt::format("{}({}) is {:.17g} and not {:.17g}: {:.3g} ULP", loop.name(), fmt::join(x, ", "), results[k],
                         expected, error);
  }
  if (worst > allowed_error(loop)) throw Disagreement(report);
}

void check_places(const Loop& loop, const std::vector<Sample>& samples) {
  const Columns columns = long_columns(loop, samples);
  const std::vector<Values> inputs = typed(loop, columns);
  const Values whole = apply(loop, inputs, 0, columns[0].size());
  std::vector<size_t> counts = {31, 32, 33, 63, 64, 65, 1023, 1024, 1025};
  for (size_t n = 0; n <= 17; ++n) counts.push_back(n);  // one and two vectors of every width, less and more
  for (const size_t n : counts) {
    for (const size_t offset : {size_t{0}, size_t{1}, size_t{90}}) {
      const std::byte* const expected = whole.bytes.data() + offset * size_of(loop.output);
      if (same_bits(apply(loop, inputs, offset, n), expected)) continue;
      throw Disagreement(
          fmt::format("{}: {} elements from {} on differ from those of the whole", loop.name(), n, offset));
    }
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (size_of(loop.inputs[i]) != size_of(loop.output)) continue;
    if (!same_bits(apply(loop, inputs, 0, columns[0].size(), static_cast<int>(i)), whole.bytes.data())) {
      throw Disagreement(fmt::format("{} differs in the place of input {}", loop.name(), i));
    }
  }
}

void check_swapped(const Loop& loop, const std::vector<Sample>& samples) {
  if (!loop.op.properties.commutative) return;
  std::vector<Values> inputs = typed(loop, long_columns(loop, samples));
  const size_t count = static_cast<size_t>(inputs[0].sizes[0]);
  const Values straight = apply(loop, inputs, 0, count);
  std::swap(inputs[0], inputs[1]);
  if (!same_bits(apply(loop, inputs, 0, count), straight.bytes.data())) {
    throw Disagreement(loop.name() + " differs when its operands are swapped");
  }
}

}  // namespace gradloom::test
