#include <gradloom/graph/error.hpp>
#include <gradloom/graph/shape.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace gradloom::inline v0 {

Shape::Shape() noexcept = default;
Shape::Shape(std::initializer_list<Dim> dims) : dims_(dims) {}
Shape::Shape(std::vector<Dim> dims) : dims_(std::move(dims)) {}
Shape::Shape(std::span<const int64_t> sizes) : dims_(sizes.begin(), sizes.end()) {}
Shape::Shape(const Shape&) = default;
Shape::Shape(Shape&&) noexcept = default;
Shape& Shape::operator=(const Shape&) = default;
Shape& Shape::operator=(Shape&&) noexcept = default;
Shape::~Shape() = default;
bool operator==(const Shape& a, const Shape& b) = default;

const Dim& Shape::operator[](int axis) const {
  const int index = axis < 0 ? axis + rank() : axis;
  if (index < 0 || index >= rank()) throw Error(fmt::format("the shape {} has no axis {}", to_string(), axis));
  return dims_[static_cast<size_t>(index)];
}

bool Shape::known() const {
  return std::all_of(begin(), end(), [](const Dim& dim) { return dim.known(); });
}

Dim Shape::element_count() const {
  Dim count = 1;
  for (const Dim& dim : dims_) count = count * dim;
  return count;
}

std::vector<int64_t> Shape::sizes() const {
  std::vector<int64_t> sizes;
  sizes.reserve(dims_.size());
  for (const Dim& dim : dims_) sizes.push_back(dim.value());
  return sizes;
}

Shape Shape::bind(std::span<const SymbolBinding> bindings) const {
  std::vector<Dim> bound;
  bound.reserve(dims_.size());
  for (const Dim& dim : dims_) bound.push_back(dim.bind(bindings));
  return Shape(std::move(bound));
}

std::string Shape::to_string() const {
  std::string text = "[";
  for (const Dim& dim : dims_) text += (text.size() > 1 ? ", " : "") + dim.to_string();
  return text + "]";
}

}  // namespace gradloom::inline v0
