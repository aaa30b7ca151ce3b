// pack: weights that serve many products are packed once: those that stay the same in all steps of a scan before it,
// those that are constants now.
#include <gradloom/graph/bfloat16.hpp>
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/packed_product_internal.hpp>
#include <gradloom/ops/scan_internal.hpp>
#include <gradloom/runtime/bodies_internal.hpp>
#include <gradloom/runtime/node_plan_internal.hpp>
#include <gradloom/runtime/passes_internal.hpp>

#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace gradloom::inline v0 {

namespace {

/// Copies the body of a scan with packed weights as further constants.
class BodyPacker {
 public:
  BodyPacker(const ScanForm& form, Graph& graph, std::span<const Tensor> operands, bool pairs)
      : form_(form), from_(*form.body), graph_(graph), operands_(operands.begin(), operands.end()), pairs_(pairs) {
    const std::vector<Tensor> inputs = from_.graph.inputs();
    for (size_t i = static_cast<size_t>(form.carried + form.sequences); i < inputs.size(); ++i) {
      constant_of_[inputs[i].node_id()] = static_cast<int>(i);
    }
  }

  /// The new body, or nothing where there is no such product; operands() are then those of the new scan.
  std::optional<ScanForm> run() {
    std::map<int, Tensor> packed;  // by product
    auto body = std::make_shared<Subgraph>();
    std::map<Value, Tensor> made;
    for (const Tensor& input : from_.graph.inputs()) copy(input.node(), *body, made);
    for (int id = 0; id < from_.graph.node_count(); ++id) {
      const Node& node = from_.graph.node(id);
      if (suits_packing(from_.graph, node) && constant_of_.contains(node.inputs[1].node)) {
        packed[id] = packed_input(node, *body);
      }
    }
    if (packed.empty()) return std::nullopt;
    for (int id = 0; id < from_.graph.node_count(); ++id) {
      const Node& node = from_.graph.node(id);
      if (is_input(node)) continue;
      if (const auto weights = packed.find(id); weights != packed.end()) {
        made[{id, 0}] = packed_matmul(body->graph, node, made.at(node.inputs[0]), weights->second);
      } else {
        copy(node, *body, made);
      }
    }
    for (const Tensor& output : from_.outputs) body->outputs.push_back(made.at({output.node_id(), output.output()}));
    ScanForm form = form_;
    form.constants += static_cast<int>(inputs_.size());
    form.body = std::move(body);
    return form;
  }

  [[nodiscard]] const std::vector<Tensor>& operands() const { return operands_; }

 private:
  void copy(const Node& node, Subgraph& body, std::map<Value, Tensor>& made) {
    std::vector<Tensor> inputs;
    for (const Value& value : node.inputs) inputs.push_back(made.at(value));
    const Tensor first = body.graph.add_copy(node, inputs, node.attributes);
    for (int i = 0; i < node.output_count(); ++i) made[{node.id, i}] = body.graph.tensor(first.node_id(), i);
  }

  /// The input of the new body for what a product reads, packed: one for all products that read the same.
  Tensor packed_input(const Node& product, Subgraph& body) {
    const int constant = constant_of_.at(product.inputs[1].node);
    const auto [known, is_new] = inputs_.try_emplace({constant, product.attributes.get<bool>("transpose_b")});
    if (is_new) {
      const bool pairs = pairs_ && suits_pairs(from_.graph, product, true);
      const Tensor packed = pack_weights(graph_, product, operands_[static_cast<size_t>(constant)], pairs);
      operands_.push_back(packed);
      known->second = body.graph.input("packed_" + std::to_string(inputs_.size()), packed.shape(), packed.dtype(),
                                       product.location);
    }
    return known->second;
  }

  const ScanForm& form_;
  const Subgraph& from_;
  Graph& graph_;
  std::vector<Tensor> operands_;
  const bool pairs_;
  std::map<int, int> constant_of_;                 // node of the body -> operand of the scan
  std::map<std::pair<int, bool>, Tensor> inputs_;  // by operand, and whether it is transposed
};

class Packer final : public Rewriter {
 public:
  Packer(const Module& from, const PassOptions& options) : Rewriter(from), from_(from.graph), options_(options) {}

 protected:
  std::vector<Tensor> rewrite(const Node& node, std::span<const Tensor> inputs) override {
    const bool narrow = options_.narrow && node.outputs[0].dtype == DType::f32;
    if (suits_packing(from_, node, narrow) && is_constant(from_.node(node.inputs[1].node))) {
      return {packed_matmul(graph(), node, inputs[0], packed_constant(node, inputs[1]))};
    }
    if (is_scan(node)) {
      const ScanForm form(node);
      BodyPacker packer(form, graph(), inputs, options_.pairs);
      if (const auto packed = packer.run()) return copy(node, packer.operands(), packed->attributes());
    }
    return Rewriter::rewrite(node, inputs);
  }

 private:
  Tensor packed_constant(const Node& product, const Tensor& weights) {
    const auto [known, is_new] = packed_.try_emplace({weights.node_id(), product.attributes.get<bool>("transpose_b")});
    if (!is_new) return known->second;
    // The plan wants the node in its graph; as nobody reads it, the next pass removes it.
    const Tensor made = pack_weights(graph(), product, weights);
    const void* const from[] = {literal_of(weights.node()).bytes.data()};
    Literal literal = computed_value({graph(), made.node(), options_.isa}, from);
    if (options_.narrow && literal.dtype == DType::f32) literal = rounded_to_bf16(literal);
    Node constant = made.node();
    constant.op = &constant_def;
    return known->second =
               graph().add_copy(constant, {}, {{"literal", std::make_shared<const Literal>(std::move(literal))}});
  }

  static Literal rounded_to_bf16(const Literal& from) {
    Literal literal{DType::bf16, from.sizes, std::vector<std::byte>(from.bytes.size() / 2)};
    for (size_t i = 0; i < literal.bytes.size() / sizeof(BFloat16); ++i) {
      float x = 0;
      std::memcpy(&x, &from.bytes[i * sizeof(float)], sizeof(float));
      const BFloat16 rounded(x);
      std::memcpy(&literal.bytes[i * sizeof(BFloat16)], &rounded, sizeof(BFloat16));
    }
    return literal;
  }

  const Graph& from_;
  const PassOptions& options_;
  std::map<std::pair<int, bool>, Tensor> packed_;
};

}  // namespace

Module pack(const Module& module, const PassOptions& options) {
  const Module packed = everywhere(module, [&](const Module& from) { return Packer(from, options).run(); });
  return runs_bodies(packed.graph) ? prune(packed) : Rewriter(packed).run();
}

}  // namespace gradloom::inline v0
