#pragma once

#include <gradloom/graph/dtype.hpp>
#include <gradloom/graph/export.hpp>
#include <gradloom/graph/shape.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace gradloom::inline v0 {

struct Subgraph;

/// Constant data inside a graph: dense, row-major, shared by every copy of the node.
struct Literal {
  DType dtype = DType::f32;
  std::vector<int64_t> sizes;
  std::vector<std::byte> bytes;
  bool operator==(const Literal&) const = default;
};

using AttributeValue = std::variant<bool, int64_t, double, std::string, DType, std::vector<int64_t>, Dim, Shape,
                                    std::shared_ptr<const Literal>, std::shared_ptr<const Subgraph>>;

/// The named, typed settings of a node (axes, a target shape, flags), in the order in which they were given.
class GRADLOOM_API Attributes {
 public:
  using Item = std::pair<std::string, AttributeValue>;

  Attributes() = default;
  Attributes(std::initializer_list<Item> items) : items_(items) {}

  void set(std::string name, AttributeValue value);
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  /// The value of that name and type. Throws Error if there is none: a mistake in a graph's text, or in the op itself.
  template <class T>
  [[nodiscard]] const T& get(std::string_view name) const {
    const AttributeValue* value = find(name);
    const T* typed = value == nullptr ? nullptr : std::get_if<T>(value);
    if (typed == nullptr) fail(name);
    return *typed;
  }
  template <class T>
  [[nodiscard]] T get_or(std::string_view name, T fallback) const {
    const AttributeValue* value = find(name);
    if (value == nullptr) return fallback;
    if (!std::holds_alternative<T>(*value)) fail(name);
    return std::get<T>(*value);
  }
  [[nodiscard]] const std::vector<Item>& items() const { return items_; }
  /// With symbols replaced in every Dim and Shape.
  [[nodiscard]] Attributes bind(std::span<const SymbolBinding> bindings) const;

  /// By value; literals by their contents, bodies by identity.
  friend GRADLOOM_API bool operator==(const Attributes& a, const Attributes& b);

 private:
  [[nodiscard]] const AttributeValue* find(std::string_view name) const;
  [[noreturn]] void fail(std::string_view name) const;

  std::vector<Item> items_;
};

}  // namespace gradloom::inline v0
