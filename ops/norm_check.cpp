#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/norm_check_internal.hpp>
#include <gradloom/ops/refuse_internal.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace gradloom::inline v0 {

void check_norm(const OpDef& signature, const Operand& x, std::initializer_list<Tensor> scales, int least_rank) {
  std::vector<Tensor> operands{x.tensor()};
  operands.insert(operands.end(), scales);
  const auto fail = [&](size_t shown, const std::string& problem) {
    refuse(signature, std::span(operands).first(shown), problem, x.location());
  };
  for (size_t i = 1; i < operands.size(); ++i) {
    if (!operands[i].valid() || &operands[i].graph() != &operands[0].graph())
      fail(1, fmt::format("{} is an empty Tensor or of another graph", signature.inputs[i]));
  }
  if (operands[0].rank() == 0) fail(operands.size(), "x is a scalar");
  if (operands[0].rank() < least_rank) fail(operands.size(), fmt::format("the rank is {}", operands[0].rank()));
  const Shape wanted{operands[0].dim(-1)};
  const bool fit = std::all_of(scales.begin(), scales.end(), [&](const Tensor& s) { return s.shape() == wanted; });
  if (fit) return;
  fail(operands.size(), scales.size() == 1
                            ? fmt::format("the {} is not of shape {}", signature.inputs[1], wanted.to_string())
                            : fmt::format("{} and {} are not of shape {}", signature.inputs[1], signature.inputs[2],
                                          wanted.to_string()));
}

}  // namespace gradloom::inline v0
