#include <gradloom/runtime/bodies_internal.hpp>

namespace gradloom::inline v0 {

namespace {

class BodyRewriter final : public Rewriter {
 public:
  BodyRewriter(const Module& from, Pass pass) : Rewriter(from), pass_(pass) {}

 protected:
  std::vector<Tensor> rewrite(const Node& node, std::span<const Tensor> inputs) override {
    if (!node.op->properties.runs_bodies) return Rewriter::rewrite(node, inputs);
    return copy(node, inputs, with_transformed_bodies(node, pass_));
  }

 private:
  Pass pass_;
};

}  // namespace

bool runs_bodies(const Graph& graph) {
  for (int id = 0; id < graph.node_count(); ++id) {
    if (graph.node(id).op->properties.runs_bodies) return true;
  }
  return false;
}

std::shared_ptr<const Subgraph> transformed(const Subgraph& body, Pass pass) {
  // The inputs are wanted too, or the passes would remove those that nothing depends on.
  std::vector<Tensor> wanted = body.outputs;
  for (const Tensor& input : body.graph.inputs()) wanted.push_back(input);
  Module after = pass(Rewriter(body.graph, wanted, {}).run());
  auto made = std::make_shared<Subgraph>();
  made->graph = std::move(after.graph);
  made->outputs.assign(after.outputs.begin(), after.outputs.begin() + static_cast<std::ptrdiff_t>(body.outputs.size()));
  return made;
}

Attributes with_transformed_bodies(const Node& node, Pass pass) {
  Attributes attributes = node.attributes;
  for (const auto& [name, value] : node.attributes.items()) {
    const auto* body = value.get_if<std::shared_ptr<const Subgraph>>();
    if (body != nullptr) attributes.set(name, transformed(**body, pass));
  }
  return attributes;
}

Module in_bodies(const Module& module, Pass pass) { return BodyRewriter(module, pass).run(); }

Module everywhere(const Module& module, Pass pass) {
  if (!runs_bodies(module.graph)) return pass(module);
  return pass(in_bodies(module, [&](const Module& body) { return everywhere(body, pass); }));
}

}  // namespace gradloom::inline v0
