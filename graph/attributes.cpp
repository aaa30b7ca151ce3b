#include <gradloom/graph/attribute_variant_internal.hpp>
#include <gradloom/graph/error.hpp>

#include <algorithm>

namespace gradloom::inline v0 {

namespace {

template <class T>
std::shared_ptr<const AttributeVariant> shared(T value) {
  return std::make_shared<const AttributeVariant>(std::move(value));
}

}  // namespace

AttributeValue::AttributeValue() : AttributeValue(false) {}
AttributeValue::AttributeValue(bool value) : value_(shared(value)) {}
AttributeValue::AttributeValue(int value) : AttributeValue(int64_t{value}) {}
AttributeValue::AttributeValue(int64_t value) : value_(shared(value)) {}
AttributeValue::AttributeValue(double value) : value_(shared(value)) {}
AttributeValue::AttributeValue(const char* value) : AttributeValue(std::string(value)) {}
AttributeValue::AttributeValue(std::string value) : value_(shared(std::move(value))) {}
AttributeValue::AttributeValue(DType value) : value_(shared(value)) {}
AttributeValue::AttributeValue(std::vector<int64_t> value) : value_(shared(std::move(value))) {}
AttributeValue::AttributeValue(const Dim& value) : value_(shared(value)) {}
AttributeValue::AttributeValue(const Shape& value) : value_(shared(value)) {}
AttributeValue::AttributeValue(std::shared_ptr<const Literal> value) : value_(shared(std::move(value))) {}
AttributeValue::AttributeValue(std::shared_ptr<const Subgraph> value) : value_(shared(std::move(value))) {}
AttributeValue::AttributeValue(const AttributeValue&) = default;
AttributeValue::AttributeValue(AttributeValue&&) noexcept = default;
AttributeValue& AttributeValue::operator=(const AttributeValue&) = default;
AttributeValue& AttributeValue::operator=(AttributeValue&&) noexcept = default;
AttributeValue::~AttributeValue() = default;

template <class T>
const T* AttributeValue::get_if() const {
  return std::get_if<T>(value_.get());
}
template GRADLOOM_API const bool* AttributeValue::get_if() const;
template GRADLOOM_API const int64_t* AttributeValue::get_if() const;
template GRADLOOM_API const double* AttributeValue::get_if() const;
template GRADLOOM_API const std::string* AttributeValue::get_if() const;
template GRADLOOM_API const DType* AttributeValue::get_if() const;
template GRADLOOM_API const std::vector<int64_t>* AttributeValue::get_if() const;
template GRADLOOM_API const Dim* AttributeValue::get_if() const;
template GRADLOOM_API const Shape* AttributeValue::get_if() const;
template GRADLOOM_API const std::shared_ptr<const Literal>* AttributeValue::get_if() const;
template GRADLOOM_API const std::shared_ptr<const Subgraph>* AttributeValue::get_if() const;

bool operator==(const AttributeValue& a, const AttributeValue& b) {
  if (a.value_ == b.value_) return true;
  const auto* x = a.get_if<std::shared_ptr<const Literal>>();
  const auto* y = b.get_if<std::shared_ptr<const Literal>>();
  if (x != nullptr && y != nullptr) return *x == *y || (*x != nullptr && *y != nullptr && **x == **y);
  return *a.value_ == *b.value_;
}

Attributes::Item::Item(std::string_view called, AttributeValue set_to) : name(called), value(std::move(set_to)) {}
Attributes::Item::Item(const Item&) = default;
Attributes::Item::Item(Item&&) noexcept = default;
Attributes::Item& Attributes::Item::operator=(const Item&) = default;
Attributes::Item& Attributes::Item::operator=(Item&&) noexcept = default;
Attributes::Item::~Item() = default;
bool operator==(const Attributes::Item& a, const Attributes::Item& b) = default;

Attributes::Attributes() noexcept = default;
Attributes::Attributes(std::initializer_list<Item> items) : items_(items) {}
Attributes::Attributes(const Attributes&) = default;
Attributes::Attributes(Attributes&&) noexcept = default;
Attributes& Attributes::operator=(const Attributes&) = default;
Attributes& Attributes::operator=(Attributes&&) noexcept = default;
Attributes::~Attributes() = default;
bool operator==(const Attributes& a, const Attributes& b) = default;

void Attributes::set(std::string_view name, AttributeValue value) {
  for (Item& item : items_) {
    if (item.name == name) {
      item.value = std::move(value);
      return;
    }
  }
  items_.emplace_back(name, std::move(value));
}

const AttributeValue* Attributes::find(std::string_view name) const {
  const auto item = std::find_if(items_.begin(), items_.end(), [&](const Item& i) { return i.name == name; });
  return item == items_.end() ? nullptr : &item->value;
}

void Attributes::fail(std::string_view name) const {
  throw Error("the attribute \"" + std::string(name) + (has(name) ? "\" has another type" : "\" is missing"));
}

Attributes Attributes::bind(std::span<const SymbolBinding> bindings) const {
  Attributes bound = *this;
  for (Item& item : bound.items_) {
    if (const auto* dim = item.value.get_if<Dim>()) item.value = dim->bind(bindings);
    if (const auto* shape = item.value.get_if<Shape>()) item.value = shape->bind(bindings);
  }
  return bound;
}

}  // namespace gradloom::inline v0
