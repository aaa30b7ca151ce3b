// The kernels of sum, prod, max and min for one instruction set; compiled once per set.
#include <gradloom/ops/reduce_functors_internal.hpp>
#include <gradloom/ops/reduce_loop_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

namespace {

// In the order of DType: boolean, u8, i32, i64, bf16, f32, f64. Integers are summed as unsigned ones, which wrap
// around.
template <class Op>
constexpr ReduceKernels accumulating{
    {{}, {}, {}, Reduction<Op, uint64_t>::loops(), {}, Reduction<Op, float>::loops(), Reduction<Op, double>::loops()}};
// As bytes 0 and 1, booleans have the right maximum and minimum.
template <class Op>
constexpr ReduceKernels comparing{{Reduction<Op, uint8_t>::loops(),
                                   Reduction<Op, uint8_t>::loops(),
                                   Reduction<Op, int32_t>::loops(),
                                   Reduction<Op, int64_t>::loops(),
                                   {},
                                   Reduction<Op, float>::loops(),
                                   Reduction<Op, double>::loops()}};

}  // namespace

const ReduceKernels sum_kernels = accumulating<Sum>;
const ReduceKernels prod_kernels = accumulating<Prod>;
const ReduceKernels max_kernels = comparing<Max>;
const ReduceKernels min_kernels = comparing<Min>;

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
