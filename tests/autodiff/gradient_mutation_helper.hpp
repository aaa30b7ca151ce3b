// A mistake planted in the gradient rule of an op, which gradcheck must notice.
#pragma once

#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/graph/attributes.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/runtime/array.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <span>
#include <vector>

namespace gradloom::test {

struct GradientMutation {
  const char* name;
  const OpDef& op;
  Gradients (*wrong)(const Vjp&);
  std::vector<Array> points;
  Attributes attributes{};
  const char* found_in = "first order";
};

/// Doubles of those sizes.
inline Array reshaped(std::initializer_list<int64_t> sizes, const std::vector<double>& values) {
  const Array array(sizes, DType::f64);
  std::copy(values.begin(), values.end(), array.data<double>().begin());
  return array;
}

/// A copy of the op with the mistake must fail, where it is said to, and the op itself pass.
inline void check_is_caught(const GradientMutation& mutation) {
  OpDef wrong = mutation.op;
  wrong.vjp = mutation.wrong;
  const auto check = [&](const OpDef& op) {
    return gradcheck([&](std::span<const Tensor> x) { return x[0].graph().add(op, x, mutation.attributes, {}); },
                     mutation.points);
  };
  const GradcheckReport right = check(mutation.op);
  BOOST_TEST(right.passed, mutation.name << ", unmutated: " << right.message);
  const GradcheckReport report = check(wrong);
  BOOST_TEST(!report.passed, mutation.name);
  BOOST_TEST(report.message.starts_with(mutation.found_in), mutation.name << ": " << report.message);
}

}  // namespace gradloom::test
