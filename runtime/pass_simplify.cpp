// simplify: identities that ops state about themselves, constants folded, equal nodes merged. Repeated until nothing
// changes, for one simplification makes way for the next.
#include <gradloom/graph/bodies.hpp>
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/runtime/bodies_internal.hpp>
#include <gradloom/runtime/node_plan_internal.hpp>
#include <gradloom/runtime/passes_internal.hpp>

#include <algorithm>
#include <map>

namespace gradloom::inline v0 {

namespace {

// What nodes without inputs (iota, sizes) may fold to.
constexpr size_t most_folded_bytes = 4096;

class Simplifier final : public Rewriter {
 public:
  Simplifier(const Module& from, const PassOptions& options) : Rewriter(from), options_(options) {}
  [[nodiscard]] bool changed() const { return changed_; }

 protected:
  std::vector<Tensor> rewrite(const Node& node, std::span<const Tensor> inputs) override {
    if (const Tensor simpler = apply(node.op->simplify, node, inputs); simpler.valid()) {
      return changed_to(node.output_count() == 1 ? std::vector{simpler} : outputs_of(simpler.node()));
    }
    if (const Tensor before = before_broadcast(node, inputs); before.valid()) return changed_to({before});
    const bool pure = !has_property(node, &OpProperties::random) && !has_property(node, &OpProperties::per_run) &&
                      !is_input(node) && !is_parameter(node);
    if (!pure) return copy(node, inputs, node.attributes);
    if (foldable(node, inputs)) return changed_to({fold(node, inputs)});

    // An equal node is one of the same op, attributes and inputs; keyed by what compares cheaply.
    std::vector<Value> values;
    for (const Tensor& input : inputs) values.push_back({input.node_id(), input.output()});
    if (node.op->properties.commutative && values[1] < values[0]) std::swap(values[0], values[1]);
    const auto [begin, end] = known_.equal_range({node.op->name, values});
    for (auto it = begin; it != end; ++it) {
      const Node& other = graph().node(it->second);
      if (other.op != node.op || !(other.attributes == node.attributes)) continue;
      return changed_to(outputs_of(other));
    }
    std::vector<Tensor> made = copy(node, inputs, node.attributes);
    known_.emplace(Key{node.op->name, std::move(values)}, made[0].node_id());
    return made;
  }

 private:
  std::vector<Tensor> outputs_of(const Node& node) {
    std::vector<Tensor> outputs;
    for (int i = 0; i < node.output_count(); ++i) outputs.push_back(graph().tensor(node.id, i));
    return outputs;
  }

  using Key = std::pair<std::string_view, std::vector<Value>>;

  std::vector<Tensor> changed_to(std::vector<Tensor> outputs) {
    changed_ = true;
    return outputs;
  }

  /// f(broadcast(x), broadcast(y)) becomes broadcast(f(x, y)), if x and y are of one shape, or one is a single number.
  Tensor before_broadcast(const Node& node, std::span<const Tensor> inputs) {
    if (node.op->pointwise == nullptr || inputs.empty()) return {};
    const auto count = [](const Tensor& tensor) { return tensor.shape().element_count().value(); };
    std::vector<Tensor> sources;
    for (const Tensor& input : inputs) {
      if (!made_by(input, broadcast_def)) return {};
      sources.push_back(input_of(input));
    }
    const Shape shape = std::max_element(sources.begin(), sources.end(), [&](const Tensor& a, const Tensor& b) {
                          return count(a) < count(b);
                        })->shape();
    if (shape == node.outputs[0].shape) return {};
    const SourceScope scope(graph(), node, "");
    for (Tensor& source : sources) {
      if (source.shape() == shape) continue;
      if (count(source) != 1 || source.rank() > shape.rank()) return {};
      source = broadcast(source, shape);
    }
    return broadcast(graph().add_copy(node, sources, node.attributes), node.outputs[0].shape);
  }

  bool foldable(const Node& node, std::span<const Tensor> inputs) const {
    if (is_constant(node) || node.output_count() != 1 || has_property(node, &OpProperties::may_throw)) return false;
    // Nothing folds to more bytes than it is made of: a broadcast scalar stays one.
    size_t most_bytes = inputs.empty() ? most_folded_bytes : 0;
    for (const Tensor& input : inputs) {
      const Tensor source = source_of(input);
      if (!is_constant(source.node())) return false;
      most_bytes = std::max(most_bytes, std::max<size_t>(literal_of(source.node()).bytes.size(), sizeof(double)));
    }
    const TensorType& type = node.outputs[0];
    return type.shape.known() &&
           static_cast<size_t>(type.shape.element_count().value()) * size_of(type.dtype) <= most_bytes;
  }

  /// What a broadcast repeats, or x itself.
  static Tensor source_of(const Tensor& x) { return made_by(x, broadcast_def) ? input_of(x) : x; }

  Tensor fold(const Node& node, std::span<const Tensor> inputs) {
    std::vector<Literal> repeated;
    repeated.reserve(inputs.size());
    std::vector<const void*> from;
    for (const Tensor& input : inputs) {
      const Literal& literal = literal_of(source_of(input).node());
      const bool is_repeated = !is_constant(input.node());
      const void* const source[] = {literal.bytes.data()};
      from.push_back((is_repeated ? repeated.emplace_back(value_of(input, source)) : literal).bytes.data());
    }
    // The kernel plan wants the node in its new graph; a node that is then not used is removed by the next pass.
    const Tensor copied = copy(node, inputs, node.attributes)[0];
    Node folded = node;
    folded.op = &constant_def;
    return graph().add_copy(folded, {}, {{"literal", std::make_shared<const Literal>(value_of(copied, from))}});
  }

  [[nodiscard]] Literal value_of(const Tensor& x, std::span<const void* const> inputs) {
    return computed_value({graph(), x.node(), options_.isa}, inputs);
  }

  const PassOptions& options_;
  bool changed_ = false;
  std::multimap<Key, int> known_;
};

}  // namespace

Module simplify(const Module& module, const PassOptions& options) {
  return everywhere(module, [&](const Module& from) {
    constexpr int most_rounds = 8;
    Simplifier first(from, options);
    Module result = first.run();
    bool changed = first.changed();
    for (int round = 1; changed && round < most_rounds; ++round) {
      Simplifier next(result, options);
      result = next.run();
      changed = next.changed();
    }
    return result;
  });
}

}  // namespace gradloom::inline v0
