#include <gradloom/graph/dim.hpp>
#include <gradloom/graph/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <set>
#include <utility>

namespace gradloom::inline v0 {

namespace {

[[noreturn]] void overflow(const Dim& a, const char* sign, const Dim& b) {
  throw Error(fmt::format("the dimension ({}) {} ({}) does not fit in 64 bits", a.to_string(), sign, b.to_string()));
}

int64_t floor_divide(int64_t a, int64_t b) { return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0); }

bool is_symbol(std::string_view factor) { return factor.find_first_of("(/") == std::string_view::npos; }

// sum := product (('+' | '-') product)*; product := factor (('*' | '/') factor)*; factor := integer | name | '(' sum
// ')'
class DimParser {
 public:
  explicit DimParser(std::string_view text) : text_(text) {}

  Dim parse() {
    Dim result = sum();
    skip_space();
    if (at_ != text_.size()) fail();
    return result;
  }

 private:
  [[noreturn]] void fail() const {
    throw Error({.problem = fmt::format("\"{}\" is no dimension", text_),
                 .rule = "a dimension is an integer, a name such as batch, or + - * / of them"});
  }
  void skip_space() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool take(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  Dim sum() {
    Dim result = product();
    for (;;) {
      if (take('+')) {
        result = result + product();
      } else if (take('-')) {
        result = result - product();
      } else {
        return result;
      }
    }
  }
  Dim product() {
    Dim result = factor();
    for (;;) {
      if (take('*')) {
        result = result * factor();
      } else if (take('/')) {
        result = result / factor();
      } else {
        return result;
      }
    }
  }
  Dim factor();

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

struct Dim::Term {
  int64_t coefficient = 0;
  std::vector<std::string> factors;  // sorted: symbols, and quotients in their text form
  bool operator==(const Term&) const = default;
};

struct Dim::Terms {
  std::vector<Term> terms;  // sorted by factors, no zero coefficients, none without factors
  std::atomic<int> dims = 1;
};

Dim::Dim(const char* expression) : Dim(parse(expression)) {}
Dim::Dim(const std::string& expression) : Dim(parse(expression)) {}
Dim::Dim(const Dim& other) : constant_(other.constant_), terms_(other.terms_) {
  if (terms_ != nullptr) terms_->dims.fetch_add(1, std::memory_order_relaxed);
}
Dim::Dim(Dim&& other) noexcept : constant_(other.constant_), terms_(std::exchange(other.terms_, nullptr)) {}
Dim& Dim::operator=(const Dim& other) { return *this = Dim(other); }
Dim& Dim::operator=(Dim&& other) noexcept {
  std::swap(constant_, other.constant_);
  std::swap(terms_, other.terms_);
  return *this;
}
Dim::~Dim() {
  if (terms_ != nullptr && terms_->dims.fetch_sub(1, std::memory_order_acq_rel) == 1) delete terms_;
}

Dim Dim::from_terms(std::vector<Term> terms) {
  std::sort(terms.begin(), terms.end(), [](const Term& a, const Term& b) { return a.factors < b.factors; });
  Dim result;
  std::vector<Term> symbolic;
  for (Term& term : terms) {
    if (term.coefficient == 0) continue;
    if (term.factors.empty()) {
      result.constant_ = term.coefficient;
    } else {
      symbolic.push_back(std::move(term));
    }
  }
  if (!symbolic.empty()) result.terms_ = new Terms{std::move(symbolic)};
  return result;
}

std::vector<Dim::Term> Dim::all_terms() const {
  const std::span<const Term> symbolic = symbolic_terms();
  std::vector<Term> terms(symbolic.begin(), symbolic.end());
  if (constant_ != 0) terms.push_back({constant_, {}});
  return terms;
}

std::span<const Dim::Term> Dim::symbolic_terms() const {
  if (known()) return {};
  return terms_->terms;
}

Dim Dim::symbol(std::string name) { return from_terms({{1, {std::move(name)}}}); }

Dim Dim::parse(std::string_view expression) { return DimParser(expression).parse(); }

int64_t Dim::value() const {
  if (!known()) throw Error(fmt::format("the dimension {} has no value yet: it is symbolic", to_string()));
  return constant_;
}

std::string Dim::to_string() const {
  std::string text;
  const auto append = [&](int64_t coefficient, const std::string& factors) {
    // -(INT64_MIN) does not exist, but unsigned negation gives its magnitude.
    const uint64_t magnitude =
        coefficient < 0 ? 0 - static_cast<uint64_t>(coefficient) : static_cast<uint64_t>(coefficient);
    const bool negative = coefficient < 0;
    if (text.empty()) {
      if (negative) text += "-";
    } else {
      text += negative ? " - " : " + ";
    }
    if (factors.empty()) {
      text += fmt::format("{}", magnitude);
    } else if (magnitude == 1) {
      text += factors;
    } else {
      text += fmt::format("{}*{}", magnitude, factors);
    }
  };
  for (const Term& term : symbolic_terms()) append(term.coefficient, fmt::format("{}", fmt::join(term.factors, "*")));
  if (constant_ != 0 || known()) append(constant_, "");
  return text;
}

std::vector<std::string> Dim::symbols() const {
  std::set<std::string> names;
  for (const Term& term : symbolic_terms()) {
    for (const std::string& factor : term.factors) {
      if (is_symbol(factor)) {
        names.insert(factor);
        continue;
      }
      for (size_t at = 0; at < factor.size();) {  // the names inside a quotient's text
        if (std::isalpha(static_cast<unsigned char>(factor[at])) || factor[at] == '_') {
          size_t end = at;
          while (end < factor.size() && (std::isalnum(static_cast<unsigned char>(factor[end])) || factor[end] == '_'))
            ++end;
          names.insert(factor.substr(at, end - at));
          at = end;
        } else {
          ++at;
        }
      }
    }
  }
  return {names.begin(), names.end()};
}

Dim Dim::bind(std::span<const SymbolBinding> bindings) const {
  if (known()) return *this;
  const auto bind_symbol = [&](const std::string& name) {
    for (const SymbolBinding& binding : bindings) {
      if (binding.name == name) return Dim(binding.value);
    }
    return symbol(name);
  };
  Dim result = constant_;
  for (const Term& term : symbolic_terms()) {
    Dim product = term.coefficient;
    for (const std::string& factor : term.factors) {
      if (is_symbol(factor)) {
        product = product * bind_symbol(factor);
        continue;
      }
      // A quotient is always "((numerator) / (denominator))", see operator/.
      int depth = 0;
      size_t slash = 0;
      for (size_t i = 1; i + 1 < factor.size(); ++i) {
        if (factor[i] == '(') ++depth;
        if (factor[i] == ')') --depth;
        if (factor[i] == '/' && depth == 0) slash = i;
      }
      const Dim numerator = parse(std::string_view(factor).substr(1, slash - 1)).bind(bindings);
      const Dim denominator =
          parse(std::string_view(factor).substr(slash + 1, factor.size() - slash - 2)).bind(bindings);
      product = product * (numerator / denominator);
    }
    result = result + product;
  }
  return result;
}

Dim operator+(const Dim& a, const Dim& b) {
  std::vector<Dim::Term> terms = a.all_terms();
  for (const Dim::Term& term : b.all_terms()) {
    const auto same =
        std::find_if(terms.begin(), terms.end(), [&](const auto& t) { return t.factors == term.factors; });
    if (same == terms.end()) {
      terms.push_back(term);
    } else if (__builtin_add_overflow(same->coefficient, term.coefficient, &same->coefficient)) {
      overflow(a, "+", b);
    }
  }
  return Dim::from_terms(std::move(terms));
}

Dim operator-(const Dim& a, const Dim& b) { return a + Dim(-1) * b; }

Dim operator*(const Dim& a, const Dim& b) {
  Dim result;
  for (const Dim::Term& x : a.all_terms()) {
    for (const Dim::Term& y : b.all_terms()) {
      Dim::Term product;
      if (__builtin_mul_overflow(x.coefficient, y.coefficient, &product.coefficient)) overflow(a, "*", b);
      product.factors = x.factors;
      product.factors.insert(product.factors.end(), y.factors.begin(), y.factors.end());
      std::sort(product.factors.begin(), product.factors.end());
      result = result + Dim::from_terms({product});
    }
  }
  return result;
}

Dim operator/(const Dim& a, const Dim& b) {
  if (b == Dim(0)) throw Error(fmt::format("the dimension {} is divided by zero", a.to_string()));
  if (a.known() && b.known()) {
    if (a.constant_ == INT64_MIN && b.constant_ == -1) overflow(a, "/", b);
    return floor_divide(a.constant_, b.constant_);
  }
  if (a == b || a == Dim(0)) return a == b ? Dim(1) : Dim(0);
  // A divisor of one term that divides every term of the dividend leaves no remainder.
  const std::vector<Dim::Term> divisor = b.all_terms();
  if (divisor.size() == 1) {
    std::vector<Dim::Term> quotient = a.all_terms();
    const bool divides = std::all_of(quotient.begin(), quotient.end(), [&](const Dim::Term& term) {
      return term.coefficient % divisor[0].coefficient == 0 &&
             std::includes(term.factors.begin(), term.factors.end(), divisor[0].factors.begin(),
                           divisor[0].factors.end());
    });
    if (divides) {
      for (Dim::Term& term : quotient) {
        term.coefficient /= divisor[0].coefficient;
        std::vector<std::string> rest;
        std::set_difference(term.factors.begin(), term.factors.end(), divisor[0].factors.begin(),
                            divisor[0].factors.end(), std::back_inserter(rest));
        term.factors = std::move(rest);
      }
      return Dim::from_terms(std::move(quotient));
    }
  }
  return Dim::from_terms({{1, {fmt::format("(({}) / ({}))", a.to_string(), b.to_string())}}});
}

bool operator==(const Dim& a, const Dim& b) {
  if (a.constant_ != b.constant_) return false;
  return a.terms_ == b.terms_ || std::ranges::equal(a.symbolic_terms(), b.symbolic_terms());
}

namespace {

Dim DimParser::factor() {
  skip_space();
  if (take('(')) {
    Dim inner = sum();
    if (!take(')')) fail();
    return inner;
  }
  if (take('-')) return Dim(0) - factor();
  const size_t start = at_;
  if (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_]))) {
    int64_t value = 0;
    while (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_]))) {
      if (__builtin_mul_overflow(value, int64_t{10}, &value) ||
          __builtin_add_overflow(value, text_[at_] - '0', &value)) {
        throw Error(fmt::format("the dimension {} does not fit in 64 bits", text_));
      }
      ++at_;
    }
    return value;
  }
  if (at_ < text_.size() && (std::isalpha(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_')) {
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_')) ++at_;
    return Dim::symbol(std::string(text_.substr(start, at_ - start)));
  }
  fail();
}

}  // namespace

}  // namespace gradloom::inline v0
