#include <gradloom/graph/attribute_variant_internal.hpp>
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/needed_internal.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/quoted_internal.hpp>
#include <gradloom/graph/text.hpp>
#include <gradloom/graph/text_internal.hpp>
#include <gradloom/graph/with_type_internal.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace gradloom::inline v0 {

namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '+' || c == '-';
}

/// "train.cpp:31" as in messages: without folders, which differ between machines.
std::string place(const SourceLocation& location) {
  const std::string_view path = location.file;
  const std::string_view file = path.substr(path.find_last_of('/') + 1);
  const bool plain = !file.empty() && std::all_of(file.begin(), file.end(), is_plain);
  return fmt::format("{}:{}", plain ? std::string(file) : quoted(file), location.line);
}

std::string print(const Literal& literal, size_t most_elements) {
  std::string text = fmt::format("literal {}[{}] {{", to_string(literal.dtype), fmt::join(literal.sizes, ", "));
  with_type(literal.dtype, [&](auto zero) {
    const size_t count = literal.bytes.size() / sizeof(zero);
    for (size_t i = 0; i < std::min(count, most_elements); ++i) {
      std::memcpy(&zero, literal.bytes.data() + i * sizeof(zero), sizeof(zero));
      if (i > 0) text += ", ";
      text += print_element(static_cast<NumberOf<decltype(zero)>>(zero));
    }
    if (count > most_elements) text += fmt::format(", and {} more", count - most_elements);
  });
  return text + "}";
}

class Printer {
 public:
  explicit Printer(std::string indent, size_t most_elements = std::numeric_limits<size_t>::max())
      : indent_(std::move(indent)), most_elements_(most_elements) {}

  /// With numbers[id] as the number of a node; nodes that have none (-1) are left out.
  std::string print(const Graph& graph, const std::vector<int>& numbers, std::span<const Tensor> outputs,
                    bool side_updates) {
    numbers_ = &numbers;
    text_ = "graph {\n";
    for (int id = 0; id < graph.node_count(); ++id) {
      if (number(id) >= 0) print_node(graph.node(id));
    }
    for (const DimConstraint& constraint : graph.constraints()) {
      if (number(constraint.node) < 0) continue;
      line(fmt::format("constraint {} at %{} {}", Shape{constraint.a, constraint.b}.to_string(),
                       number(constraint.node), quoted(constraint.what)));
    }
    if (side_updates) {
      for (const Update& update : graph.side_updates()) {
        line(fmt::format("update {} = {}", reference(update.parameter), reference(update.value)));
      }
    }
    if (!outputs.empty()) {
      std::string list;
      for (const Tensor& output : outputs) list += (list.empty() ? "" : ", ") + reference(output);
      line("output " + list);
    }
    return text_ + indent_ + "}";
  }

 private:
  int number(int id) const { return (*numbers_)[static_cast<size_t>(id)]; }
  void line(std::string_view text) { text_ += fmt::format("{}  {}\n", indent_, text); }

  std::string reference(const Value& value) const {
    return fmt::format("%{}{}", number(value.node), value.output == 0 ? "" : fmt::format(".{}", value.output));
  }
  std::string reference(const Tensor& tensor) const { return reference(Value{tensor.node_id(), tensor.output()}); }

  void print_node(const Node& node) {
    std::string inputs, attributes, types;
    for (const Value& value : node.inputs) inputs += (inputs.empty() ? "" : ", ") + reference(value);
    for (const auto& [name, value] : node.attributes.items()) {
      attributes += fmt::format("{}{} = {}", attributes.empty() ? " {" : ", ", name, attribute(value));
    }
    if (!attributes.empty()) attributes += "}";
    for (const TensorType& type : node.outputs) types += (types.empty() ? "" : ", ") + to_string(type);
    line(fmt::format("%{}{} = {}({}){} : {}{}{}", number(node.id), node.name.empty() ? "" : " " + quoted(node.name),
                     node.op->name, inputs, attributes, types, node.path.empty() ? "" : " in " + quoted(node.path),
                     node.location.known() ? " @" + place(node.location) : ""));
  }

  std::string attribute(const AttributeValue& value) const {
    struct Visitor {
      const std::string& indent;
      size_t most_elements;
      std::string operator()(bool flag) const { return flag ? "true" : "false"; }
      std::string operator()(int64_t number) const { return fmt::format("{}", number); }
      std::string operator()(double number) const {
        const std::string text = print_element(number);
        return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
      }
      std::string operator()(const std::string& text) const { return quoted(text); }
      std::string operator()(DType dtype) const { return std::string(to_string(dtype)); }
      std::string operator()(const std::vector<int64_t>& numbers) const {
        return fmt::format("({})", fmt::join(numbers, ", "));
      }
      std::string operator()(const Dim& dim) const { return fmt::format("dim({})", dim.to_string()); }
      std::string operator()(const Shape& shape) const { return shape.to_string(); }
      std::string operator()(const std::shared_ptr<const Literal>& literal) const {
        return gradloom::print(*literal, most_elements);
      }
      std::string operator()(const std::shared_ptr<const Subgraph>& body) const {
        return print_body(*body, indent, most_elements);
      }
    };
    return std::visit(Visitor{indent_ + "  ", most_elements_}, value.variant());
  }

  static std::string print_body(const Subgraph& body, const std::string& indent, size_t most_elements);

  std::string indent_;
  size_t most_elements_;
  std::string text_;
  const std::vector<int>* numbers_ = nullptr;
};

std::vector<int> all_numbers(const Graph& graph) {
  std::vector<int> numbers(static_cast<size_t>(graph.node_count()));
  for (size_t id = 0; id < numbers.size(); ++id) numbers[id] = static_cast<int>(id);
  return numbers;
}

std::vector<int> numbers_of_needed(const Graph& graph, std::span<const Tensor> outputs) {
  const std::vector<bool> needed = needed_nodes(graph, outputs);
  std::vector<int> numbers;
  int next = 0;
  for (const bool is_needed : needed) numbers.push_back(is_needed ? next++ : -1);
  return numbers;
}

std::string Printer::print_body(const Subgraph& body, const std::string& indent, size_t most_elements) {
  return Printer(indent, most_elements).print(body.graph, all_numbers(body.graph), body.outputs, true);
}

}  // namespace

std::string to_text(const Graph& graph) { return Printer("").print(graph, all_numbers(graph), {}, true) + "\n"; }

std::string to_text(const Graph& graph, std::span<const Tensor> outputs) {
  return Printer("").print(graph, numbers_of_needed(graph, outputs), outputs, false) + "\n";
}

std::string to_short_text(const Graph& graph, std::span<const Tensor> outputs) {
  return Printer("", 16).print(graph, numbers_of_needed(graph, outputs), outputs, false) + "\n";
}

std::string to_text(const Subgraph& body) {
  return Printer("").print(body.graph, all_numbers(body.graph), body.outputs, true) + "\n";
}

}  // namespace gradloom::inline v0
