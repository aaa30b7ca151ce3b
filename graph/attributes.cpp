#include <gradloom/graph/attributes.hpp>
#include <gradloom/graph/error.hpp>

#include <algorithm>

namespace gradloom::inline v0 {

void Attributes::set(std::string name, AttributeValue value) {
  for (Item& item : items_) {
    if (item.first == name) {
      item.second = std::move(value);
      return;
    }
  }
  items_.emplace_back(std::move(name), std::move(value));
}

const AttributeValue* Attributes::find(std::string_view name) const {
  const auto item = std::find_if(items_.begin(), items_.end(), [&](const Item& i) { return i.first == name; });
  return item == items_.end() ? nullptr : &item->second;
}

void Attributes::fail(std::string_view name) const {
  throw Error("the attribute \"" + std::string(name) + (has(name) ? "\" has another type" : "\" is missing"));
}

Attributes Attributes::bind(std::span<const SymbolBinding> bindings) const {
  Attributes bound = *this;
  for (Item& item : bound.items_) {
    if (auto* dim = std::get_if<Dim>(&item.second)) *dim = dim->bind(bindings);
    if (auto* shape = std::get_if<Shape>(&item.second)) *shape = shape->bind(bindings);
  }
  return bound;
}

bool operator==(const Attributes& a, const Attributes& b) {
  return std::equal(a.items_.begin(), a.items_.end(), b.items_.begin(), b.items_.end(),
                    [](const auto& x, const auto& y) {
                      if (x.first != y.first || x.second.index() != y.second.index()) return false;
                      if (const auto* literal = std::get_if<std::shared_ptr<const Literal>>(&x.second)) {
                        const auto& other = std::get<std::shared_ptr<const Literal>>(y.second);
                        return *literal == other || **literal == *other;
                      }
                      return x.second == y.second;
                    });
}

}  // namespace gradloom::inline v0
