// A tensor as a formula, to compare what passes make of a graph: "softplus(x)", "add(x, 1)".
#pragma once

#include <gradloom/graph/tensor.hpp>

#include <string>

namespace gradloom::test {

/// Inputs and parameters by name, constants of one value as that value; what only repeats or passes on elements
/// (broadcast, reshape) is left out.
std::string formula(const Tensor& tensor);

}  // namespace gradloom::test
