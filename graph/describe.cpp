#include <gradloom/graph/describe_internal.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace gradloom::inline v0 {

std::string to_string(const SourceLocation& location) {
  if (!location.known()) return {};
  const std::string_view file = location.file;
  return fmt::format("{}:{}", file.substr(file.find_last_of('/') + 1), location.line);
}

std::string to_string(const TensorType& type) { return std::string(to_string(type.dtype)) + type.shape.to_string(); }

std::string Node::label() const { return name.empty() ? fmt::format("{}_{}", op->name, id) : name; }

std::string operand_name(const OpDef& op, int i) {
  const int named = static_cast<int>(op.inputs.size());
  if (i + 1 < named || (i < named && !op.variadic)) return std::string(op.inputs[static_cast<size_t>(i)]);
  return fmt::format("{} {}", named > 0 ? op.inputs.back() : "input", i - std::max(named - 1, 0) + 1);
}

std::string describe_operands(const Graph& graph, const OpDef& op, std::span<const Value> inputs) {
  struct Line {
    std::string who, type, origin;
  };
  std::vector<Line> lines;
  size_t who = 0, type = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Node& node = graph.node(inputs[i].node);
    const std::string place = to_string(node.location);
    lines.push_back({fmt::format("{} \"{}\"", operand_name(op, static_cast<int>(i)), node.label()),
                     to_string(node.outputs[static_cast<size_t>(inputs[i].output)]),
                     place.empty() ? std::string(node.op->name) : fmt::format("{}, {}", node.op->name, place)});
    who = std::max(who, lines.back().who.size());
    type = std::max(type, lines.back().type.size());
  }
  std::string text;
  for (const Line& line : lines) {
    text +=
        fmt::format("{}{:<{}}  {:<{}}  {}", text.empty() ? "" : "\n  ", line.who, who, line.type, type, line.origin);
  }
  return text;
}

namespace {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0u : 1u)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest_name(std::string_view name, std::span<const std::string> candidates) {
  std::string nearest;
  size_t least = std::max<size_t>(name.size() / 3, 1) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = edit_distance(name, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace gradloom::inline v0
