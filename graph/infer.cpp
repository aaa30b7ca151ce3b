#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/graph/infer_internal.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0 {

namespace {

class NodeContext final : public ShapeContext {
 public:
  NodeContext(const Graph& graph, const Node& node, std::vector<DimConstraint>& constraints)
      : graph_(graph), node_(node), constraints_(constraints) {}

  const OpDef& op() const override { return *node_.op; }
  int input_count() const override { return static_cast<int>(node_.inputs.size()); }
  const TensorType& input(int i) const override {
    const Value& value = node_.inputs[static_cast<size_t>(i)];
    return graph_.node(value.node).outputs[static_cast<size_t>(value.output)];
  }
  const Attributes& attributes() const override { return node_.attributes; }

  void fail(const std::string& problem) const override {
    throw Error({.problem = problem,
                 .op = std::string(node_.op->name),
                 .node = node_.name,
                 .location = to_string(node_.location),
                 .details = describe_operands(graph_, *node_.op, node_.inputs),
                 .rule = std::string(node_.op->rule)});
  }

  Dim require_equal(const Dim& a, const Dim& b, std::string_view what) const override {
    if (a == b) return a;
    const Dim difference = a - b;
    if (difference.known()) fail(fmt::format("{} differ, {} and {}", what, a.to_string(), b.to_string()));
    constraints_.push_back({a, b, node_.id, std::string(what)});
    return a.known() ? a : b;
  }

 private:
  const Graph& graph_;
  const Node& node_;
  std::vector<DimConstraint>& constraints_;
};

}  // namespace

ShapeContext::~ShapeContext() = default;

int ShapeContext::axis(int64_t axis, int rank) const {
  if (axis < -rank || axis >= rank) fail(fmt::format("there is no axis {} in a tensor of rank {}", axis, rank));
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

Inferred infer(const Graph& graph, const Node& node) {
  Inferred inferred;
  const NodeContext context(graph, node, inferred.constraints);
  const int named = static_cast<int>(node.op->inputs.size());
  const int given = context.input_count();
  if (node.op->variadic ? given < named : given != named) {
    context.fail(fmt::format("{} inputs given, {}{} needed", given, node.op->variadic ? "at least " : "", named));
  }
  // A pointwise op says itself which dtypes it has loops for.
  for (int i = 0; i < given && !node.op->properties.takes_bf16 && node.op->pointwise == nullptr; ++i) {
    if (context.dtype(i) == DType::bf16)
      context.fail(fmt::format("{} is bf16, which is for storage: it must be cast to f32", operand_name(*node.op, i)));
  }
  inferred.outputs = node.op->shape(context);
  return inferred;
}

}  // namespace gradloom::inline v0
