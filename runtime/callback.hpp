#pragma once

#include <type_traits>
#include <utility>

namespace gradloom::inline v0 {

template <class Signature>
class Callback;

/// A function that is kept for later, as an option is: std::function without <functional>, which would double what
/// every user's compiler reads. Moves, does not copy; empty by default.
template <class Result, class... Arguments>
class Callback<Result(Arguments...)> {
 public:
  Callback() = default;
  template <class F>
  requires(!std::is_same_v<F, Callback> && std::is_invocable_r_v<Result, F&, Arguments...>)
      Callback(F function)  // NOLINT(google-explicit-constructor): a lambda is an option's value as it stands
      : function_(new F(std::move(function))),
        call_([](void* f, Arguments... arguments) -> Result {
          return (*static_cast<F*>(f))(std::forward<Arguments>(arguments)...);
        }),
        destroy_([](void* f) { delete static_cast<F*>(f); }) {}
  Callback(Callback&& other) noexcept { swap(other); }
  Callback& operator=(Callback&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Callback() {
    if (function_) destroy_(function_);
  }

  explicit operator bool() const { return function_ != nullptr; }
  /// Must not be empty.
  Result operator()(Arguments... arguments) const { return call_(function_, std::forward<Arguments>(arguments)...); }

 private:
  void swap(Callback& other) noexcept {
    std::swap(function_, other.function_);
    std::swap(call_, other.call_);
    std::swap(destroy_, other.destroy_);
  }

  void* function_ = nullptr;
  Result (*call_)(void*, Arguments...) = nullptr;
  void (*destroy_)(void*) = nullptr;
};

}  // namespace gradloom::inline v0
