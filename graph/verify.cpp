#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/graph/infer_internal.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/subgraph.hpp>
#include <gradloom/graph/verify.hpp>

#include <fmt/format.h>

#include <map>

namespace gradloom::inline v0 {

namespace {

std::string to_string(const std::vector<TensorType>& types) {
  std::string text;
  for (const TensorType& type : types) text += (text.empty() ? "" : ", ") + to_string(type);
  return text;
}

class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph) {}

  std::vector<std::string> run() {
    for (int id = 0; id < graph_.node_count(); ++id) {
      const Node& node = graph_.node(id);
      if (!check_links(node, id)) continue;  // nothing else can be asked of it
      check_name(node);
      if (check_attributes(node)) check_types(node);
    }
    for (const DimConstraint& constraint : graph_.constraints()) {
      if (constraint.node < 0 || constraint.node >= graph_.node_count()) {
        find(fmt::format("a constraint belongs to node {}, which does not exist", constraint.node));
      }
    }
    for (const Update& update : graph_.side_updates()) check_update(update);
    return std::move(findings_);
  }

 private:
  void find(std::string finding) { findings_.push_back(std::move(finding)); }
  void find(const Node& node, std::string_view finding) { find(fmt::format("\"{}\" {}", node.label(), finding)); }

  bool check_links(const Node& node, int id) {
    const size_t before = findings_.size();
    if (node.op == nullptr || node.op->shape == nullptr) {
      find(fmt::format("node {} has no op", id));
      return false;
    }
    if (node.id != id) find(node, fmt::format("is numbered {}, but is node {}", node.id, id));
    for (const Value& value : node.inputs) {
      if (value.node < 0 || value.node >= id) {
        find(node, fmt::format("uses node {}, which does not come before it", value.node));
      } else if (value.output < 0 || value.output >= graph_.node(value.node).output_count()) {
        find(node, fmt::format("uses output {} of \"{}\", which has {}", value.output, graph_.node(value.node).label(),
                               graph_.node(value.node).output_count()));
      }
    }
    return findings_.size() == before;
  }

  void check_name(const Node& node) {
    if (!is_input(node) && !is_parameter(node)) return;
    if (node.name.empty())
      return find(node, fmt::format("is {} {} without a name", is_input(node) ? "an" : "a", node.op->name));
    const auto [other, is_new] = names_.emplace(node.name, node.id);
    if (!is_new) find(node, fmt::format("has the name of node {} too", other->second));
  }

  /// False if an op that looks at them would crash.
  bool check_attributes(const Node& node) {
    bool whole = true;
    std::map<std::string_view, int> count;
    for (const auto& [name, value] : node.attributes.items()) {
      if (++count[name] == 2) find(node, fmt::format("has two attributes \"{}\"", name));
      const auto* literal = value.get_if<std::shared_ptr<const Literal>>();
      const auto* body = value.get_if<std::shared_ptr<const Subgraph>>();
      if ((literal != nullptr && *literal == nullptr) || (body != nullptr && *body == nullptr)) {
        find(node, fmt::format("has an empty attribute \"{}\"", name));
        whole = false;
      } else if (body != nullptr) {
        for (const std::string& finding : Verifier((*body)->graph).run()) {
          find(node, fmt::format("has a body \"{}\" in which {}", name, finding));
        }
      }
    }
    return whole;
  }

  void check_types(const Node& node) {
    try {
      const Inferred inferred = infer(graph_, node);
      if (inferred.outputs == node.outputs) return;
      find(node,
           fmt::format("has the types {}, its op infers {}", to_string(node.outputs), to_string(inferred.outputs)));
    } catch (const Error& error) {
      find(node, fmt::format("is refused by its op: {}", error.problem()));
    }
  }

  void check_update(const Update& update) {
    const Node& parameter = update.parameter.node();
    const TensorType& given = update.value.node().outputs[static_cast<size_t>(update.value.output())];
    if (&update.value.graph() != &graph_ || &update.parameter.graph() != &graph_) {
      find(parameter, "has a side update across graphs");
    } else if (parameter.outputs[0] != given) {
      find(parameter, fmt::format("is {}, its side update is {}", to_string(parameter.outputs), to_string(given)));
    }
  }

  const Graph& graph_;
  std::vector<std::string> findings_;
  std::map<std::string, int> names_;  // of inputs and parameters
};

}  // namespace

void verify(const Graph& graph) {
  const std::vector<std::string> findings = Verifier(graph).run();
  if (findings.empty()) return;
  throw Error(
      {.problem = fmt::format("the graph is broken, {} finding{}", findings.size(), findings.size() == 1 ? "" : "s"),
       .details = fmt::format("{}", fmt::join(findings, "\n  "))});
}

}  // namespace gradloom::inline v0
