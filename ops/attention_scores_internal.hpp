// What the forward pass of attention and its gradient share: the blocks that scores are computed in, and the bias.
#pragma once

#include <gradloom/ops/attention_table_internal.hpp>
#include <gradloom/ops/gemm_panels_internal.hpp>
#include <gradloom/ops/load_store_internal.hpp>
#include <gradloom/ops/math_exp_internal.hpp>
#include <gradloom/ops/math_log_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// Rows of scores in work at once: many where all of them see the whole block of keys, for fewer loads and stores; few
/// along the diagonal of a causal attention, where what lies beyond it within the rows is computed for nothing.
inline constexpr int64_t kScoreRows = 64, kDiagonalRows = 16;
/// Of a row of scores in scratch: not a power of two, so that columns of them do not meet in a few sets of the cache.
inline constexpr int64_t kScoreStride = attention_key_block + 16;

/// Queries begin .. begin + rows - 1 and keys first .. first + keys - 1: `keys` are all that the last of these queries
/// sees in the block, the others see no more of it.
struct ScoreBlock {
  int64_t begin, rows, first, keys;
};

/// The rows from `begin` on, before `end`, that are worked on together, and what they see of a block of keys.
inline ScoreBlock score_block(const AttentionForm& form, int64_t begin, int64_t end, int64_t first,
                              int64_t block_keys) {
  const bool diagonal = form.seen_by(begin) < first + block_keys;
  int64_t rows = diagonal ? kDiagonalRows : kScoreRows;
  if (rows > end - begin) rows = end - begin;
  const int64_t seen = form.seen_by(begin + rows - 1) - first;
  return {begin, rows, first, seen < 0 ? 0 : (seen < block_keys ? seen : block_keys)};
}

/// How many keys of the block one of its queries sees.
inline int64_t keys_of(const AttentionForm& form, const ScoreBlock& block, int64_t row) {
  const int64_t seen = form.seen_by(block.begin + row) - block.first;
  return seen < 0 ? 0 : (seen < block.keys ? seen : block.keys);
}

/// True in the first n lanes.
template <class T>
inline Mask<T> first_of(int64_t n) {
  alignas(64) T index[lanes<T>];
  for (int i = 0; i < lanes<T>; ++i) index[i] = static_cast<T>(i);
  return Batch<T>::load_aligned(index) < Batch<T>(static_cast<T>(n));
}

/// Does a mask hide the keys first .. first + keys - 1 from all the queries begin .. end - 1 of a head? Of a cache most
/// may be empty, of a batch of texts the end.
inline bool hides_all(const AttentionForm& form, const void* bias, int64_t batch, int64_t head, int64_t begin,
                      int64_t end, int64_t first, int64_t keys) {
  if (form.bias != AttentionBias::mask) return false;
  const bool* mask = static_cast<const bool*>(bias) + form.bias_batch[batch] + head * form.bias_head +
                     begin * form.bias_query + first * form.bias_key;
  const int64_t rows = form.bias_query == 0 ? 1 : end - begin, columns = form.bias_key == 0 ? 1 : keys;
  for (int64_t i = 0; i < rows; ++i, mask += form.bias_query) {
    if (__builtin_memchr(mask, 1, static_cast<size_t>(columns)) != nullptr) return false;
  }
  return true;
}

/// Scores of one query, as softmax takes them: scale * products + bias.
template <class T>
class ScoreRow {
 public:
  ScoreRow(const AttentionForm& form, const void* bias, int64_t batch, int64_t head, int64_t query, int64_t first)
      : scale_(static_cast<T>(form.scale)), kind_(form.bias), step_(form.bias_key) {
    if (kind_ == AttentionBias::none) return;
    at_ = form.bias_batch[batch] + head * form.bias_head + query * form.bias_query + first * step_;
    if (kind_ == AttentionBias::mask) mask_ = static_cast<const bool*>(bias) + at_;
    if (kind_ == AttentionBias::added) added_ = static_cast<const T*>(bias) + at_;
  }

  /// A whole vector, from key `col` of the block on.
  Batch<T> operator()(Batch<T> products, int64_t col) const {
    switch (kind_) {
      case AttentionBias::none:
        return products * scale_;
      case AttentionBias::mask:
        return xsimd::select(step_ == 0 ? Mask<T>(mask_[0]) : load_mask<T>(mask_ + col), products * scale_, nothing_);
      case AttentionBias::added:
        break;
    }
    return fmadd(products, scale_, step_ == 0 ? Batch<T>(added_[0]) : load(added_ + col));
  }

  /// The first n lanes of one; the others are -inf.
  Batch<T> part(Batch<T> products, int64_t col, int64_t n) const {
    Batch<T> x = products * scale_;
    if (kind_ == AttentionBias::mask) {
      const Mask<T> seen = step_ == 0 ? Mask<T>(mask_[0]) : load_mask_part<T>(mask_ + col, n);
      x = xsimd::select(seen, x, nothing_);
    } else if (kind_ == AttentionBias::added) {
      x = fmadd(products, scale_, step_ == 0 ? Batch<T>(added_[0]) : load_part(added_ + col, n));
    }
    return xsimd::select(first_of<T>(n), x, nothing_);
  }

 private:
  const Batch<T> nothing_ = Batch<T>(-math::infinity<T>);
  Batch<T> scale_;
  AttentionBias kind_;
  int64_t step_, at_ = 0;
  const bool* mask_ = nullptr;
  const T* added_ = nullptr;
};

/// Lays out scratch, each part at a cache line; without memory it only counts.
template <class T>
class Scratch {
 public:
  explicit Scratch(void* memory) : memory_(static_cast<T*>(memory)) {}

  T* take(int64_t elements) {
    const int64_t at = used_;
    used_ += round_up(elements, 64 / static_cast<int64_t>(sizeof(T)));
    return memory_ == nullptr ? nullptr : memory_ + at;
  }
  [[nodiscard]] size_t bytes() const { return static_cast<size_t>(used_) * sizeof(T); }

 private:
  T* memory_;
  int64_t used_ = 0;
};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
