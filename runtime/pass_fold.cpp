// fold: where weights are constants, a scale and a shift for each channel that follow the product (batch norm, as it is
// when it is used) go into the weights and into one bias: (x W + b) s + t becomes x (W s) + (b s + t). A rule of an op
// (OpDef::simplify) could not: it does not see who else reads the product, which then would be computed twice.
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/constant_weights_internal.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/runtime/passes_internal.hpp>

#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace gradloom::inline v0 {

namespace {

using Numbers = std::vector<double>;

template <class T>
Numbers elements_of(const Literal& literal) {
  std::vector<T> elements(literal.bytes.size() / sizeof(T));
  std::memcpy(elements.data(), literal.bytes.data(), elements.size() * sizeof(T));
  return {elements.begin(), elements.end()};
}

/// The constant that x repeats along all but its last axis.
std::optional<Numbers> channel_numbers(const Tensor& x) {
  const auto channels = static_cast<size_t>(x.dim(-1).value());
  if (const std::optional<double> uniform = uniform_value(x)) return Numbers(channels, *uniform);
  const Tensor source = made_by(x, broadcast_def) ? input_of(x) : x;
  if (!is_constant(source.node()) || source.dim(-1) != x.dim(-1) || source.shape().element_count() != x.dim(-1))
    return std::nullopt;
  const Literal& literal = literal_of(source.node());
  return literal.dtype == DType::f64 ? elements_of<double>(literal) : elements_of<float>(literal);
}

class Folder final : public Rewriter {
 public:
  explicit Folder(const Module& from) : Rewriter(from), readers_(static_cast<size_t>(from.graph.node_count())) {
    const std::vector<bool> needed = needed_nodes(from);
    for (int id = 0; id < from.graph.node_count(); ++id) {
      if (!needed[static_cast<size_t>(id)]) continue;
      for (const Value& value : from.graph.node(id).inputs) ++readers_[static_cast<size_t>(value.node)];
    }
    for (const Tensor& output : from.outputs) ++readers_[static_cast<size_t>(output.node_id())];
  }

 protected:
  std::vector<Tensor> rewrite(const Node& node, std::span<const Tensor> inputs) override {
    const Tensor folded = fold(node, inputs);
    std::vector<Tensor> made = folded.valid() ? std::vector{folded} : Rewriter::rewrite(node, inputs);
    readers_of_[made[0].node_id()] = readers_[static_cast<size_t>(node.id)];
    return made;
  }

 private:
  /// A product with constant weights, and what is added to each channel of it, if anything.
  struct Affine {
    Tensor product;
    Numbers shift{};
  };

  /// Products that this pass has made are read by what it has put in the place of a node, and by nothing else.
  [[nodiscard]] bool has_one_reader(const Tensor& x) const {
    const auto readers = readers_of_.find(x.node_id());
    return readers == readers_of_.end() || readers->second == 1;
  }

  [[nodiscard]] std::optional<Affine> affine(const Tensor& x) const {
    if (has_constant_weights(x.graph(), x.node())) return Affine{x};
    if (!made_by(x, add_def) || !has_one_reader(x)) return std::nullopt;
    for (const int i : {0, 1}) {
      const Tensor product = input_of(x, i);
      if (!has_constant_weights(x.graph(), product.node())) continue;
      if (std::optional<Numbers> shift = channel_numbers(input_of(x, 1 - i))) return Affine{product, std::move(*shift)};
    }
    return std::nullopt;
  }

  Tensor fold(const Node& node, std::span<const Tensor> inputs) {
    const bool scales = node.op == &mul_def, subtracts = node.op == &sub_def;
    if (!scales && !subtracts && node.op != &add_def) return {};
    for (const size_t i : {0, 1}) {
      if (subtracts && i == 1) continue;
      std::optional<Affine> y = affine(inputs[i]);
      if (!y) continue;
      const std::optional<Numbers> numbers = channel_numbers(inputs[1 - i]);
      if (!numbers) continue;
      if (scales) {
        y->product = has_one_reader(y->product) ? scaled(y->product, *numbers) : Tensor();
        if (!y->product.valid()) continue;
        for (size_t c = 0; c < y->shift.size(); ++c) y->shift[c] *= (*numbers)[c];
      } else {
        if (y->shift.empty() && !subtracts) continue;  // a bias, as it should be
        y->shift.resize(numbers->size());
        for (size_t c = 0; c < y->shift.size(); ++c) y->shift[c] += subtracts ? -(*numbers)[c] : (*numbers)[c];
      }
      const SourceScope scope(graph(), node, "");
      const Tensor result = y->shift.empty() ? y->product : shifted(y->product, y->shift);
      if (!node.name.empty() && result.node().name.empty()) graph().set_name(result, node.name);
      return result;
    }
    return {};
  }

  Tensor scaled(const Tensor& product, const Numbers& scale) {
    std::optional<Literal> weights = scaled_weights(graph(), product.node(), scale);
    if (!weights) return {};
    const Tensor operands[] = {input_of(product),
                               graph().add_copy(input_of(product, 1).node(), {},
                                                {{"literal", std::make_shared<const Literal>(std::move(*weights))}})};
    return graph().add_copy(product.node(), operands, product.node().attributes);
  }

  Tensor shifted(const Tensor& product, const Numbers& shift) {
    const DType dtype = product.dtype();
    Literal literal{dtype, {static_cast<int64_t>(shift.size())}, std::vector<std::byte>(shift.size() * size_of(dtype))};
    for (size_t c = 0; c < shift.size(); ++c) {
      const auto rounded = static_cast<float>(shift[c]);
      std::memcpy(&literal.bytes[c * size_of(dtype)],
                  dtype == DType::f64 ? static_cast<const void*>(&shift[c]) : &rounded, size_of(dtype));
    }
    return product + broadcast(constant(graph(), std::move(literal)), product.shape());
  }

  std::vector<int> readers_;       // by node of the old graph, outputs counted
  std::map<int, int> readers_of_;  // the same, by the node of the new graph that stands for it
};

}  // namespace

Module fold(const Module& module) { return Rewriter(Folder(module).run()).run(); }

}  // namespace gradloom::inline v0
