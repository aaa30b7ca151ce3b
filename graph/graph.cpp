#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/infer_internal.hpp>
#include <gradloom/graph/node.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <deque>
#include <map>
#include <memory>
#include <set>

namespace gradloom::inline v0 {

/// What a Graph and its Tensors share. The Graph clears it when it dies; the last Tensor frees the shell, so that a
/// Tensor that outlives its Graph is an Error and never a dangling pointer.
struct GraphData {
  std::atomic<int> references{1};
  Graph* graph = nullptr;                    // null once the Graph is gone
  std::deque<Node> nodes;                    // a deque, so that references to nodes stay good while nodes are added
  std::set<std::string, std::less<>> files;  // what the locations of the nodes point to
  std::string path;
  SourceLocation composition;  // the user's line, while a composition is open
  std::vector<DimConstraint> constraints;
  std::vector<Update> side_updates;
  std::map<std::string, int> taken;         // full names of inputs and parameters -> node
  std::map<std::string, int64_t> numbered;  // scope base -> last number
  std::map<std::string, int64_t> streams;   // path -> random streams so far
};

namespace {

void release(GraphData* data) {
  if (data != nullptr && data->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete data;
}

GraphData* retain(GraphData* data) {
  if (data != nullptr) data->references.fetch_add(1, std::memory_order_relaxed);
  return data;
}

std::string joined(const std::string& path, std::string_view name) {
  return path.empty() || name.empty() ? path + std::string(name) : path + "/" + std::string(name);
}

void check_name(std::string_view name, std::string_view what, SourceLocation location) {
  const bool bad = name.empty() || std::any_of(name.begin(), name.end(), [](char c) {
                     return c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ';
                   });
  if (!bad) return;
  throw Error({.problem = fmt::format("\"{}\" is no name for {}", name, what),
               .location = to_string(location),
               .rule = "a name is not empty and has no quotes, backslashes or control characters"});
}

Tensor add_node(GraphData& data, Node node) {
  Graph& graph = *data.graph;
  node.id = static_cast<int>(data.nodes.size());
  Inferred inferred = infer(graph, node);
  node.outputs = std::move(inferred.outputs);
  std::move(inferred.constraints.begin(), inferred.constraints.end(), std::back_inserter(data.constraints));
  // The name may be one that the compiler put into the program, but also one of a graph that was parsed and may go.
  const std::string_view file = node.location.file;
  auto kept = data.files.find(file);
  if (kept == data.files.end()) kept = data.files.emplace(file).first;
  node.location.file = kept->c_str();
  data.nodes.push_back(std::move(node));
  return graph.tensor(static_cast<int>(data.nodes.size()) - 1);
}

}  // namespace

// ---- Tensor

Tensor::Tensor(GraphData* graph, int node, int output) : graph_(retain(graph)), node_(node), output_(output) {}
Tensor::Tensor(const Tensor& other) : graph_(retain(other.graph_)), node_(other.node_), output_(other.output_) {}
Tensor::Tensor(Tensor&& other) noexcept : graph_(other.graph_), node_(other.node_), output_(other.output_) {
  other.graph_ = nullptr;
}
Tensor& Tensor::operator=(const Tensor& other) {  // NOLINT: retains before it releases, itself too
  GraphData* const old = graph_;
  graph_ = retain(other.graph_);
  node_ = other.node_;
  output_ = other.output_;
  release(old);
  return *this;
}
Tensor& Tensor::operator=(Tensor&& other) noexcept {
  std::swap(graph_, other.graph_);
  node_ = other.node_;
  output_ = other.output_;
  return *this;
}
Tensor::~Tensor() { release(graph_); }

Graph& Tensor::graph() const {
  if (graph_ == nullptr) throw Error("the Tensor is empty: it belongs to no graph");
  if (graph_->graph == nullptr) throw Error("the Tensor is used after its Graph was destroyed");
  return *graph_->graph;
}
const Node& Tensor::node() const { return graph().node(node_); }
const Shape& Tensor::shape() const { return node().outputs[static_cast<size_t>(output_)].shape; }
DType Tensor::dtype() const { return node().outputs[static_cast<size_t>(output_)].dtype; }
std::string Tensor::name() const { return node().label(); }
const Tensor& Tensor::named(std::string_view name) const {
  graph().set_name(*this, name);
  return *this;
}

// ---- Graph

Graph::Graph() : data_(new GraphData) { data_->graph = this; }

Graph::~Graph() {
  if (data_ == nullptr) return;
  data_->graph = nullptr;
  // Side updates hold Tensors of this very graph: take them out first, so that none of them frees the shell in here.
  const std::vector<Update> side_updates = std::move(data_->side_updates);
  data_->nodes.clear();
  release(data_);
}

Graph::Graph(Graph&& other) noexcept : data_(other.data_) {
  other.data_ = nullptr;
  data_->graph = this;
}

Graph& Graph::operator=(Graph&& other) noexcept {
  std::swap(data_, other.data_);
  if (data_ != nullptr) data_->graph = this;
  if (other.data_ != nullptr) other.data_->graph = &other;
  return *this;
}

Tensor Graph::input(std::string_view name, Shape shape, DType dtype, SourceLocation location) {
  location = user_line(location);
  check_name(name, "an input", location);
  const std::string full = joined(data_->path, name);
  if (const auto taken = data_->taken.find(full); taken != data_->taken.end()) {
    throw Error({.problem = "the name is taken",
                 .op = "input",
                 .node = full,
                 .location = to_string(location),
                 .details = fmt::format("first used at {}", to_string(node(taken->second).location)),
                 .rule = "inputs and parameters have names of their own within a graph"});
  }
  const Tensor made = add(input_def, {}, {{"dtype", dtype}, {"shape", shape}}, location);
  data_->nodes.back().name = full;
  data_->taken.emplace(full, made.node_id());
  return made;
}

Tensor Graph::parameter(std::string_view name, Shape shape, Initializer initializer, ParameterOptions options,
                        SourceLocation location) {
  location = user_line(location);
  check_name(name, "a parameter", location);
  const std::string full = joined(data_->path, name);
  if (const auto taken = data_->taken.find(full); taken != data_->taken.end()) {
    throw Error(
        {.problem = "the name is taken",
         .op = "parameter",
         .node = full,
         .location = to_string(location),
         .details = fmt::format("first used at {}", to_string(node(taken->second).location)),
         .rule = "inputs and parameters have names of their own within a graph; open a scope to use a name again"});
  }
  const Tensor made = add(parameter_def, {},
                          {{"dtype", options.dtype},
                           {"shape", shape},
                           {"trainable", options.trainable},
                           {"distribution", static_cast<int64_t>(initializer.distribution)},
                           {"a", initializer.a},
                           {"b", initializer.b},
                           {"scaling", static_cast<int64_t>(initializer.scaling)}},
                          location);
  data_->nodes.back().name = full;
  data_->taken.emplace(full, made.node_id());
  return made;
}

Scope Graph::scope(std::string_view name) {
  check_name(name, "a scope", user_line({}));
  const size_t length = data_->path.size();
  data_->path = joined(data_->path, name);
  return Scope(retain(data_), length);
}

Scope Graph::numbered_scope(std::string_view base) {
  const int64_t number = ++data_->numbered[joined(data_->path, base)];
  return scope(fmt::format("{}_{}", base, number));
}

Scope::~Scope() {
  if (graph_ == nullptr) return;
  if (graph_->path.size() > length_) graph_->path.resize(length_);
  release(graph_);
}

const std::string& Graph::path() const { return data_->path; }

void Graph::add_side_update(Update update) {
  if (!is_parameter(update.parameter.node())) throw Error("a side update needs a parameter to write to");
  data_->side_updates.push_back(std::move(update));
}

std::span<const Update> Graph::side_updates() const { return data_->side_updates; }

std::vector<Tensor> Graph::parameters() const {
  std::vector<Tensor> found;
  for (const Node& node : data_->nodes) {
    if (is_parameter(node)) found.push_back(tensor(node.id));
  }
  return found;
}

std::vector<Tensor> Graph::inputs() const {
  std::vector<Tensor> found;
  for (const Node& node : data_->nodes) {
    if (is_input(node)) found.push_back(tensor(node.id));
  }
  return found;
}

Tensor Graph::find_parameter(std::string_view full_name) const {
  std::vector<std::string> names;
  for (const Node& node : data_->nodes) {
    if (!is_parameter(node)) continue;
    if (node.name == full_name) return tensor(node.id);
    names.push_back(node.name);
  }
  const std::string nearest = nearest_name(full_name, names);
  throw Error(fmt::format("there is no parameter \"{}\"{}", full_name,
                          nearest.empty() ? "" : fmt::format("; did you mean \"{}\"?", nearest)));
}

Tensor Graph::add(const OpDef& op, std::span<const Tensor> inputs, const Attributes& attributes,
                  SourceLocation location) {
  Node node;
  node.op = &op;
  node.attributes = attributes;
  node.path = data_->path;
  node.location = user_line(location);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto refuse = [&](const char* why) {
      throw Error({.problem = fmt::format("{} {}", operand_name(op, static_cast<int>(i)), why),
                   .op = std::string(op.name),
                   .location = to_string(node.location),
                   .rule = std::string(op.rule)});
    };
    if (!inputs[i].valid()) refuse("is an empty Tensor");
    if (inputs[i].graph_ != data_) refuse("belongs to another graph");
    node.inputs.push_back({inputs[i].node_, inputs[i].output_});
  }
  return add_node(*data_, std::move(node));
}

Tensor Graph::add_copy(const Node& original, std::span<const Tensor> inputs, const Attributes& attributes) {
  Node node;
  node.op = original.op;
  node.attributes = attributes;
  node.name = original.name;
  node.path = original.path;
  node.location = original.location;
  for (const Tensor& input : inputs) {
    assert(input.graph_ == data_);
    node.inputs.push_back({input.node_, input.output_});
  }
  const Tensor made = add_node(*data_, std::move(node));
  const Node& added = data_->nodes.back();
  if (is_input(added) || is_parameter(added)) data_->taken.emplace(added.name, added.id);
  return made;
}

SourceLocation Graph::user_line(SourceLocation location) const {
  return data_->composition.known() ? data_->composition : location;
}

int Graph::node_count() const { return static_cast<int>(data_->nodes.size()); }

const Node& Graph::node(int id) const {
  assert(id >= 0 && id < node_count());
  return data_->nodes[static_cast<size_t>(id)];
}

Tensor Graph::tensor(int node, int output) const { return Tensor(data_, node, output); }

std::span<const DimConstraint> Graph::constraints() const { return data_->constraints; }

int64_t Graph::next_stream() {
  // FNV-1a over the path and the stream's number within it: the same on every machine, and untouched by what is built
  // in other scopes.
  const std::string text = fmt::format("{}#{}", data_->path, data_->streams[data_->path]++);
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return static_cast<int64_t>(hash);
}

void Graph::set_name(const Tensor& tensor, std::string_view name) {
  assert(tensor.graph_ == data_);
  Node& node = data_->nodes[static_cast<size_t>(tensor.node_)];
  check_name(name, "a node", node.location);
  if (is_input(node) || is_parameter(node)) {
    throw Error({.problem = fmt::format("it cannot be renamed to \"{}\"", name),
                 .op = std::string(node.op->name),
                 .node = node.name,
                 .location = to_string(node.location),
                 .rule = "runs bind inputs and parameters by the name they were made with"});
  }
  node.name = name;
}

// ---- SourceScope

SourceScope::SourceScope(Graph& graph, std::string_view composition, SourceLocation location)
    : data_(retain(graph.data_)), path_(data_->path), location_(data_->composition) {
  data_->path = joined(data_->path, composition);
  if (!data_->composition.known()) data_->composition = location;
}

SourceScope::SourceScope(Graph& graph, const Node& origin, std::string_view derivation)
    : data_(retain(graph.data_)), path_(data_->path), location_(data_->composition) {
  data_->path = joined(origin.path, derivation);
  data_->composition = origin.location;
}

namespace {

Graph& graph_of(const Operand& operand, std::string_view composition) {
  if (operand.is_number()) {
    throw Error({.problem = "its first argument is a number or an empty Tensor",
                 .op = std::string(composition),
                 .location = to_string(operand.location()),
                 .rule = std::string(composition) + " needs a Tensor"});
  }
  return operand.tensor().graph();
}

}  // namespace

SourceScope::SourceScope(const Operand& operand, std::string_view composition)
    : SourceScope(graph_of(operand, composition), composition, operand.location()) {}

SourceScope::~SourceScope() {
  data_->path = std::move(path_);
  data_->composition = location_;
  release(data_);
}

}  // namespace gradloom::inline v0
