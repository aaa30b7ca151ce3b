// For functions that must look at their arguments before there is a node whose shape rule could.
#pragma once

#include <gradloom/graph/op_def.hpp>
#include <gradloom/graph/source_location.hpp>
#include <gradloom/graph/tensor.hpp>

#include <span>
#include <string>
#include <string_view>

namespace gradloom::inline v0 {

/// Throws the Error that the op's shape rule would throw for these operands: op, operands, rule and the user's line.
[[noreturn]] void refuse(const OpDef& op, std::span<const Tensor> operands, const std::string& problem,
                         SourceLocation location);
/// The same for a function of one Tensor x that is made of other ops.
[[noreturn]] void refuse(std::string_view function, std::string_view rule, const Tensor& x, const std::string& problem,
                         SourceLocation location);

}  // namespace gradloom::inline v0
