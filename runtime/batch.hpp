#pragma once

#include <gradloom/graph/handle.hpp>
#include <gradloom/runtime/array.hpp>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradloom::inline v0 {

struct BatchData;
GRADLOOM_API void retain(BatchData* data);
GRADLOOM_API void release(BatchData* data);

/// Arrays by name: the inputs of a run. {{"image", images}, {"label", labels}}
/// Copying one allocates nothing: copies share their items until one of them is set().
class GRADLOOM_API Batch {
 public:
  using Item = std::pair<std::string, Array>;

  Batch() = default;
  /// Throws Error if a name is given twice.
  Batch(std::initializer_list<Item> items);

  /// Adds or replaces.
  void set(std::string_view name, Array array);
  /// Null if there is none of that name.
  [[nodiscard]] const Array* find(std::string_view name) const;
  /// Throws Error with the nearest name if there is none of that name.
  [[nodiscard]] const Array& operator[](std::string_view name) const;

  /// How many there are.
  [[nodiscard]] size_t size() const { return items().size(); }
  [[nodiscard]] auto begin() const { return items().begin(); }
  [[nodiscard]] auto end() const { return items().end(); }

  /// Does no copy share the items, and no other Array the storage of one? Then nobody would notice a change of them.
  [[nodiscard]] bool unique() const;

 private:
  [[nodiscard]] std::span<const Item> items() const;

  Handle<BatchData> data_;
};

}  // namespace gradloom::inline v0
