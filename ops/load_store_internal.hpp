// Loads and stores of SIMD vectors: whole ones, the first n lanes, bf16 as f32, and masks as the bytes 0 and 1 of a
// boolean array.
//
// Masks by hand, because xsimd 8.1 goes through memory lane by lane. Parts by masked instructions where there are any:
// a small network is all tails. A part's other lanes repeat its last element, a value the function is meant for, so
// that they take no slow path.
#pragma once

#include <gradloom/graph/bfloat16.hpp>
#include <gradloom/ops/kernel_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

template <class T>
using Mask = xsimd::batch_bool<T, Arch>;

template <class T>
inline constexpr int lanes = static_cast<int>(Batch<T>::size);

template <class T>
inline Batch<T> load(const T* from) {
  return Batch<T>::load_unaligned(from);
}

template <class T>
inline void store(T* to, Batch<T> value) {
  value.store_unaligned(to);
}

/// The first 0 < n < lanes lanes, in the form that the masked instructions take.
#if defined(__AVX512BW__)
template <class T>
inline auto first_lanes(int64_t n) {
  const uint32_t first = (uint32_t{1} << n) - 1;
  if constexpr (sizeof(T) == 4) {
    return static_cast<__mmask16>(first);
  } else {
    return static_cast<__mmask8>(first);
  }
}
#elif defined(__AVX2__)
template <class T>
inline __m256i first_lanes(int64_t n) {
  if constexpr (sizeof(T) == 4) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  } else {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
  }
}
#endif

/// The first 0 < n < lanes elements, then the last of them again and again.
template <class T>
inline Batch<T> load_part(const T* from, int64_t n) {
  const Batch<T> last(from[n - 1]);
#if defined(__AVX512BW__)
  if constexpr (sizeof(T) == 4) {
    return _mm512_mask_loadu_ps(last, first_lanes<T>(n), from);
  } else {
    return _mm512_mask_loadu_pd(last, first_lanes<T>(n), from);
  }
#elif defined(__AVX2__)
  const __m256i first = first_lanes<T>(n);
  if constexpr (sizeof(T) == 4) {
    return _mm256_blendv_ps(last, _mm256_maskload_ps(from, first), _mm256_castsi256_ps(first));
  } else {
    return _mm256_blendv_pd(last, _mm256_maskload_pd(from, first), _mm256_castsi256_pd(first));
  }
#else
  alignas(16) T padded[lanes<T>];
  last.store_aligned(padded);
  for (int64_t i = 0; i < n; ++i) padded[i] = from[i];
  return Batch<T>::load_aligned(padded);
#endif
}

/// Stores the first 0 < n < lanes lanes and touches nothing beyond.
template <class T>
inline void store_part(T* to, Batch<T> value, int64_t n) {
#if defined(__AVX512BW__)
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_ps(to, first_lanes<T>(n), value);
  } else {
    _mm512_mask_storeu_pd(to, first_lanes<T>(n), value);
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    _mm256_maskstore_ps(to, first_lanes<T>(n), value);
  } else {
    _mm256_maskstore_pd(to, first_lanes<T>(n), value);
  }
#else
  alignas(16) T padded[lanes<T>];
  value.store_aligned(padded);
  for (int64_t i = 0; i < n; ++i) to[i] = padded[i];
#endif
}

/// As many elements of bf16 as there are lanes of f32.
inline Batch<float> load_bf16(const BFloat16* from) {
#if defined(__AVX512BW__)
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
#elif defined(__AVX2__)
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
#else
  const __m128i half = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
  return _mm_castsi128_ps(_mm_slli_epi32(_mm_cvtepu16_epi32(half), 16));
#endif
}

/// The nearest values of bf16, as BFloat16's constructor rounds: the lower halves are 0.
inline Batch<float> round_to_bf16(Batch<float> x) {
  using Bits = xsimd::batch<uint32_t, Arch>;
  const Bits bits = xsimd::bitwise_cast<Bits>(x);
  const Bits rounded = bits + (Bits(0x7fff) + ((bits >> 16) & Bits(1)));
  const Batch<float> number = xsimd::bitwise_cast<Batch<float>>(rounded & Bits(0xffff0000));
  const Batch<float> quiet = xsimd::bitwise_cast<Batch<float>>((bits | Bits(0x400000)) & Bits(0xffff0000));
  return xsimd::select(x == x, number, quiet);
}

/// Stores values that round_to_bf16 gave.
inline void store_bf16(BFloat16* to, Batch<float> x) {
#if defined(__AVX512BW__)
  const __m512i upper = _mm512_srli_epi32(_mm512_castps_si512(x), 16);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(upper));
#elif defined(__AVX2__)
  const __m256i upper = _mm256_srli_epi32(_mm256_castps_si256(x), 16);
  const __m128i packed = _mm_packus_epi32(_mm256_castsi256_si128(upper), _mm256_extracti128_si256(upper, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), packed);
#else
  const __m128i upper = _mm_srli_epi32(_mm_castps_si128(x), 16);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi32(upper, upper));
#endif
}

/// Bytes 0 or 1 to a mask for T's lanes.
template <class T>
inline Mask<T> load_mask(const bool* from) {
#if defined(__AVX512BW__)
  if constexpr (sizeof(T) == 4) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return _mm_test_epi8_mask(bytes, bytes);
  } else {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    return static_cast<__mmask8>(_mm_test_epi8_mask(bytes, bytes));
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    const __m256i wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
    return _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_setzero_si256(), wide));  // 1 to all ones
  } else {
    int32_t bytes;
    __builtin_memcpy(&bytes, from, sizeof bytes);
    const __m256i wide = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(bytes));
    return _mm256_castsi256_pd(_mm256_sub_epi64(_mm256_setzero_si256(), wide));
  }
#else
  if constexpr (sizeof(T) == 4) {
    int32_t bytes;
    __builtin_memcpy(&bytes, from, sizeof bytes);
    return _mm_castsi128_ps(_mm_sub_epi32(_mm_setzero_si128(), _mm_cvtepu8_epi32(_mm_cvtsi32_si128(bytes))));
  } else {
    int16_t bytes;
    __builtin_memcpy(&bytes, from, sizeof bytes);
    return _mm_castsi128_pd(_mm_sub_epi64(_mm_setzero_si128(), _mm_cvtepu8_epi64(_mm_cvtsi32_si128(bytes))));
  }
#endif
}

#if !defined(__AVX512BW__)
/// Bit i of four (movemask) to byte i: the product puts bit i + 7 j wherever bit i and factor bit 7 j meet, and only
/// i = j lands on bit 0 of a byte.
inline uint32_t bits_to_bytes(int bits) { return (static_cast<uint32_t>(bits) * 0x204081U) & 0x1010101U; }
#endif

template <class T>
inline void store(bool* to, Mask<T> mask) {
#if defined(__AVX512BW__)
  if constexpr (sizeof(T) == 4) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_maskz_set1_epi8(mask, 1));
  } else {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_maskz_set1_epi8(mask, 1));
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    const __m256i ones = _mm256_castps_si256(mask);
    const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(ones), _mm256_extracti128_si256(ones, 1));
    const __m128i bytes = _mm_and_si128(_mm_packs_epi16(halves, halves), _mm_set1_epi8(1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), bytes);
  } else {
    const uint32_t bytes = bits_to_bytes(_mm256_movemask_pd(mask));
    __builtin_memcpy(to, &bytes, lanes<T>);
  }
#else
  uint32_t bytes;
  if constexpr (sizeof(T) == 4) {
    bytes = bits_to_bytes(_mm_movemask_ps(mask));
  } else {
    bytes = bits_to_bytes(_mm_movemask_pd(mask));
  }
  __builtin_memcpy(to, &bytes, lanes<T>);
#endif
}

/// As load_part, for masks; the other lanes are false.
template <class T>
inline Mask<T> load_mask_part(const bool* from, int64_t n) {
#if defined(__AVX512BW__)
  const __m128i bytes = _mm_maskz_loadu_epi8(first_lanes<T>(n), from);
  if constexpr (sizeof(T) == 4) {
    return _mm_test_epi8_mask(bytes, bytes);
  } else {
    return static_cast<__mmask8>(_mm_test_epi8_mask(bytes, bytes));
  }
#else
  bool padded[lanes<T>] = {};
  for (int64_t i = 0; i < n; ++i) padded[i] = from[i];
  return load_mask<T>(padded);
#endif
}

template <class T>
inline void store_part(bool* to, Mask<T> mask, int64_t n) {
  bool padded[lanes<T>];
  store<T>(padded, mask);
  for (int64_t i = 0; i < n; ++i) to[i] = padded[i];
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
