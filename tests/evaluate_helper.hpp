// Evaluates tensors node by node on one thread, straight through the ops' plans: the simplest thing that can run a
// graph, to test ops with and to compare the runtime with.
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/kernel.hpp>

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace gradloom::test {

/// Concrete values, dense and row-major.
struct Values {
  DType dtype = DType::f32;
  std::vector<int64_t> sizes;
  std::vector<std::byte> bytes;

  template <class T>
  static Values of(std::vector<int64_t> sizes, const std::vector<T>& elements) {
    Values values{dtype_of<T>, std::move(sizes), std::vector<std::byte>(elements.size() * sizeof(T))};
    for (size_t i = 0; i < elements.size(); ++i) {
      const T element = elements[i];  // vector<bool> has no addresses
      __builtin_memcpy(values.bytes.data() + i * sizeof(T), &element, sizeof(T));
    }
    return values;
  }
  template <class T>
  std::vector<T> as() const {
    std::vector<T> elements(bytes.size() / sizeof(T));
    for (size_t i = 0; i < elements.size(); ++i) {
      T element;
      __builtin_memcpy(&element, bytes.data() + i * sizeof(T), sizeof(T));
      elements[i] = element;
    }
    return elements;
  }
  /// Every element as a double, whatever the dtype.
  std::vector<double> as_doubles() const;
  /// The doubles rounded to a dtype.
  static Values from_doubles(DType dtype, std::vector<int64_t> sizes, const std::vector<double>& elements);
};

/// The values of `tensors`, given the values of inputs and parameters by name. All shapes must be known.
std::vector<Values> evaluate(const std::vector<Tensor>& tensors, const std::map<std::string, Values>& inputs = {},
                             Isa isa = supported_isas().back(), RunInfo run = {});

}  // namespace gradloom::test
