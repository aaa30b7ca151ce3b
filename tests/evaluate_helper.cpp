#include "evaluate_helper.hpp"

#include <gradloom/graph/with_type_internal.hpp>
#include <gradloom/runtime/interpreter_internal.hpp>

#include <cstring>

namespace gradloom::test {

std::vector<double> Values::as_doubles() const {
  std::vector<double> doubles;
  with_type(dtype, [&](auto zero) {
    for (const auto element : as<decltype(zero)>()) doubles.push_back(static_cast<double>(element));
  });
  return doubles;
}

Values Values::from_doubles(DType dtype, std::vector<int64_t> sizes, const std::vector<double>& elements) {
  Values values;
  with_type(dtype, [&](auto zero) {
    std::vector<decltype(zero)> typed;
    for (const double element : elements) {
      typed.push_back(static_cast<decltype(zero)>(dtype == DType::boolean ? element != 0 : element));
    }
    values = of(std::move(sizes), typed);
  });
  values.dtype = dtype;  // booleans are stored as u8
  return values;
}

std::vector<Values> evaluate(const std::vector<Tensor>& tensors, const std::map<std::string, Values>& inputs, Isa isa,
                             RunInfo run) {
  Batch given;
  for (const auto& [name, value] : inputs) {
    Array array(value.sizes, value.dtype);
    if (!value.bytes.empty()) std::memcpy(array.raw(), value.bytes.data(), value.bytes.size());
    given.set(name, std::move(array));
  }
  std::vector<Values> results;
  for (const Array& array : interpret(tensors, given, isa, run)) {
    results.push_back({array.dtype(), array.sizes(), std::vector<std::byte>(array.byte_size())});
    if (array.byte_size() > 0) std::memcpy(results.back().bytes.data(), array.raw(), array.byte_size());
  }
  return results;
}

}  // namespace gradloom::test
