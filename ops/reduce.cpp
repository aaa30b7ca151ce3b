#include <gradloom/ops/reduce.hpp>
namespace gradloom::inline v0 {
Tensor sum(const Operand& x, const ReduceOptions&) { return x.tensor(); }
}  // namespace gradloom::inline v0
