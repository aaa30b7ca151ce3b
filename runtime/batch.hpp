#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gradloom/runtime/array.hpp>

namespace gradloom::inline v0 {

/// Arrays by name: the inputs of a run. {{"image", images}, {"label", labels}}
class GRADLOOM_API Batch {
 public:
  using Item = std::pair<std::string, Array>;

  Batch() = default;
  Batch(std::initializer_list<Item> items);

  /// Adds or replaces.
  void set(std::string_view name, Array array);
  /// Null if there is none of that name.
  [[nodiscard]] const Array* find(std::string_view name) const;
  /// Throws Error with the nearest name if there is none of that name.
  [[nodiscard]] const Array& operator[](std::string_view name) const;

  [[nodiscard]] size_t size() const { return items_.size(); }
  [[nodiscard]] auto begin() const { return items_.begin(); }
  [[nodiscard]] auto end() const { return items_.end(); }

 private:
  std::vector<Item> items_;
};

}  // namespace gradloom::inline v0
