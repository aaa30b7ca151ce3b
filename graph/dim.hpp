#pragma once

#include <gradloom/graph/export.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gradloom::inline v0 {

/// A value for a symbol: {"batch", 128}.
struct SymbolBinding {
  std::string name;
  int64_t value = 0;
};

/// The size of one axis: an integer, a named symbol ("batch"), or + - * / arithmetic of them (/ is floor division).
/// Kept in a normal form (a polynomial with sorted terms; a quotient that does not divide is one opaque factor), so
/// that equal expressions compare equal: `2 * batch + batch == 3 * batch`.
class GRADLOOM_API Dim {
 public:
  Dim() noexcept = default;
  Dim(int value) noexcept : constant_(value) {}                                  // NOLINT: sizes are written as numbers
  Dim(long value) noexcept : constant_(value) {}                                 // NOLINT
  Dim(long long value) noexcept : constant_(value) {}                            // NOLINT
  Dim(unsigned value) noexcept : constant_(value) {}                             // NOLINT
  Dim(unsigned long value) noexcept : constant_(static_cast<int64_t>(value)) {}  // NOLINT
  /// A symbol or an expression, "batch" or "2 * batch + 1". Throws Error if it is neither.
  Dim(const char* expression);         // NOLINT: {"batch", 784}
  Dim(const std::string& expression);  // NOLINT

  Dim(const Dim& other);
  Dim(Dim&& other) noexcept;
  Dim& operator=(const Dim& other);
  Dim& operator=(Dim&& other) noexcept;
  ~Dim();

  [[nodiscard]] static Dim parse(std::string_view expression);
  /// The symbol of that name (letters, digits and _; not checked here).
  [[nodiscard]] static Dim symbol(std::string name);

  /// True for a plain integer.
  [[nodiscard]] bool known() const { return terms_ == nullptr; }
  /// The integer. Throws Error if a symbol is in it.
  [[nodiscard]] int64_t value() const;
  /// The normal form, "2*batch + 1"; parses back to the same Dim.
  [[nodiscard]] std::string to_string() const;
  /// The names in it, sorted.
  [[nodiscard]] std::vector<std::string> symbols() const;
  /// With every symbol that `bindings` names replaced by its value. Throws Error on overflow or division by zero.
  [[nodiscard]] Dim bind(std::span<const SymbolBinding> bindings) const;

  /// All four throw Error when a coefficient leaves int64, / also when the divisor is 0.
  friend GRADLOOM_API Dim operator+(const Dim& a, const Dim& b);
  friend GRADLOOM_API Dim operator-(const Dim& a, const Dim& b);
  friend GRADLOOM_API Dim operator*(const Dim& a, const Dim& b);
  friend GRADLOOM_API Dim operator/(const Dim& a, const Dim& b);
  friend GRADLOOM_API bool operator==(const Dim& a, const Dim& b);

 private:
  struct Term;
  struct Terms;
  static Dim from_terms(std::vector<Term> terms);
  [[nodiscard]] std::vector<Term> all_terms() const;
  [[nodiscard]] std::span<const Term> symbolic_terms() const;

  int64_t constant_ = 0;
  // Those with symbols, shared by copies and never changed; null if there are none. Counted by hand: <memory> costs
  // whoever includes this more than all the rest of it.
  Terms* terms_ = nullptr;
};

}  // namespace gradloom::inline v0
