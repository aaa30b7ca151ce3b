#pragma once
// scratch, replaced by the autodiff branch
#include <string>
#include <vector>
#include <gradloom/graph/graph.hpp>
namespace gradloom::inline v0 { inline std::string to_text(const Graph&, const std::vector<Tensor>&) { return {}; } }
