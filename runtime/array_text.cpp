#include <gradloom/runtime/elements_internal.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gradloom::inline v0 {

namespace {

constexpr int64_t shown_at_most = 1000;  // elements; more, and the middles of axes are left out
constexpr int64_t edge = 3;              // elements shown at either end of such an axis
constexpr size_t line_width = 88;

std::string element_text(DType dtype, const std::byte* at) {
  if (dtype == DType::boolean) return *at == std::byte{0} ? "false" : "true";
  return with_type(dtype, [&](auto zero) {
    using T = decltype(zero);
    const NumberOf<T> value = *reinterpret_cast<const T*>(at);
    if constexpr (std::is_floating_point_v<NumberOf<T>>) {
      return std::isnan(value) ? std::string("nan") : fmt::format("{:.6g}", value);  // without the sign of a nan
    } else {
      return fmt::format("{}", value);
    }
  });
}

// Visits what is shown of the array twice: first for the width of a column, then to write it.
class Writer {
 public:
  explicit Writer(const Array& array) : array_(array), elide_(array.size() > shown_at_most) {}

  std::string write() {
    visit(0, 0, [&](const std::byte* at) { width_ = std::max(width_, element_text(array_.dtype(), at).size()); });
    write_axis(0, static_cast<const std::byte*>(array_.raw()));
    return std::move(text_);
  }

 private:
  [[nodiscard]] int64_t size(int axis) const { return array_.sizes()[static_cast<size_t>(axis)]; }
  [[nodiscard]] int64_t step(int axis) const {
    return array_.strides()[static_cast<size_t>(axis)] * static_cast<int64_t>(size_of(array_.dtype()));
  }
  [[nodiscard]] bool elided(int axis) const { return elide_ && size(axis) > 2 * edge; }

  // Calls f(i, left_out_before) for the indices of an axis that are shown.
  template <class F>
  void each(int axis, F f) const {
    const int64_t n = size(axis);
    for (int64_t i = 0; i < n; ++i) {
      const bool jump = elided(axis) && i == edge;
      if (jump) i = n - edge;
      f(i, jump);
    }
  }

  template <class F>
  void visit(int axis, int64_t offset, F f) const {
    if (axis == array_.rank()) return f(static_cast<const std::byte*>(array_.raw()) + offset);
    each(axis, [&](int64_t i, bool) { visit(axis + 1, offset + i * step(axis), f); });
  }

  void write_element(const std::byte* at) { text_ += fmt::format("{:>{}}", element_text(array_.dtype(), at), width_); }

  void new_line(int axis) {
    text_ += '\n';
    line_begin_ = text_.size();
    text_.append(static_cast<size_t>(axis) + 1, ' ');
  }

  void write_axis(int axis, const std::byte* at) {
    if (axis == array_.rank()) return write_element(at);
    const bool innermost = axis + 1 == array_.rank();
    const auto separate = [&](size_t next) {
      text_ += ',';
      if (!innermost || text_.size() - line_begin_ + next > line_width) {
        new_line(axis);
      } else {
        text_ += ' ';
      }
    };
    text_ += '[';
    each(axis, [&](int64_t i, bool left_out) {
      if (left_out) {
        separate(3);
        text_ += "...";
      }
      if (i > 0) separate(width_ + 1);
      write_axis(axis + 1, at + i * step(axis));
    });
    text_ += ']';
  }

  const Array& array_;
  bool elide_;
  size_t width_ = 0;
  size_t line_begin_ = 0;
  std::string text_;
};

}  // namespace

std::string Array::to_string() const {
  std::string text = fmt::format("{}[{}]", gradloom::to_string(dtype_), fmt::join(sizes_, ", "));
  if (size() == 0) return text + " []";
  if (!data_) return "an Array that was moved from";
  return text + (rank() <= 1 ? " " : "\n") + Writer(*this).write();
}

}  // namespace gradloom::inline v0
