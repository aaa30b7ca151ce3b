// Would the conformance test notice? Loops with a planted mistake must disagree, those of the ops themselves agree.
#include "pointwise_conformance_helper.hpp"
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/extrema.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace gradloom;

namespace {

using In = const void* const*;
using Limits = std::numeric_limits<float>;

/// The op's own loop on f32.
template <const OpDef& op>
void own(In in, void* out, int64_t n) {
  op.pointwise->isa[0]->loops[static_cast<size_t>(DType::f32)](in, out, n);
}

const float* floats(In in, int i) { return static_cast<const float*>(in[i]); }

float ulps_away(float x, int ulps) {
  if (!(std::fabs(x) < 1e30F)) return x;  // must not become inf: that is another mistake
  for (int i = 0; i < ulps; ++i) x = std::nextafter(x, Limits::infinity());
  return x;
}

/// The op's own loop, then f of every result.
template <const OpDef& op, class F>
void then(In in, void* out, int64_t n, F f) {
  own<op>(in, out, n);
  float* const y = static_cast<float*>(out);
  for (int64_t i = 0; i < n; ++i) y[i] = f(y[i]);
}

struct Mutation {
  const char* name;
  const OpDef& op;
  DType dtype;
  PointwiseLoop wrong;
};

const Mutation mutations[] = {
    {"the tail is not written", exp_def, DType::f32,
     [](In in, void* out, int64_t n) { own<exp_def>(in, out, n / 8 * 8); }},
    {"the last element is not written", exp_def, DType::f32,
     [](In in, void* out, int64_t n) { own<exp_def>(in, out, std::max<int64_t>(n - 1, 0)); }},
    {"one element too many is written", exp_def, DType::f32,
     [](In in, void* out, int64_t n) {
       own<exp_def>(in, out, n);
       static_cast<float*>(out)[n] = 0;
     }},
    {"elements come from their neighbours", neg_def, DType::f32,
     [](In in, void* out, int64_t n) {
       for (int64_t i = 0; i < n; ++i) static_cast<float*>(out)[i] = -floats(in, 0)[std::min(i + 1, n - 1)];
     }},
    {"an error beyond what the op states", exp_def, DType::f32,
     [](In in, void* out, int64_t n) { then<exp_def>(in, out, n, [](float y) { return ulps_away(y, 5); }); }},
    {"one ULP where rounding is to be correct", add_def, DType::f32,
     [](In in, void* out, int64_t n) {
       then<add_def>(in, out, n, [](float y) { return y == 0 ? y : ulps_away(y, 1); });
     }},
    {"nan is swallowed", maximum_def, DType::f32,
     [](In in, void* out, int64_t n) {
       for (int64_t i = 0; i < n; ++i) static_cast<float*>(out)[i] = std::fmax(floats(in, 0)[i], floats(in, 1)[i]);
     }},
    {"the sign of zero is lost", mul_def, DType::f32,
     [](In in, void* out, int64_t n) { then<mul_def>(in, out, n, [](float y) { return y + 0.0F; }); }},
    {"infinity is cut off", exp_def, DType::f32,
     [](In in, void* out, int64_t n) {
       then<exp_def>(in, out, n, [](float y) { return std::isinf(y) ? Limits::max() : y; });
     }},
    {"subnormal numbers are flushed to zero", neg_def, DType::f32,
     [](In in, void* out, int64_t n) {
       then<neg_def>(in, out, n, [](float y) { return std::fabs(y) < Limits::min() ? std::copysign(0.0F, y) : y; });
     }},
    {"the tail is computed by another formula", exp_def, DType::f32,
     [](In in, void* out, int64_t n) {
       own<exp_def>(in, out, n);
       for (int64_t i = n / 8 * 8; i < n; ++i) {
         const auto exact = static_cast<float>(std::exp(static_cast<double>(floats(in, 0)[i])));
         static_cast<float*>(out)[i] = exact;
       }
     }},
    {"an input is read after its place was written", add_def, DType::f32,
     [](In in, void* out, int64_t n) {
       float* const y = static_cast<float*>(out);
       for (int64_t i = 0; i < n; ++i) {
         y[i] = floats(in, 0)[i];
         y[i] += floats(in, 1)[i];
       }
     }},
    {"integers saturate instead of wrapping around", add_def, DType::i32,
     [](In in, void* out, int64_t n) {
       const auto* const a = static_cast<const int32_t*>(in[0]);
       const auto* const b = static_cast<const int32_t*>(in[1]);
       for (int64_t i = 0; i < n; ++i) {
         const int64_t sum = int64_t{a[i]} + b[i];
         static_cast<int32_t*>(out)[i] = static_cast<int32_t>(std::clamp<int64_t>(sum, INT32_MIN, INT32_MAX));
       }
     }},
};

/// All that the conformance test asks of a loop: "", or the first disagreement.
std::string disagreement(const test::Loop& loop) {
  const std::vector<Sample> samples = loop.op.samples();
  try {
    check_values(loop, special_columns(loop));
    for (const Sample& sample : samples) check_values(loop, random_columns(loop, sample, 500));
    check_places(loop, samples);
    check_swapped(loop, samples);
  } catch (const test::Disagreement& found) {
    return found.what();
  }
  return {};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_mutation)

BOOST_AUTO_TEST_CASE(every_planted_mistake_of_a_kernel_is_caught) {
  for (const Mutation& mutation : mutations) {
    test::Loop loop =
        test::make_loop(mutation.op, Isa::baseline, mutation.dtype, mutation.op.samples().at(0).attributes);
    BOOST_TEST(disagreement(loop) == "", mutation.name << ", unmutated: " << disagreement(loop));
    loop.run = mutation.wrong;
    const std::string found = disagreement(loop);
    BOOST_TEST_MESSAGE(mutation.name << ": " << found);
    BOOST_TEST(found != "", mutation.name << " was not caught");
  }
}

BOOST_AUTO_TEST_SUITE_END()
