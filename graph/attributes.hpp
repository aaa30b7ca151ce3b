// The settings of nodes. Copying and destroying them is compiled once, in attributes.cpp: they are in every op and
// every model, which would else compile it again and again.
#pragma once

#include <gradloom/graph/dtype.hpp>
#include <gradloom/graph/export.hpp>
#include <gradloom/graph/shape.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
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

struct AttributeVariant;

/// One setting of a node: a bool, int64_t, double, std::string, DType, std::vector<int64_t>, Dim, Shape, Literal or
/// Subgraph. It never changes, so copies share it.
class GRADLOOM_API AttributeValue {
 public:
  /// false
  AttributeValue();
  AttributeValue(bool value);                             // NOLINT: implicit, all of them: {"axis", axis}
  AttributeValue(int value);                              // NOLINT
  AttributeValue(int64_t value);                          // NOLINT
  AttributeValue(double value);                           // NOLINT
  AttributeValue(const char* value);                      // NOLINT
  AttributeValue(std::string value);                      // NOLINT
  AttributeValue(DType value);                            // NOLINT
  AttributeValue(std::vector<int64_t> value);             // NOLINT
  AttributeValue(const Dim& value);                       // NOLINT
  AttributeValue(const Shape& value);                     // NOLINT
  AttributeValue(std::shared_ptr<const Literal> value);   // NOLINT
  AttributeValue(std::shared_ptr<const Subgraph> value);  // NOLINT
  template <class T>
  AttributeValue(T* value) = delete;  // would be a bool
  AttributeValue(const AttributeValue& other);
  AttributeValue(AttributeValue&& other) noexcept;
  AttributeValue& operator=(const AttributeValue& other);
  AttributeValue& operator=(AttributeValue&& other) noexcept;
  ~AttributeValue();

  /// Null if it is of another type.
  template <class T>
  [[nodiscard]] const T* get_if() const;
  [[nodiscard]] const AttributeVariant& variant() const { return *value_; }

  /// By value; literals by their contents, bodies by identity.
  friend GRADLOOM_API bool operator==(const AttributeValue& a, const AttributeValue& b);

 private:
  std::shared_ptr<const AttributeVariant> value_;
};

/// The named, typed settings of a node (axes, a target shape, flags), in the order in which they were given.
class GRADLOOM_API Attributes {
 public:
  struct GRADLOOM_API Item {
    std::string name;
    AttributeValue value;

    Item(std::string_view called, AttributeValue set_to);
    Item(const Item& other);
    Item(Item&& other) noexcept;
    Item& operator=(const Item& other);
    Item& operator=(Item&& other) noexcept;
    ~Item();
    friend GRADLOOM_API bool operator==(const Item& a, const Item& b);
  };

  Attributes() noexcept;
  Attributes(std::initializer_list<Item> items);
  Attributes(const Attributes& other);
  Attributes(Attributes&& other) noexcept;
  Attributes& operator=(const Attributes& other);
  Attributes& operator=(Attributes&& other) noexcept;
  ~Attributes();

  void set(std::string_view name, AttributeValue value);
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  /// The value of that name and type. Throws Error if there is none: a mistake in a graph's text, or in the op itself.
  template <class T>
  [[nodiscard]] const T& get(std::string_view name) const {
    const AttributeValue* value = find(name);
    const T* typed = value == nullptr ? nullptr : value->get_if<T>();
    if (typed == nullptr) fail(name);
    return *typed;
  }
  template <class T>
  [[nodiscard]] T get_or(std::string_view name, T fallback) const {
    return has(name) ? get<T>(name) : fallback;
  }
  [[nodiscard]] const std::vector<Item>& items() const { return items_; }
  /// With symbols replaced in every Dim and Shape.
  [[nodiscard]] Attributes bind(std::span<const SymbolBinding> bindings) const;

  friend GRADLOOM_API bool operator==(const Attributes& a, const Attributes& b);

 private:
  [[nodiscard]] const AttributeValue* find(std::string_view name) const;
  [[noreturn]] void fail(std::string_view name) const;

  std::vector<Item> items_;
};

}  // namespace gradloom::inline v0
