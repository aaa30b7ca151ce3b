#include <gradloom/graph/bodies.hpp>
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/dot.hpp>
#include <gradloom/graph/needed_internal.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/subgraph.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace gradloom::inline v0 {

namespace {

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n') {
      result += "\\n";
    } else {
      result += c;
    }
  }
  return result + "\"";
}

/// The nodes and scopes directly within a scope.
struct Frame {
  std::map<std::string, Frame, std::less<>> frames;
  std::vector<int> nodes;
};

class Drawing {
 public:
  /// `prefix`: of the names of the nodes.
  Drawing(const Graph& graph, std::span<const Tensor> outputs, std::string prefix)
      : graph_(graph), outputs_(outputs), prefix_(std::move(prefix)) {}

  std::string draw(const std::vector<bool>& shown) {
    return "digraph {\n  node [shape=box, style=filled, fillcolor=white]\n" + draw(shown, "  ") + "}\n";
  }

 private:
  std::string draw(const std::vector<bool>& shown, const std::string& indent) {
    Frame outermost;
    for (size_t id = 0; id < shown.size(); ++id) {
      if (!shown[id]) continue;
      const Node& node = graph_.node(static_cast<int>(id));
      Frame* frame = &outermost;
      for (std::string_view rest = node.path; !rest.empty();) {
        const size_t end = std::min(rest.find('/'), rest.size());
        frame = &frame->frames[std::string(rest.substr(0, end))];
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
      frame->nodes.push_back(node.id);
    }
    draw_frame(outermost, "", indent);
    for (size_t id = 0; id < shown.size(); ++id) {
      if (!shown[id]) continue;
      for (const Value& value : graph_.node(static_cast<int>(id)).inputs) {
        const TensorType& type = graph_.node(value.node).outputs[static_cast<size_t>(value.output)];
        text_ += fmt::format("{}{}{} -> {}{} [label={}]\n", indent, prefix_, value.node, prefix_, id,
                             quoted(to_string(type)));
      }
    }
    for (size_t id = 0; id < shown.size(); ++id) {
      if (shown[id]) draw_bodies(graph_.node(static_cast<int>(id)), indent);
    }
    return text_;
  }

  /// Each body that a node runs, as a frame that hangs on the node.
  void draw_bodies(const Node& node, const std::string& indent) {
    int number = 0;
    for (const std::shared_ptr<const Subgraph>& body : bodies_of(node)) {
      const std::string prefix = fmt::format("{}{}_{}_", prefix_, node.id, number++);
      const std::vector<bool> all(static_cast<size_t>(body->graph.node_count()), true);
      text_ += fmt::format("{}subgraph {} {{\n{}  label={}\n", indent, quoted("cluster " + prefix), indent,
                           quoted(fmt::format("body of {}", node.label())));
      text_ += Drawing(body->graph, body->outputs, prefix).draw(all, indent + "  ");
      text_ += fmt::format("{}}}\n", indent);
      for (const Tensor& output : body->outputs) {
        text_ += fmt::format("{}{}{} -> {}{} [style=dashed]\n", indent, prefix, output.node_id(), prefix_, node.id);
      }
    }
  }

  void draw_frame(const Frame& frame, const std::string& path, const std::string& indent) {
    for (const int id : frame.nodes) {
      const Node& node = graph_.node(id);
      const std::string label =
          node.name.empty() ? std::string(node.op->name) : fmt::format("{}\n{}", node.op->name, node.name);
      const bool wanted =
          std::any_of(outputs_.begin(), outputs_.end(), [&](const Tensor& t) { return t.node_id() == id; });
      std::string look;
      if (is_input(node)) look += ", shape=ellipse";
      if (is_parameter(node)) look += ", fillcolor=lightgrey";
      if (wanted) look += ", peripheries=2";
      text_ += fmt::format("{}{}{} [label={}{}]\n", indent, prefix_, id, quoted(label), look);
    }
    for (const auto& [name, inner] : frame.frames) {
      const std::string inner_path = path.empty() ? name : path + "/" + name;
      text_ += fmt::format("{}subgraph {} {{\n{}  label={}\n", indent,
                           quoted("cluster " + (prefix_ == "n" ? "" : prefix_) + inner_path), indent, quoted(name));
      draw_frame(inner, inner_path, indent + "  ");
      text_ += indent;
      text_ += "}\n";
    }
  }

  const Graph& graph_;
  std::span<const Tensor> outputs_;
  std::string prefix_;
  std::string text_;
};

}  // namespace

std::string to_dot(const Graph& graph) {
  return Drawing(graph, {}, "n").draw(std::vector<bool>(static_cast<size_t>(graph.node_count()), true));
}

std::string to_dot(const Graph& graph, std::span<const Tensor> outputs) {
  return Drawing(graph, outputs, "n").draw(needed_nodes(graph, outputs));
}

}  // namespace gradloom::inline v0
