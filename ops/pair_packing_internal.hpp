// Operands of products of bf16 with AVX-512: terms are rounded and paired, lines become panels (B) or rows (A).
#pragma once

#include <gradloom/ops/gemm_pack_internal.hpp>
#include <gradloom/ops/packed_gemm_internal.hpp>
#include <gradloom/ops/packed_loop_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// Terms as floats whose lower halves are 0.
inline Batch<float> load_terms(const float* from, LaneMask<float> mask) {
  return round_to_bf16(load_lanes(from, mask));
}
inline Batch<float> load_terms(const BFloat16* from, LaneMask<float> mask) {
  const __m256i half = _mm256_maskz_loadu_epi16(static_cast<__mmask16>(mask.bits), from);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

inline Batch<float> pair_terms(Batch<float> first, Batch<float> second) {
  const __m512i lower = _mm512_srli_epi32(_mm512_castps_si512(first), 16);
  return _mm512_castsi512_ps(_mm512_or_si512(_mm512_castps_si512(second), lower));
}

/// Pairs of terms that lie along a line, of one line. `next`: terms of it that are wanted soon.
inline void pair_along(const float* from, int64_t terms, float* to, const float* next) {
  constexpr int64_t lanes = kLanes<float>;
  auto* const out = reinterpret_cast<BFloat16*>(to);
  for (int64_t p = 0; p < terms; p += lanes) {
    const int64_t count = terms - p < lanes ? terms - p : lanes;
    __builtin_prefetch(next + p);
    const __m512i upper = _mm512_srli_epi32(_mm512_castps_si512(load_terms(from + p, LaneMask<float>(count))), 16);
    // An odd number takes the 0 behind it along.
    const auto stored = static_cast<__mmask16>((uint32_t{1} << (count + count % 2)) - 1);
    _mm512_mask_cvtepi32_storeu_epi16(out + p, stored, upper);
  }
}
inline void pair_along(const BFloat16* from, int64_t terms, float* to, const BFloat16*) {
  __builtin_memcpy(to, from, static_cast<size_t>(terms) * sizeof(BFloat16));
  if (terms % 2 != 0) reinterpret_cast<BFloat16*>(to)[terms] = BFloat16();
}

/// Pairs of terms that lie across: for pair p, those of up to three vectors of lines, at to + p * stride.
template <class S>
inline void pair_across(const S* from, int64_t term, int64_t terms, int64_t lines, float* to, int64_t stride) {
  constexpr int64_t lanes = kLanes<float>, ahead = 16;  // terms; those of a column are pages apart
  const int64_t full = lines / lanes * lanes;
  const LaneMask<float> all(lanes), rest(lines > full ? lines - full : lanes);
  const auto pair = [&](int64_t i, LaneMask<float> mask, bool two) {
    const Batch<float> second = two ? load_terms(from + term + i, mask) : Batch<float>(0.0F);
    pair_terms(load_terms(from + i, mask), second).store_unaligned(to + i);
  };
  for (int64_t p = 0; p < terms; p += 2, from += 2 * term, to += stride) {
    const bool two = p + 2 <= terms;
    for (int64_t i = 0; i < full; i += lanes) {
      __builtin_prefetch(from + ahead * term + i);
      __builtin_prefetch(from + (ahead + 1) * term + i);
      pair(i, all, two);
    }
    if (full < lines) pair(full, rest, two);
  }
}

/// The terms of some pairs, which but for the last have two each.
inline int64_t terms_of(const TermMatrix& m, int64_t begin, int64_t end) {
  return 2 * end < m.terms ? 2 * (end - begin) : m.terms - 2 * begin;
}

/// So many pairs go through a buffer where they are to lie the other way round.
inline constexpr int64_t kBufferedPairs = 512;

template <class S>
void pack_pair_panels(const TermMatrix& b, const PairBlock& block, float* to) {
  constexpr int64_t lanes = kLanes<float>, panel = kPackedPanel<float>;
  static_assert(kPackedUnit % panel == 0);
  const int64_t pairs = pairs_for(b.terms);
  for (int64_t col = block.first_line; col < block.last_line; col += panel) {
    const int64_t cols = block.last_line - col < panel ? block.last_line - col : panel;
    const int64_t width = round_up(cols, lanes);
    float* const out = to + col * pairs;
    const S* const from = static_cast<const S*>(b.data) + col * b.line;
    if (b.line == 1) {
      pair_across(from + 2 * block.begin * b.term, b.term, terms_of(b, block.begin, block.end), cols,
                  out + block.begin * width, width);
      continue;
    }
    for (int64_t begin = block.begin; begin < block.end; begin += kBufferedPairs) {
      const int64_t end = block.end - begin < kBufferedPairs ? block.end : begin + kBufferedPairs;
      for (int64_t j = 0; j < cols; j += lanes) {
        const int64_t count = cols - j < lanes ? cols - j : lanes;
        alignas(64) float buffer[kLanes<float> * kBufferedPairs];
        for (int64_t i = 0; i < count; ++i)
          pair_along(from + (j + i) * b.line + 2 * begin, terms_of(b, begin, end), buffer + i * kBufferedPairs,
                     from + (j + i + 1) * b.line + 2 * begin);
        for_each_column(buffer, kBufferedPairs, count, end - begin,
                        [&](int64_t p, Batch<float> x) { x.store_unaligned(out + (begin + p) * width + j); });
      }
    }
  }
}

/// Up to a vector of pairs of each line, which lie across, to rows. (Inlined, g++ 12 takes the buffer to be read in
/// front of its beginning.)
[[gnu::noinline]] inline void store_rows(const float* across, int64_t pairs, int64_t lines, float* to, int64_t row) {
  const LaneMask<float> mask(pairs);
  for_each_column(across, kLanes<float>, pairs, lines,
                  [&](int64_t i, Batch<float> x) { store_lanes(to + i * row, x, mask); });
}

template <class S>
void pack_pair_rows(const TermMatrix& a, const PairBlock& block, float* to) {
  constexpr int64_t lanes = kLanes<float>;
  const int64_t pairs = pairs_for(a.terms);
  for (int64_t row = block.first_line; row < block.last_line; row += lanes) {
    const int64_t count = block.last_line - row < lanes ? block.last_line - row : lanes;
    const S* const from = static_cast<const S*>(a.data) + row * a.line;
    float* const out = to + row * pairs;
    if (a.term == 1) {
      for (int64_t i = 0; i < count; ++i)
        pair_along(from + i * a.line + 2 * block.begin, terms_of(a, block.begin, block.end),
                   out + i * pairs + block.begin, from + (i + 1) * a.line + 2 * block.begin);
      continue;
    }
    for (int64_t begin = block.begin; begin < block.end; begin += lanes) {
      const int64_t end = block.end - begin < lanes ? block.end : begin + lanes;
      alignas(64) float buffer[kLanes<float> * kLanes<float>];
      pair_across(from + 2 * begin * a.term, a.term, terms_of(a, begin, end), count, buffer, lanes);
      store_rows(buffer, end - begin, count, out + begin, pairs);
    }
  }
}

inline void pack_pair_panels(const TermMatrix& b, const PairBlock& block, BFloat16Pair* to) noexcept {
  auto* const out = reinterpret_cast<float*>(to);
  b.is_bf16 ? pack_pair_panels<BFloat16>(b, block, out) : pack_pair_panels<float>(b, block, out);
}
inline void pack_pair_rows(const TermMatrix& a, const PairBlock& block, BFloat16Pair* to) noexcept {
  auto* const out = reinterpret_cast<float*>(to);
  a.is_bf16 ? pack_pair_rows<BFloat16>(a, block, out) : pack_pair_rows<float>(a, block, out);
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
