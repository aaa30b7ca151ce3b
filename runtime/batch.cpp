#include <gradloom/graph/error.hpp>
#include <gradloom/runtime/batch.hpp>
#include <gradloom/runtime/missing_name_internal.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0 {

Batch::Batch(std::initializer_list<Item> items) {
  items_.reserve(items.size());
  for (const Item& item : items) {
    if (find(item.first)) throw Error(fmt::format("a Batch is given \"{}\" twice", item.first));
    items_.push_back(item);
  }
}

void Batch::set(std::string_view name, Array array) {
  for (Item& item : items_) {
    if (item.first == name) {
      item.second = std::move(array);
      return;
    }
  }
  items_.emplace_back(name, std::move(array));
}

const Array* Batch::find(std::string_view name) const {
  for (const Item& item : items_) {
    if (item.first == name) return &item.second;
  }
  return nullptr;
}

const Array& Batch::operator[](std::string_view name) const {
  if (const Array* array = find(name)) return *array;
  std::vector<std::string> names;
  for (const Item& item : items_) names.push_back(item.first);
  throw missing_name("the Batch", name, names);
}

}  // namespace gradloom::inline v0
