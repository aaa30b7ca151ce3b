#include <gradloom/graph/text.hpp>
#include <gradloom/ops/op_table.hpp>
#include <gradloom/ops/parse.hpp>

namespace gradloom::inline v0 {

Subgraph parse_text(std::string_view text) { return parse_text(text, all_ops()); }

}  // namespace gradloom::inline v0
