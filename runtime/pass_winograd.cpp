// winograd: convolutions that are faster by Winograd's algorithm are marked to run by it.
#include <gradloom/ops/convolution_internal.hpp>
#include <gradloom/runtime/passes_internal.hpp>

namespace gradloom::inline v0 {

namespace {

class Marker final : public Rewriter {
 public:
  Marker(const Module& from, const PassOptions& options) : Rewriter(from), from_(from), options_(options) {}

 protected:
  std::vector<Tensor> rewrite(const Node& node, std::span<const Tensor> inputs) override {
    if (!suits_winograd({from_.graph, node, options_.isa})) return Rewriter::rewrite(node, inputs);
    Attributes attributes = node.attributes;
    attributes.set("algorithm", std::string("winograd"));
    return copy(node, inputs, attributes);
  }

 private:
  const Module& from_;
  const PassOptions& options_;
};

}  // namespace

Module choose_winograd(const Module& module, const PassOptions& options) { return Marker(module, options).run(); }

}  // namespace gradloom::inline v0
