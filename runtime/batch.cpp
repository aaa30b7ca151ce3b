#include <gradloom/graph/error.hpp>
#include <gradloom/runtime/batch.hpp>
#include <gradloom/runtime/missing_name_internal.hpp>

#include <fmt/format.h>

#include <atomic>

namespace gradloom::inline v0 {

struct BatchData {
  std::atomic<int64_t> references{1};
  std::vector<Batch::Item> items;
};

void retain(BatchData* data) {
  if (data) data->references.fetch_add(1, std::memory_order_relaxed);
}

void release(BatchData* data) {
  if (data && data->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete data;
}

Batch::Batch(std::initializer_list<Item> items) : data_(new BatchData) {
  data_->items.reserve(items.size());
  for (const Item& item : items) {
    if (find(item.first)) throw Error(fmt::format("a Batch is given \"{}\" twice", item.first));
    data_->items.push_back(item);
  }
}

std::span<const Batch::Item> Batch::items() const {
  return data_ ? std::span<const Item>(data_->items) : std::span<const Item>();
}

void Batch::set(std::string_view name, Array array) {
  // A sole owner stays one: nobody else could make another copy of this Batch meanwhile.
  if (!data_ || data_->references.load(std::memory_order_acquire) != 1) {
    auto* const copy = new BatchData;
    Handle<BatchData> own(copy);
    copy->items.assign(items().begin(), items().end());
    data_ = std::move(own);
  }
  for (Item& item : data_->items) {
    if (item.first == name) {
      item.second = std::move(array);
      return;
    }
  }
  data_->items.emplace_back(name, std::move(array));
}

const Array* Batch::find(std::string_view name) const {
  for (const Item& item : items()) {
    if (item.first == name) return &item.second;
  }
  return nullptr;
}

const Array& Batch::operator[](std::string_view name) const {
  if (const Array* array = find(name)) return *array;
  std::vector<std::string> names;
  for (const Item& item : items()) names.push_back(item.first);
  throw missing_name("the Batch", name, names);
}

bool Batch::unique() const {
  if (data_ && data_->references.load(std::memory_order_acquire) != 1) return false;
  for (const Item& item : items()) {
    if (!item.second.unique()) return false;
  }
  return true;
}

}  // namespace gradloom::inline v0
