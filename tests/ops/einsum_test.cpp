// einsum beside its definition: a sum over all values of all letters, in plain doubles.
#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/einsum.hpp>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <cmath>
#include <map>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

namespace {

using Vector = std::vector<double>;
using Sizes = std::vector<int64_t>;

struct Operand64 {
  std::string letters;  // one per axis: ellipses are spelt out
  Sizes sizes;
  Vector values;
};

/// The sum over all assignments of values to letters.
Vector by_definition(const std::vector<Operand64>& operands, const std::string& result) {
  std::map<char, int64_t> sizes;
  for (const Operand64& operand : operands) {
    for (size_t i = 0; i < operand.letters.size(); ++i)
      sizes[operand.letters[i]] = std::max(sizes[operand.letters[i]], operand.sizes[i]);
  }
  int64_t results = 1, all = 1;
  for (const char c : result) results *= sizes[c];
  for (const auto& [c, n] : sizes) all *= n;
  Vector sum(static_cast<size_t>(results), 0.0);
  for (int64_t at = 0; at < all; ++at) {
    std::map<char, int64_t> value;
    int64_t rest = at;
    for (const auto& [c, n] : sizes) {
      value[c] = rest % n;
      rest /= n;
    }
    double product = 1;
    for (const Operand64& operand : operands) {
      int64_t offset = 0;
      for (size_t i = 0; i < operand.letters.size(); ++i) {
        offset = offset * operand.sizes[i] + (operand.sizes[i] == 1 ? 0 : value[operand.letters[i]]);
      }
      product *= operand.values[static_cast<size_t>(offset)];
    }
    int64_t offset = 0;
    for (const char c : result) offset = offset * sizes[c] + value[c];
    sum[static_cast<size_t>(offset)] += product;
  }
  return sum;
}

/// `spelt` has the equation with letters in place of ellipses, if it has such.
void check(const std::string& equation, const std::vector<Sizes>& sizes, const std::string& spelt = "") {
  const std::string full = spelt.empty() ? equation : spelt;
  const size_t arrow = full.find("->");
  std::vector<Operand64> operands;
  std::map<std::string, Values> given;
  std::vector<Tensor> tensors;
  Graph g;
  size_t begin = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const size_t end = std::min(full.find(',', begin), arrow);
    Operand64 operand{full.substr(begin, end - begin), sizes[i], {}};
    begin = end + 1;
    int64_t count = 1;
    for (const int64_t n : sizes[i]) count *= n;
    for (int64_t k = 0; k < count; ++k)
      operand.values.push_back(std::sin(static_cast<double>(k * 7 + 3 * static_cast<int64_t>(i) + 1)));
    const std::string name = "x" + std::to_string(i);
    tensors.push_back(g.input(name, Shape(std::span<const int64_t>(sizes[i])), DType::f64));
    given.emplace(name, Values::of(sizes[i], operand.values));
    operands.push_back(std::move(operand));
  }
  const Tensor result = einsum(equation, tensors);
  const Vector got = evaluate({result}, given)[0].as_doubles(),
               expected = by_definition(operands, full.substr(arrow + 2));
  BOOST_REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i)
    BOOST_TEST(std::abs(got[i] - expected[i]) < 1e-12, equation << ": " << got[i] << " instead of " << expected[i]);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_einsum)

BOOST_AUTO_TEST_CASE(one_operand) {
  check("ij->ji", {{2, 3}});
  check("ij->", {{2, 3}});
  check("ijk->ki", {{2, 3, 4}});
  check("ii->", {{3, 3}});
  check("ii->i", {{3, 3}});
  check("iji->j", {{3, 2, 3}});
  check("iiij->ji", {{3, 3, 3, 2}});
  check("iijj->ij", {{2, 2, 3, 3}});
  check("->", {{}});
}

BOOST_AUTO_TEST_CASE(two_operands) {
  check("ij,jk->ik", {{2, 3}, {3, 4}});
  check("ij,jk->ki", {{2, 3}, {3, 4}});
  check("ji,jk->ik", {{3, 2}, {3, 4}});
  check("ij,kj->ik", {{2, 3}, {4, 3}});
  check("i,i->", {{5}, {5}});
  check("i,j->ij", {{5}, {3}});
  check("i,j->ji", {{5}, {3}});
  check("ij,ij->ij", {{2, 3}, {2, 3}});
  check("ij,ij->i", {{2, 3}, {2, 3}});
  check("ij,j->i", {{2, 3}, {3}});
  check(",ij->ij", {{}, {2, 3}});
  check("bij,bjk->bik", {{2, 3, 4}, {2, 4, 5}});
  check("bhqd,bkhd->bhqk", {{2, 3, 4, 5}, {2, 6, 3, 5}});
  check("aibj,cjdi->abcd", {{2, 3, 4, 5}, {2, 5, 3, 3}});
  check("ijm,kjn->ik", {{2, 3, 2}, {4, 3, 5}});  // m and n are summed before
  check("ii,ij->j", {{3, 3}, {3, 2}});
}

BOOST_AUTO_TEST_CASE(more_operands) {
  check("ij,jk,kl->il", {{2, 3}, {3, 4}, {4, 5}});
  check("i,i,i->i", {{4}, {4}, {4}});
  check("ij,ik,il->jkl", {{2, 3}, {2, 2}, {2, 4}});
  check("a,ab,b->", {{3}, {3, 2}, {2}});
}

BOOST_AUTO_TEST_CASE(ellipses_and_ones_broadcast) {
  check("...ij->...ji", {{2, 3, 4}}, "aij->aji");
  check("...ij,...jk->...ik", {{2, 1, 3, 4}, {5, 4, 2}}, "abij,bjk->abik");
  check("i...,i...->...", {{3, 2, 4}, {3, 4}}, "iab,ib->ab");
  check("...,...->...", {{2, 3}, {3}}, "ab,b->ab");
  check("...i->i...", {{2, 3, 4}}, "abi->iab");
  check("ij,jk->ik", {{2, 1}, {3, 4}});
  check("ij,ij->ij", {{1, 3}, {2, 3}});
}

BOOST_AUTO_TEST_CASE(without_an_arrow_letters_that_occur_once_are_kept) {
  check("ij,jk", {{2, 3}, {3, 4}}, "ij,jk->ik");
  check("ba", {{2, 3}}, "ba->ab");
  check("ii", {{3, 3}}, "ii->");
  check("b...a", {{2, 3, 4}}, "bca->cab");
  check(" i j , j k -> i k ", {{2, 3}, {3, 4}}, "ij,jk->ik");
}

BOOST_AUTO_TEST_CASE(dtypes_are_promoted_and_sizes_may_be_symbols) {
  Graph g;
  const Tensor x = g.input("x", {"batch", 3}, DType::i32), w = g.input("w", {3, 4}),
               mask = g.input("mask", {"batch"}, DType::boolean);
  const Tensor y = einsum("bi,ij->bj", {x, w});
  BOOST_TEST((y.dtype() == DType::f32));
  BOOST_TEST((y.shape() == Shape{"batch", 4}));
  BOOST_TEST((einsum("i->", {mask}).dtype() == DType::i64));
  BOOST_TEST((einsum("...i,...i", {x, x}).shape() == Shape{"batch"}));
}

BOOST_AUTO_TEST_CASE(a_matrix_product_needs_no_transpose) {
  Graph g;
  const Tensor a = g.input("a", {2, 3}), b = g.input("b", {4, 3});
  (void)einsum("ij,kj->ik", {a, b});
  for (int id = 0; id < g.node_count(); ++id) BOOST_TEST(g.node(id).op->name != "transpose");
}

BOOST_AUTO_TEST_CASE(gradients) {
  const Array a = Array::from<double>({0.3, -1.2, 0.8, 2.1, -0.4, 1.7}, {2, 3}),
              b = Array::from<double>({1, 0.5, -2, 0.25, 3, -1}, {3, 2});
  const Array s = Array::from<double>({0.3, -1.2, 0.8, 2.1}, {2, 2});
  const auto correct = [](const GradcheckReport& report) { BOOST_TEST(report.passed, report.message); };
  correct(gradcheck([](auto v) { return einsum("ij,jk->ki", {v[0], v[1]}); }, {a, b}));
  correct(gradcheck([](auto v) { return einsum("ij,ji->i", {v[0], v[1]}); }, {a, b}));
  correct(gradcheck([](auto v) { return einsum("ii,ij->j", {v[0], v[1]}); }, {s, a}));
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  const std::string file = "einsum_test.cpp:";
  Graph g, other;
  const Tensor x = g.input("x", {2, 3}), y = g.input("y", {4, 5}), n = g.input("n", {"k", "k"});
  const int made = __LINE__ - 1;
  const int line = __LINE__ + 1;
  const std::string sizes = message_of([&] { (void)einsum("ij,jk", {x, y}); });
  BOOST_TEST(sizes == file + std::to_string(line) + ": einsum: \"ij,jk\": the sizes of 'j' differ, 3 and 4\n" +
                          "  operands 1 \"x\"  f32[2, 3]  input, " + file + std::to_string(made) +
                          "\n  operands 2 \"y\"  f32[4, 5]  input, " + file + std::to_string(made) +
                          "\n  einsum needs letters for the axes of every operand: \"ij,jk->ik\", \"...ij->...ji\"");
  const auto problem = [&](std::string_view equation, const std::vector<Tensor>& operands) {
    const std::string text = message_of([&] { (void)einsum(equation, operands); });
    const std::string head = fmt::format("einsum: \"{}\": ", equation);
    const size_t at = text.find(head);
    return at == std::string::npos ? text : text.substr(at + head.size(), text.find('\n') - at - head.size());
  };
  BOOST_TEST(problem("ij", {x, y}) == "it has 1 operands, 2 were given");
  BOOST_TEST(problem("ijk->i", {x}) == "\"ijk\" does not fit operand 0 of 2 axes");
  BOOST_TEST(problem("...ijk", {x}) == "\"...ijk\" does not fit operand 0 of 2 axes");
  BOOST_TEST(problem("i1->i", {x}) == "'1' is no letter");
  BOOST_TEST(problem("......", {x}) == "there are two ellipses in one list of letters");
  BOOST_TEST(problem("ij->ii", {x}) == "the result has 'i' twice");
  BOOST_TEST(problem("ij->ik", {x}) == "the result has 'k', which no operand has");
  BOOST_TEST(problem("i...->i", {x}) == "the operands have axes of an ellipsis, which the result must have too");
  BOOST_TEST(problem("ii", {n}) == "the diagonal of 'i' needs a size that is a number, not k");
  BOOST_TEST(message_of([&] {
               (void)einsum("", {});
             }).ends_with(": einsum: there are no operands\n  einsum needs Tensors of one graph"));
  BOOST_TEST(
      message_of([&] {
        (void)einsum("i,i", {x, other.input("z", {3})});
      }).ends_with(": einsum: an operand is an empty Tensor or of another graph\n  einsum needs Tensors of one graph"));
}

BOOST_AUTO_TEST_SUITE_END()
