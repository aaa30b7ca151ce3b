#pragma once

#include <type_traits>
#include <utility>

namespace gradloom::inline v0 {

template <class Signature>
class FunctionRef;

/// A reference to anything that can be called, for parameters only: it does not keep the callable alive. Public headers
/// use it because <functional> costs every user's compiler 30,000 lines.
template <class Result, class... Arguments>
class FunctionRef<Result(Arguments...)> {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef> && std::is_invocable_r_v<Result, F&, Arguments...>)
      FunctionRef(F&& callable)  // NOLINT: a lambda is passed as it is
      : callable_(const_cast<void*>(static_cast<const volatile void*>(&callable))),
        call_([](void* object, Arguments... arguments) -> Result {
          return (*static_cast<std::remove_reference_t<F>*>(object))(std::forward<Arguments>(arguments)...);
        }) {}
  /// A plain function.
  FunctionRef(Result (*function)(Arguments...))  // NOLINT
      : callable_(reinterpret_cast<void*>(function)), call_([](void* object, Arguments... arguments) -> Result {
          return reinterpret_cast<Result (*)(Arguments...)>(object)(std::forward<Arguments>(arguments)...);
        }) {}

  Result operator()(Arguments... arguments) const { return call_(callable_, std::forward<Arguments>(arguments)...); }

 private:
  void* callable_;
  Result (*call_)(void*, Arguments...);
};

}  // namespace gradloom::inline v0
