// cast: element conversion, one op per target dtype.
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

template <class To, class From>
To convert(From x) {
  if constexpr (std::is_same_v<From, BFloat16>) {
    return convert<To>(static_cast<float>(x));
  } else if constexpr (std::is_same_v<To, bool>) {
    return x != From{0};
  } else if constexpr (is_float_v<From> && std::is_integral_v<To>) {
    // The limits as From: the lower one is exact, the upper one rounds up to a power of two for wide integers, hence
    // >=.
    constexpr int bits = static_cast<int>(sizeof(To)) * 8 - (std::is_signed_v<To> ? 1 : 0);
    constexpr From above = static_cast<From>(uint64_t{1} << (bits - 1)) * 2;
    constexpr From below = std::is_signed_v<To> ? -above : From{0};
    constexpr To highest = static_cast<To>((uint64_t{1} << (bits - 1)) - 1 + (uint64_t{1} << (bits - 1)));
    constexpr To lowest = std::is_signed_v<To> ? static_cast<To>(-highest - 1) : To{0};
    if (!(x == x)) return 0;
    return x >= above ? highest : x <= below ? lowest : static_cast<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

template <class To, class From>
void convert_loop(const void* const* inputs, void* output, int64_t n) {
  const From* x = static_cast<const From*>(inputs[0]);
  To* y = static_cast<To*>(output);
  for (int64_t i = 0; i < n; ++i) y[i] = convert<To>(x[i]);
}

template <>
void convert_loop<BFloat16, float>(const void* const* inputs, void* output, int64_t n) {
  const float* const x = static_cast<const float*>(inputs[0]);
  BFloat16* const y = static_cast<BFloat16*>(output);
  int64_t i = 0;
  for (; i + lanes<float> <= n; i += lanes<float>) store_bf16(y + i, round_to_bf16(load(x + i)));
  for (; i < n; ++i) y[i] = BFloat16(x[i]);
}

template <>
void convert_loop<float, BFloat16>(const void* const* inputs, void* output, int64_t n) {
  const BFloat16* const x = static_cast<const BFloat16*>(inputs[0]);
  float* const y = static_cast<float*>(output);
  int64_t i = 0;
  for (; i + lanes<float> <= n; i += lanes<float>) store(y + i, load_bf16(x + i));
  for (; i < n; ++i) y[i] = x[i];
}

// In fused programs of f32, where bf16 is in registers as f32.
struct RoundToBf16 {
  static constexpr bool cheap = true;
  Batch<float> operator()(Batch<float> x) const { return round_to_bf16(x); }
};
struct Same {
  static constexpr bool cheap = true;
  Batch<float> operator()(Batch<float> x) const { return x; }
};

// In fused programs, between numbers of the program's lane type and its masks.
struct OneIf {
  template <class M>
  auto operator()(M condition) const {
    using V = Batch<typename M::batch_type::value_type>;
    return xsimd::select(condition, V(1), V(0));
  }
};
struct NotZero {
  template <class V>
  auto operator()(V x) const {
    return !(x == V(0));
  }
};

template <class To, class... From>
constexpr PointwiseKernels conversions_to(Types<From...>) {  // of bf16, too
  PointwiseKernels kernels;
  ((kernels.loops[dtype_index<From>] = convert_loop<To, Scalar<From>>), ...);
  kernels.loops[dtype_index<BFloat16>] = convert_loop<To, BFloat16>;
  if constexpr (std::is_same_v<To, bool>) {
    kernels.fused[0] = {&op_handlers_of<float, NotZero>, false};
    kernels.fused[1] = {&op_handlers_of<double, NotZero>, false};
  } else if constexpr (std::is_same_v<To, float>) {
    kernels.fused[0] = {&mask_handlers_of<float, OneIf>, true};
    kernels.fused_bf16 = {&op_handlers_of<float, Same>, false};
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    kernels.fused[0] = {&op_handlers_of<float, RoundToBf16>, false};
  } else if constexpr (std::is_same_v<To, double>) {
    kernels.fused[1] = {&mask_handlers_of<double, OneIf>, true};
  }
  return kernels;
}

}  // namespace

extern const PointwiseKernels to_boolean_kernels, to_u8_kernels, to_i32_kernels, to_i64_kernels, to_bf16_kernels,
    to_f32_kernels, to_f64_kernels;
const PointwiseKernels to_boolean_kernels = conversions_to<bool>(all_types);
const PointwiseKernels to_u8_kernels = conversions_to<uint8_t>(all_types);
const PointwiseKernels to_i32_kernels = conversions_to<int32_t>(all_types);
const PointwiseKernels to_i64_kernels = conversions_to<int64_t>(all_types);
const PointwiseKernels to_bf16_kernels = conversions_to<BFloat16>(all_types);
const PointwiseKernels to_f32_kernels = conversions_to<float>(all_types);
const PointwiseKernels to_f64_kernels = conversions_to<double>(all_types);

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#else

#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/ops/pointwise.hpp>

GRADLOOM_POINTWISE(to_boolean, , )
GRADLOOM_POINTWISE(to_u8, , )
GRADLOOM_POINTWISE(to_i32, , )
GRADLOOM_POINTWISE(to_i64, , )
GRADLOOM_POINTWISE(to_bf16, , )
GRADLOOM_POINTWISE(to_f32, , )
GRADLOOM_POINTWISE(to_f64, , )

namespace gradloom::inline v0 {

namespace {

template <DType to>
std::vector<TensorType> shape(const ShapeContext& context) {
  return {{to, context.shape(0)}};
}

Gradients vjp(const Vjp& v) {
  const DType dtype = computed_as(v.input(0).dtype());
  if (!is_float(dtype)) return {Gradient::none()};
  return {cast(v.cotangent(), dtype)};
}

const OpDef& cast_to(DType dtype) {
  constexpr const OpDef* targets[dtype_count] = {&to_boolean_def, &to_u8_def,  &to_i32_def, &to_i64_def,
                                                 &to_bf16_def,    &to_f32_def, &to_f64_def};
  return *targets[static_cast<size_t>(dtype)];
}

/// Does every value of dtype `from` exist in `to`?
bool holds(DType to, DType from) {
  if (from <= DType::u8) return from <= to;
  if (from == DType::bf16) return to >= DType::bf16;
  return from == to || (from == DType::i32 && (to == DType::i64 || to == DType::f64)) ||
         (from == DType::f32 && to == DType::f64);
}

// A cast of a cast that lost nothing starts from the first one's input.
Tensor simplify(Graph&, const Node& node, std::span<const Tensor> inputs) {
  const Tensor& x = inputs[0];
  const DType dtype = node.outputs[0].dtype;
  if (x.dtype() == dtype) return x;
  const bool twice = made_by(x, cast_to(x.dtype())) && holds(x.dtype(), input_of(x).dtype());
  return twice ? cast(input_of(x), dtype) : Tensor();
}

std::vector<Sample> samples() { return pointwise_samples(1, {{-3, 3}, {-300, 300, false}}); }

constexpr std::string_view rule = "a cast needs one tensor";
constexpr std::string_view no_gradient = "its result is not a float";

}  // namespace

const OpDef to_boolean_def{.name = "to_boolean",
                           .inputs = {"x"},
                           .rule = rule,
                           .shape = shape<DType::boolean>,
                           .no_gradient = no_gradient,
                           .pointwise = &to_boolean_table,
                           .reference = [](const double* x) { return x[0] != 0 ? 1.0 : 0.0; },
                           .simplify = simplify,
                           .samples = samples};
const OpDef to_u8_def{.name = "to_u8",
                      .inputs = {"x"},
                      .rule = rule,
                      .shape = shape<DType::u8>,
                      .no_gradient = no_gradient,
                      .pointwise = &to_u8_table,
                      .reference = [](const double* x) { return x[0]; },
                      .simplify = simplify,
                      .samples = samples};
const OpDef to_i32_def{.name = "to_i32",
                       .inputs = {"x"},
                       .rule = rule,
                       .shape = shape<DType::i32>,
                       .no_gradient = no_gradient,
                       .pointwise = &to_i32_table,
                       .reference = [](const double* x) { return x[0]; },
                       .simplify = simplify,
                       .samples = samples};
const OpDef to_i64_def{.name = "to_i64",
                       .inputs = {"x"},
                       .rule = rule,
                       .shape = shape<DType::i64>,
                       .no_gradient = no_gradient,
                       .pointwise = &to_i64_table,
                       .reference = [](const double* x) { return x[0]; },
                       .simplify = simplify,
                       .samples = samples};
const OpDef to_bf16_def{.name = "to_bf16",
                        .inputs = {"x"},
                        .rule = rule,
                        .shape = shape<DType::bf16>,
                        .vjp = vjp,
                        .pointwise = &to_bf16_table,
                        .reference = [](const double* x) { return x[0]; },
                        .simplify = simplify,
                        .samples = samples};
const OpDef to_f32_def{.name = "to_f32",
                       .inputs = {"x"},
                       .rule = rule,
                       .shape = shape<DType::f32>,
                       .vjp = vjp,
                       .pointwise = &to_f32_table,
                       .reference = [](const double* x) { return x[0]; },
                       .simplify = simplify,
                       .samples = samples};
const OpDef to_f64_def{.name = "to_f64",
                       .inputs = {"x"},
                       .rule = rule,
                       .shape = shape<DType::f64>,
                       .vjp = vjp,
                       .pointwise = &to_f64_table,
                       .reference = [](const double* x) { return x[0]; },
                       .simplify = simplify,
                       .samples = samples};

Tensor cast(const Operand& x, DType dtype) {
  const SourceScope scope(x, "cast");
  if (x.tensor().dtype() == dtype) return x.tensor();
  return pointwise(cast_to(dtype), {x});
}

Tensor as_float(const Operand& x) {
  const SourceScope scope(x, "cast");
  return is_float(x.tensor().dtype()) ? x.tensor() : cast(x, DType::f32);
}

Tensor as_computed(const Operand& x) {
  const SourceScope scope(x, "cast");
  return cast(x, computed_as(x.tensor().dtype()));
}

}  // namespace gradloom::inline v0

#endif
