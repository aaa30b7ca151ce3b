#pragma once

#include <gradloom/graph/export.hpp>

#include <utility>

namespace gradloom::inline v0 {

/// A shared pointer to a hidden implementation, for public headers, where <memory> would cost every user's compiler
/// 35,000 lines. `retain(T*)` and `release(T*)` are found by name beside T; both take null.
template <class T>
class Handle {
 public:
  Handle() = default;
  /// Takes over one reference.
  explicit Handle(T* owned) : object_(owned) {}
  Handle(const Handle& other) : object_(other.object_) { retain(object_); }
  Handle(Handle&& other) noexcept : object_(other.object_) { other.object_ = nullptr; }
  Handle& operator=(Handle other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Handle() { release(object_); }

  [[nodiscard]] T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

}  // namespace gradloom::inline v0
