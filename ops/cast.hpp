#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

/// One op per target: what is known at compile time stays out of the attributes.
GRADLOOM_API extern const OpDef to_boolean_def;
GRADLOOM_API extern const OpDef to_u8_def;
GRADLOOM_API extern const OpDef to_i32_def;
GRADLOOM_API extern const OpDef to_i64_def;
GRADLOOM_API extern const OpDef to_bf16_def;
GRADLOOM_API extern const OpDef to_f32_def;
GRADLOOM_API extern const OpDef to_f64_def;

/// x converted to another dtype, elementwise; x itself if it has it already. Float to integer truncates, saturates at
/// the ends of the range, and turns nan into 0; anything but 0 (nan too) is true; to f32 and bf16 rounds to nearest,
/// ties to even; wider to narrower integers wrap around. The gradient is cast back (a bf16 Tensor's is f32); through
/// integers there is none.
[[nodiscard]] GRADLOOM_API Tensor cast(const Operand& x, DType dtype);

/// x itself if it is of f32 or f64, else x as f32: how functions of floats take integers and booleans.
[[nodiscard]] GRADLOOM_API Tensor as_float(const Operand& x);

/// x as ops compute with it: as f32 if it is bf16, else x itself.
[[nodiscard]] GRADLOOM_API Tensor as_computed(const Operand& x);

}  // namespace gradloom::inline v0
