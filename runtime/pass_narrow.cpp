// narrow: what is kept of f32 for long is stored as bf16, in half the memory. It runs after fuse, when it is known what
// is stored at all: rounding is the last thing that the region of a value does to it, and regions that read it load it
// as f32. Whoever else reads it long after gets an f32 copy, made just before; whoever else reads it soon after gets it
// as it was.
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/fusible_product_internal.hpp>
#include <gradloom/runtime/passes_internal.hpp>
#include <gradloom/runtime/region_internal.hpp>
#include <gradloom/runtime/settle_internal.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace gradloom::inline v0 {

namespace {

constexpr int64_t least_elements = 1024;
/// Kernels from a value's producer to its last reader. What is read sooner than this is gone soon.
constexpr int long_lived = 4;

/// An input of a node, in reading order.
struct Use {
  int node = 0, input = 0;
  auto operator<=>(const Use&) const = default;
};

enum class Reading : uint8_t {
  as_made,  ///< f32, before it is gone
  stored,   ///< bf16, which the region loads as f32
  copied,   ///< f32, made of the stored value when another input of the reader is there
};

class Narrowing {
 public:
  explicit Narrowing(const Module& module) : module_(module), graph_(module.graph), needed_(needed_nodes(module)) {
    const auto count = static_cast<size_t>(graph_.node_count());
    position_.resize(count);
    int position = 0;
    for (int id = 0; id < graph_.node_count(); ++id) {
      const Node& node = graph_.node(id);
      position_[static_cast<size_t>(id)] = position;
      if (!needed_[static_cast<size_t>(id)] || is_given(node)) continue;
      if (!node.op->properties.alias) ++position;
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        if (!node.op->properties.alias) uses_[root_of(graph_, node.inputs[i])].push_back({id, static_cast<int>(i)});
      }
    }
    for (const Tensor& output : module.outputs) results_.insert(root_of(graph_, {output.node_id(), output.output()}));
    for (const Update& update : module.updates)
      results_.insert(root_of(graph_, {update.value.node_id(), update.value.output()}));
    for (const auto& [value, uses] : uses_) decide(value, uses);
  }

  Module run() {
    for (int id = 0; id < graph_.node_count(); ++id) {
      if (needed_[static_cast<size_t>(id)]) emit(graph_.node(id));
    }
    for (const Tensor& output : module_.outputs) result_.outputs.push_back(made({output.node_id(), output.output()}));
    for (const Update& update : module_.updates) {
      result_.updates.push_back({made({update.parameter.node_id(), update.parameter.output()}),
                                 made({update.value.node_id(), update.value.output()})});
    }
    return std::move(result_);
  }

 private:
  static bool is_given(const Node& node) { return is_input(node) || is_parameter(node) || is_constant(node); }

  const TensorType& type_of(const Value& value) const {
    return graph_.node(value.node).outputs[static_cast<size_t>(value.output)];
  }
  int position(int node) const { return position_[static_cast<size_t>(node)]; }
  int producer_position(const Value& value) const {
    const int root = root_of(graph_, value).node;
    return is_given(graph_.node(root)) ? -1 : position(root);
  }

  // ---- what is narrowed, and how it is read

  void decide(const Value& value, const std::vector<Use>& uses) {
    const Node& producer = graph_.node(value.node);
    const TensorType& type = type_of(value);
    if (type.dtype != DType::f32 || is_given(producer) || results_.contains(value)) return;
    if (type.shape.element_count().value() < least_elements || !may_store(producer, value.output)) return;
    const auto is_far = [&](const Use& use) { return position(use.node) - position(value.node) >= long_lived; };
    if (std::none_of(uses.begin(), uses.end(), is_far) &&
        !(is_region(producer) && rounded_output(body_of(producer), value.output) >= 0))
      return;
    const bool as_made =
        std::any_of(uses.begin(), uses.end(), [&](const Use& use) { return !is_far(use) && !loads(use); });
    std::map<Use, Reading> readings;
    for (const Use& use : uses) {
      const bool far = is_far(use), loaded = loads(use) && (far || !as_made || rounds(use));
      // The copy would live as long; or, of what a loop reads, be there all at once.
      if (far && !loaded && (late_input(use) < 0 || graph_.node(use.node).op->properties.runs_bodies)) return;
      readings[use] = loaded ? Reading::stored : far ? Reading::copied : Reading::as_made;
    }
    readings_.merge(readings);
    narrowed_[value] = as_made;
  }

  // The output of a region that is bf16 of another one already, for a product that reads bf16, or -1.
  static int rounded_output(const Subgraph& body, int output) {
    for (size_t i = 0; i < body.outputs.size(); ++i) {
      const Node& rounded = body.outputs[i].node();
      if (rounded.op == &to_bf16_def && rounded.inputs[0].node == body.outputs[static_cast<size_t>(output)].node_id())
        return static_cast<int>(i);
    }
    return -1;
  }

  // Other kernels than regions and products store f32, and a node follows that makes bf16 of it.
  bool may_store(const Node& producer, int output) const {
    if (!is_region(producer)) return true;
    const Subgraph& body = body_of(producer);
    const Node& node = body.graph.node(body.outputs[static_cast<size_t>(output)].node_id());
    if (node.op->pointwise == nullptr && !is_fusible_product(body.graph, node)) return false;
    if (lane_type(body.graph) != DType::f32) return false;
    const auto space = row_space(body);
    return !space || !space->along_rows || node.outputs[0].shape == space->shape;
  }

  // Is it for bf16 of the value, which it is then already?
  bool rounds(const Use& use) const { return graph_.node(use.node).op == &to_bf16_def; }

  // Does a region read it element by element?
  bool loads(const Use& use) const {
    if (rounds(use)) return true;
    const Node& region = graph_.node(use.node);
    if (!is_region(region)) return false;
    const Graph& body = body_of(region).graph;
    if (lane_type(body) != DType::f32) return false;
    const Tensor input = body.inputs()[static_cast<size_t>(use.input)];
    for (int id = 0; id < body.node_count(); ++id) {
      const Node& node = body.node(id);
      const bool reads = std::any_of(node.inputs.begin(), node.inputs.end(),
                                     [&](const Value& value) { return value.node == input.node_id(); });
      if (!reads) continue;
      if (node.op->pointwise == nullptr && node.op->fused_reduce < 0) return false;
      if (node.op->pointwise != nullptr && node.outputs[0].shape != region_shape(region)) return false;
    }
    return true;
  }

  /// Of what a region runs along.
  static const Shape& region_shape(const Node& region) {
    const Graph& body = body_of(region).graph;
    for (int id = 0; id < body.node_count(); ++id) {
      const Node& node = body.node(id);
      if (node.op->fused_reduce >= 0) return body.node(node.inputs[0].node).outputs[0].shape;
      if (node.op->product != nullptr) return node.outputs[0].shape;
    }
    return body.node(body.node_count() - 1).outputs[0].shape;
  }

  // The input of the reader that is made last, if long after the one at hand: it tells when to make a copy.
  int late_input(const Use& use) const {
    const Node& reader = graph_.node(use.node);
    int latest = producer_position(reader.inputs[static_cast<size_t>(use.input)]) + long_lived - 1, found = -1;
    for (size_t i = 0; i < reader.inputs.size(); ++i) {
      if (producer_position(reader.inputs[i]) <= latest) continue;
      latest = producer_position(reader.inputs[i]);
      found = static_cast<int>(i);
    }
    return found;
  }

  Reading reading(const Use& use) const {
    const auto found = readings_.find(use);
    return found == readings_.end() ? Reading::as_made : found->second;
  }

  // ---- the new graph

  /// A value as it was.
  Tensor made(const Value& value) { return moved(value, made_); }
  /// As bf16.
  Tensor stored(const Value& value) { return moved(value, stored_); }

  // Alias nodes are made where they are read.
  Tensor moved(const Value& value, std::map<Value, Tensor>& where) {
    if (const auto found = where.find(value); found != where.end()) return found->second;
    const Node& alias = graph_.node(value.node);
    std::vector<Tensor> inputs;
    for (const Value& input : alias.inputs) inputs.push_back(moved(input, where));
    return where[value] = result_.graph.add_copy(alias, inputs, alias.attributes);
  }

  void emit(const Node& node) {
    if (node.op->properties.alias) return;
    std::vector<Tensor> inputs(node.inputs.size());
    for (int i = 0; i < static_cast<int>(inputs.size()); ++i) {
      const Value& value = node.inputs[static_cast<size_t>(i)];
      if (reading({node.id, i}) == Reading::as_made) inputs[static_cast<size_t>(i)] = made(value);
      if (reading({node.id, i}) == Reading::stored) inputs[static_cast<size_t>(i)] = stored(value);
    }
    for (int i = 0; i < static_cast<int>(inputs.size()); ++i) {
      if (reading({node.id, i}) == Reading::copied) inputs[static_cast<size_t>(i)] = copied({node.id, i}, inputs);
    }
    if (rounds({node.id, 0}) && inputs[0].dtype() == DType::bf16) {
      made_[{node.id, 0}] = inputs[0];
      return;
    }
    const bool narrows = narrowed_.contains({node.id, 0}) && !is_region(node) && is_fusible_product(graph_, node);
    if (is_region(node)) {
      emit_region(node, inputs, body_of(node));
    } else if (narrows) {
      Subgraph body;
      std::vector<Tensor> operands;
      for (const Tensor& input : inputs) operands.push_back(add_input(body.graph, input));
      body.outputs.push_back(body.graph.add_copy(node, operands, node.attributes));
      Node region = node;
      region.op = &region_def;
      region.name.clear();
      emit_region(region, inputs, body);
    } else {
      emit_copy(node, inputs);
    }
  }

  static Tensor add_input(Graph& body, const Tensor& outer) {
    return body.input(std::to_string(body.inputs().size()), outer.shape(), outer.dtype(), outer.node().location);
  }

  void emit_copy(const Node& node, std::span<const Tensor> inputs) {
    const Tensor copy = result_.graph.add_copy(node, inputs, node.attributes);
    for (int i = 0; i < node.output_count(); ++i) {
      const Value value{node.id, i};
      made_[value] = result_.graph.tensor(copy.node_id(), i);
      if (narrowed_.contains(value)) stored_[value] = add_cast(result_.graph, node, made_[value], to_bf16_def);
    }
  }

  static Tensor add_cast(Graph& graph, const Node& like, const Tensor& x, const OpDef& op) {
    Node cast = like;  // its line and path
    cast.op = &op;
    cast.name.clear();
    return graph.add_copy(cast, {&x, 1}, {});
  }

  // A region, of whose inputs some are bf16 now, and that rounds those of its results that are to be.
  void emit_region(const Node& node, std::span<const Tensor> inputs, const Subgraph& from) {
    auto body = std::make_shared<Subgraph>();
    std::map<int, Tensor> inside;  // by node of the old body
    size_t next_input = 0;
    for (const Tensor& input : from.graph.inputs())
      inside[input.node_id()] = add_input(body->graph, inputs[next_input++]);
    for (int id = 0; id < from.graph.node_count(); ++id) {
      const Node& inner = from.graph.node(id);
      if (is_input(inner)) {
        if (inner.outputs[0].dtype != inside[id].dtype())
          inside[id] = add_cast(body->graph, node, inside[id], to_f32_def);
        continue;
      }
      std::vector<Tensor> operands;
      for (const Value& value : inner.inputs) operands.push_back(inside.at(value.node));
      inside[id] = body->graph.add_copy(inner, operands, inner.attributes);
    }
    std::vector<std::pair<Value, bool>> exported;  // and whether it is the stored form
    for (size_t i = 0; i < from.outputs.size(); ++i) {
      const Value value{node.id, static_cast<int>(i)};
      const Tensor& output = inside.at(from.outputs[i].node_id());
      const auto narrowed = narrowed_.find(value);
      if (narrowed == narrowed_.end() || narrowed->second) {
        body->outputs.push_back(output);
        exported.emplace_back(value, false);
      }
      if (narrowed != narrowed_.end() && rounded_output(from, value.output) < 0) {
        body->outputs.push_back(add_cast(body->graph, node, output, to_bf16_def));
        exported.emplace_back(value, true);
      }
    }
    const Tensor region =
        result_.graph.add_copy(node, inputs, {{"body", std::shared_ptr<const Subgraph>(std::move(body))}});
    for (size_t i = 0; i < exported.size(); ++i) {
      const auto& [value, is_stored] = exported[i];
      (is_stored ? stored_ : made_)[value] = result_.graph.tensor(region.node_id(), static_cast<int>(i));
    }
    for (int i = 0; i < static_cast<int>(from.outputs.size()); ++i) {
      const int rounded = rounded_output(from, i);
      if (rounded >= 0 && narrowed_.contains({node.id, i})) stored_[{node.id, i}] = made_.at({node.id, rounded});
    }
  }

  // As a region that also takes the input that it is to wait for: nothing else would keep it from being made, and
  // taking memory, as soon as the value is there.
  Tensor copied(const Use& use, std::span<const Tensor> inputs) {
    const Node& reader = graph_.node(use.node);
    const auto late = static_cast<size_t>(late_input(use));
    const Tensor from = stored(reader.inputs[static_cast<size_t>(use.input)]);
    const Tensor waits_for = inputs[late].valid() ? inputs[late] : stored(reader.inputs[late]);
    auto body = std::make_shared<Subgraph>();
    const Tensor x = add_input(body->graph, from);
    (void)add_input(body->graph, waits_for);
    body->outputs.push_back(add_cast(body->graph, reader, x, to_f32_def));
    Node region = reader;
    region.op = &region_def;
    region.name.clear();
    const Tensor operands[] = {from, waits_for};
    return result_.graph.add_copy(region, operands, {{"body", std::shared_ptr<const Subgraph>(std::move(body))}});
  }

  const Module& module_;
  const Graph& graph_;
  const std::vector<bool> needed_;
  std::vector<int> position_;  // by node: how many kernels come before it
  std::map<Value, std::vector<Use>> uses_;
  std::set<Value> results_;
  std::map<Value, bool> narrowed_;  // and whether it is also wanted as it was
  std::map<Use, Reading> readings_;
  Module result_;
  std::map<Value, Tensor> made_, stored_;
};

}  // namespace

Module narrow(const Module& module) { return Narrowing(module).run(); }

}  // namespace gradloom::inline v0
