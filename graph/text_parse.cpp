#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/text.hpp>
#include <gradloom/graph/text_cursor_internal.hpp>
#include <gradloom/graph/text_internal.hpp>
#include <gradloom/graph/with_type_internal.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace gradloom::inline v0 {

namespace {

class Parser {
 public:
  Parser(std::string_view text, std::span<const OpDef* const> ops) : in_(text) {
    for (const OpDef* op : ops) ops_.emplace(op->name, op);
    for (const OpDef* op : {&input_def, &parameter_def}) ops_.emplace(op->name, op);
  }

  Subgraph run() {
    Subgraph parsed = graph();
    if (in_.peek() != '\0') in_.fail_expected("the end");
    return parsed;
  }

 private:
  Subgraph graph() {
    if (!in_.take("graph")) in_.fail_expected("\"graph\"");
    in_.expect('{');
    Subgraph parsed;
    std::set<std::string> names;
    size_t constraints = 0;
    while (!in_.take('}')) {
      if (in_.peek() == '%') {
        node(parsed.graph, names);
      } else if (in_.take("constraint")) {
        constraint(parsed.graph, constraints++);
      } else if (in_.take("update")) {
        update(parsed.graph);
      } else if (in_.take("output")) {
        do parsed.outputs.push_back(reference(parsed.graph));
        while (in_.take(','));
      } else {
        in_.fail_expected("a node, \"constraint\", \"update\", \"output\" or \"}\"");
      }
    }
    if (constraints != parsed.graph.constraints().size()) {
      in_.fail(in_.at() - 1,
               fmt::format("{} constraints given, the nodes have {}", constraints, parsed.graph.constraints().size()));
    }
    return parsed;
  }

  void node(Graph& graph, std::set<std::string>& names) {
    const size_t begin = in_.at();
    in_.expect('%');
    if (const int64_t number = in_.integer(); number != graph.node_count()) {
      in_.fail(begin, fmt::format("node %{} is out of turn, %{} is next", number, graph.node_count()));
    }
    Node made;
    const size_t name_at = begin_of_next();
    if (in_.peek() == '"') made.name = in_.string();
    in_.expect('=');
    made.op = &op();
    if ((is_input(made) || is_parameter(made)) && (made.name.empty() || !names.insert(made.name).second)) {
      in_.fail(name_at, made.name.empty() ? fmt::format("the {} has no name", made.op->name)
                                          : fmt::format("the name \"{}\" is taken", made.name));
    }
    std::vector<Tensor> inputs;
    in_.expect('(');
    while (!in_.take(')')) {
      if (!inputs.empty()) in_.expect(',');
      inputs.push_back(reference(graph));
    }
    if (in_.take('{')) made.attributes = attributes();
    in_.expect(':');
    const size_t types_at = begin_of_next();
    std::vector<TensorType> types;
    do types.push_back(type());
    while (in_.take(','));
    if (in_.take("in")) made.path = in_.string();
    if (in_.take('@')) made.location = location();

    const Node& added = build(graph, made, inputs, begin);
    if (added.outputs == types) return;
    std::string right;
    for (const TensorType& inferred : added.outputs) right += (right.empty() ? "" : ", ") + to_string(inferred);
    in_.fail(types_at, fmt::format("{} gives {} here", made.op->name, right));
  }

  const Node& build(Graph& graph, const Node& made, std::span<const Tensor> inputs, size_t begin) const {
    try {
      return graph.add_copy(made, inputs, made.attributes).node();
    } catch (const Error& error) {
      // The line that matters now is that of the text.
      throw Error({.problem = error.problem(),
                   .op = std::string(made.op->name),
                   .node = made.name,
                   .location = in_.place(begin),
                   .details = error.details(),
                   .rule = error.rule()});
    }
  }

  const OpDef& op() {
    const size_t begin = begin_of_next();
    const std::string_view name = in_.word("an op");
    if (const auto found = ops_.find(name); found != ops_.end()) return *found->second;
    std::vector<std::string> names;
    for (const auto& [known, op] : ops_) names.emplace_back(known);
    const std::string nearest = nearest_name(name, names);
    in_.fail(begin, fmt::format("there is no op \"{}\"{}", name,
                                nearest.empty() ? "" : fmt::format("; did you mean \"{}\"?", nearest)));
  }

  Tensor reference(const Graph& graph) {
    const size_t begin = begin_of_next();
    in_.expect('%');
    const int64_t node = in_.integer();
    const int64_t output = in_.take('.') ? in_.integer() : 0;
    const bool known = node >= 0 && node < graph.node_count();
    if (!known || output < 0 || output >= graph.node(static_cast<int>(node)).output_count()) {
      in_.fail(begin, fmt::format("there is no %{}{} yet", node, output == 0 ? "" : fmt::format(".{}", output)));
    }
    return graph.tensor(static_cast<int>(node), static_cast<int>(output));
  }

  Attributes attributes() {
    Attributes parsed;
    while (!in_.take('}')) {
      if (!parsed.items().empty()) in_.expect(',');
      const size_t begin = begin_of_next();
      const std::string name(in_.word("the name of an attribute"));
      if (parsed.has(name)) in_.fail(begin, fmt::format("the attribute \"{}\" is given twice", name));
      in_.expect('=');
      parsed.set(name, value());
    }
    return parsed;
  }

  AttributeValue value() {
    const size_t begin = begin_of_next();
    switch (in_.peek()) {
      case '"':
        return in_.string();
      case '[':
        return shape();
      case '(':
        return integers('(', ')');
      default:
        break;
    }
    if (in_.take("true")) return true;
    if (in_.take("false")) return false;
    if (in_.take("dim")) {
      in_.expect('(');
      const Dim parsed = dim(')');
      in_.expect(')');
      return parsed;
    }
    if (in_.take("literal")) return std::make_shared<const Literal>(literal());
    if (in_.peek() == 'g') return std::make_shared<const Subgraph>(graph());
    const std::string_view text = element();
    if (const auto integer = parse_element<int64_t>(text)) return *integer;
    if (const auto number = parse_element<double>(text)) return *number;
    if (const auto dtype = known_dtype(text)) return *dtype;
    in_.fail(begin, fmt::format("\"{}\" is no value of an attribute", text));
  }

  static std::optional<DType> known_dtype(std::string_view name) {
    for (int i = 0; i < dtype_count; ++i) {
      if (to_string(static_cast<DType>(i)) == name) return static_cast<DType>(i);
    }
    return std::nullopt;
  }

  DType dtype() {
    const size_t begin = begin_of_next();
    const std::string_view name = in_.word("a dtype");
    if (const auto known = known_dtype(name)) return *known;
    in_.fail(begin, fmt::format("there is no dtype \"{}\"", name),
             "the dtypes are boolean, u8, i32, i64, bf16, f32, f64");
  }

  TensorType type() {
    const DType element = dtype();
    return {element, shape()};
  }

  Dim dim(char close) {
    const size_t begin = begin_of_next();
    try {
      return Dim::parse(in_.until(close));
    } catch (const Error& error) {
      in_.fail(begin, error.problem(), error.rule());
    }
  }

  Shape shape() {
    std::vector<Dim> dims;
    in_.expect('[');
    while (!in_.take(']')) {
      if (!dims.empty()) in_.expect(',');
      dims.push_back(dim(']'));
    }
    return Shape(std::move(dims));
  }

  std::vector<int64_t> integers(char open, char close) {
    std::vector<int64_t> parsed;
    in_.expect(open);
    while (!in_.take(close)) {
      if (!parsed.empty()) in_.expect(',');
      parsed.push_back(in_.integer());
    }
    return parsed;
  }

  /// A number, or what stands in its place.
  std::string_view element() {
    in_.peek();
    return in_.take_while([](char c) { return is_word(c) || c == '.' || c == '+' || c == '-' || c == ':'; });
  }

  Literal literal() {
    const size_t literal_at = begin_of_next();
    Literal parsed{.dtype = dtype(), .sizes = integers('[', ']'), .bytes = {}};
    in_.expect('{');
    with_type(parsed.dtype, [&](auto zero) {
      while (!in_.take('}')) {
        if (!parsed.bytes.empty()) in_.expect(',');
        const size_t begin = begin_of_next();
        const std::string_view text = element();
        const auto number = parse_element<NumberOf<decltype(zero)>>(text);
        if (!number) in_.fail(begin, fmt::format("\"{}\" is no {}", text, to_string(parsed.dtype)));
        const auto parsed_element = static_cast<decltype(zero)>(*number);
        const auto* bytes = reinterpret_cast<const std::byte*>(&parsed_element);
        parsed.bytes.insert(parsed.bytes.end(), bytes, bytes + sizeof(zero));
      }
    });
    int64_t needed = 1;
    bool possible = true;
    for (const int64_t size : parsed.sizes) possible &= size >= 0 && !__builtin_mul_overflow(needed, size, &needed);
    const size_t given = parsed.bytes.size() / size_of(parsed.dtype);
    if (!possible || static_cast<size_t>(needed) != given) {
      in_.fail(literal_at, fmt::format("{} elements do not fill {}[{}]", given, to_string(parsed.dtype),
                                       fmt::join(parsed.sizes, ", ")));
    }
    return parsed;
  }

  /// Good until the next one is read; the graph keeps the name of the file for its node.
  SourceLocation location() {
    const auto plain = [](char c) { return is_word(c) || c == '.' || c == '+' || c == '-'; };
    file_ = in_.peek() == '"' ? in_.string() : std::string(in_.take_while(plain));
    in_.expect(':');
    return {file_.c_str(), static_cast<int>(in_.integer())};
  }

  void constraint(const Graph& graph, size_t index) {
    const size_t begin = begin_of_next();
    const Shape sizes = shape();
    if (!in_.take("at")) in_.fail_expected("\"at\"");
    const int node = reference(graph).node_id();
    const std::string what = in_.string();
    const auto known = graph.constraints();
    const bool right = index < known.size() && sizes == Shape{known[index].a, known[index].b} &&
                       node == known[index].node && what == known[index].what;
    if (!right) in_.fail(begin, "the nodes have no such constraint in this place");
  }

  void update(Graph& graph) {
    const size_t begin = begin_of_next();
    const Tensor parameter = reference(graph);
    in_.expect('=');
    const Tensor value = reference(graph);
    if (!is_parameter(parameter.node())) in_.fail(begin, fmt::format("%{} is no parameter", parameter.node_id()));
    graph.add_side_update({parameter, value});
  }

  size_t begin_of_next() {
    in_.peek();
    return in_.at();
  }

  Cursor in_;
  std::string file_;
  std::map<std::string_view, const OpDef*> ops_;
};

}  // namespace

Subgraph parse_text(std::string_view text, std::span<const OpDef* const> ops) { return Parser(text, ops).run(); }

}  // namespace gradloom::inline v0
