#pragma once

#include <gradloom/graph/dim.hpp>
#include <gradloom/graph/export.hpp>

#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace gradloom::inline v0 {

/// The sizes of a tensor, outermost axis first: {"batch", 784}. An empty list is a scalar.
class GRADLOOM_API Shape {
 public:
  Shape() noexcept;
  Shape(std::initializer_list<Dim> dims);
  explicit Shape(std::vector<Dim> dims);
  explicit Shape(std::span<const int64_t> sizes);
  Shape(const Shape& other);
  Shape(Shape&& other) noexcept;
  Shape& operator=(const Shape& other);
  Shape& operator=(Shape&& other) noexcept;
  ~Shape();

  [[nodiscard]] int rank() const { return static_cast<int>(dims_.size()); }
  /// The size of an axis; a negative axis counts from the end. Throws Error if there is no such axis.
  [[nodiscard]] const Dim& operator[](int axis) const;
  [[nodiscard]] const std::vector<Dim>& dims() const { return dims_; }
  [[nodiscard]] auto begin() const { return dims_.begin(); }
  [[nodiscard]] auto end() const { return dims_.end(); }

  /// True if no symbol is left.
  [[nodiscard]] bool known() const;
  /// The number of elements. Throws Error if it does not fit in 64 bits.
  [[nodiscard]] Dim element_count() const;
  /// The sizes as integers. Throws Error if a symbol is left.
  [[nodiscard]] std::vector<int64_t> sizes() const;
  [[nodiscard]] Shape bind(std::span<const SymbolBinding> bindings) const;
  /// "[batch, 784]"
  [[nodiscard]] std::string to_string() const;

  friend GRADLOOM_API bool operator==(const Shape& a, const Shape& b);

 private:
  std::vector<Dim> dims_;
};

}  // namespace gradloom::inline v0
