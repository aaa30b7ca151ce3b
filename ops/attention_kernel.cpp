// Attention for one instruction set, block by block: no more than a few rows of scores exist at a time.
//
// The forward pass keeps for every row the largest score so far, m, and the sum of exp(score - m); a larger score in a
// later block of keys only means that what has been summed is multiplied by exp(old m - new m) (Milakov & Gimelshein
// 2018, Online normalizer calculation for softmax; with the products in the same blocks: Dao et al. 2022,
// FlashAttention). It leaves log(sum(exp(scores))) of each row, from which the gradient gets exp(score - lse), the
// probabilities, again.
//
// Dropout multiplies the probabilities P with factors D that AttentionDropout draws anew for every block: o = (P D) v,
// so that dP = (dout v^T) D and dv = (P D)^T dout; the sums are those without it.
#include <gradloom/ops/attention_dropout_internal.hpp>
#include <gradloom/ops/attention_few_internal.hpp>
#include <gradloom/ops/attention_scores_internal.hpp>
#include <gradloom/ops/reduce_functors_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

namespace {

/// Of two scores. Unlike Max it takes no care of NaN, which reaches the result by the exponentials anyway.
struct Larger {
  template <class V>
  V operator()(V a, V b) const {
    return xsimd::max(a, b);
  }
};

/// Where the rows of one head of a [batch, rows, heads, size] tensor begin.
template <class T>
T* head_of(T* tensor, int64_t rows, int64_t heads, int64_t size, int64_t batch, int64_t head) {
  return tensor + (batch * rows * heads + head) * size;
}

template <class T>
void set_zero(T* x, int64_t row, int64_t rows, int64_t size) {
  for (int64_t i = 0; i < rows; ++i, x += row) {
    for (int64_t j = 0; j < size; ++j) x[j] = T{0};
  }
}

// ---- forward

template <class T>
struct ForwardScratch {
  Scratch<T> memory;
  int64_t sums_row;
  T *keys, *values, *scores, *sums, *largest, *totals;

  ForwardScratch(const AttentionForm& form, void* at)
      : memory(at),
        sums_row(round_up(form.value_depth, kLanes<T>)),
        keys(memory.take(panels_elements<T>(form.depth, attention_key_block))),
        values(memory.take(panels_elements<T>(attention_key_block, form.value_depth))),
        scores(memory.take(kScoreRows * kScoreStride)),
        sums(memory.take(attention_query_block * sums_row)),
        largest(memory.take(attention_query_block)),
        totals(memory.take(attention_query_block)) {}
};

/// What is known of a row after some blocks of keys: its largest score, the sum of exp(score - largest), and the values
/// weighted with these.
template <class T>
struct RowSums {
  T& largest;
  T& total;
  T* values;
  int64_t size;
};

/// Products in a row of scratch become exp(score - largest): `seen` of them, and 0 up to `keys`.
template <class T>
void add_row(const ScoreRow<T>& score, T* row, int64_t seen, int64_t keys, RowSums<T> sums) {
  using V = Batch<T>;
  V most(-math::infinity<T>);
  int64_t col = 0;
  for (; col + lanes<T> <= seen; col += lanes<T>) {
    const V x = score(V::load_aligned(row + col), col);
    x.store_aligned(row + col);
    most = Larger{}(most, x);
  }
  if (col < seen) {
    const V x = score.part(V::load_aligned(row + col), col, seen - col);
    x.store_aligned(row + col);
    most = Larger{}(most, x);
    col += lanes<T>;
  }
  const int64_t end = col;
  const T before = sums.largest, in_block = fold_lanes<Larger, T>(Larger{}, most);
  const T largest = in_block > before ? in_block : before;
  // A row that has seen nothing yet, for a mask of its own: exp(-inf - 0) is 0.
  const T shift = largest == -math::infinity<T> ? T{0} : largest;
  V total(T{0});
  for (col = 0; col < end; col += lanes<T>) {
    const V p = math::exp(V::load_aligned(row + col) - V(shift));
    p.store_aligned(row + col);
    total = total + p;
  }
  for (; col < keys; col += lanes<T>) V(T{0}).store_aligned(row + col);

  const T in_row = fold_lanes<Sum, T>(Sum{}, total);
  if (before == largest) {
    sums.total += in_row;
    return;
  }
  const V factor = math::exp(V(before - shift));
  sums.total = sums.total * factor.get(0) + in_row;
  sums.largest = largest;
  if (before == -math::infinity<T>) return;  // there is nothing in the sums
  for (int64_t i = 0; i < sums.size; i += lanes<T>) {
    (V::load_aligned(sums.values + i) * factor).store_aligned(sums.values + i);
  }
}

/// The queries of one head, of which row `first` of scratch is that of the first one.
template <class T>
void write_rows(const AttentionForm& form, const AttentionCall& call, int64_t head, const ForwardScratch<T>& scratch,
                int64_t first = 0) {
  using V = Batch<T>;
  const int64_t row = form.heads * form.value_depth, rows = call.end - call.begin;
  T* out = head_of(static_cast<T*>(call.output), form.queries, form.heads, form.value_depth, call.batch, head) +
           call.begin * row;
  for (int64_t i = first; i < first + rows; ++i, out += row) {
    const bool empty = scratch.totals[i] == T{0};
    const V total(scratch.totals[i]);
    for (int64_t j = 0; j < form.value_depth; j += lanes<T>) {
      const V y = empty ? V(T{0}) : V::load_aligned(scratch.sums + i * scratch.sums_row + j) / total;
      if (form.value_depth - j >= lanes<T>) {
        store(out + j, y);
      } else {
        store_part(out + j, y, form.value_depth - j);
      }
    }
  }
  T* const lse = head_of(static_cast<T*>(call.lse), form.queries, form.heads, 1, call.batch, head);
  for (int64_t i = 0; i < rows; i += lanes<T>) {
    alignas(64) T y[lanes<T>];
    (load(scratch.largest + first + i) + math::log(load(scratch.totals + first + i))).store_aligned(y);
    for (int64_t j = 0; j < lanes<T> && i + j < rows; ++j) lse[(call.begin + i + j) * form.heads] = y[j];
  }
}

/// A row of products becomes factors of the values: exp(score - largest), dropped or not.
template <class T>
void add_scores(const AttentionForm& form, const AttentionCall& call, int64_t head, const ScoreBlock& block, int64_t i,
                const ForwardScratch<T>& scratch, int64_t row, AttentionDropout<T>& dropout) {
  T* const scores = scratch.scores + i * kScoreStride;
  const ScoreRow<T> score(form, call.bias, call.batch, head, block.begin + i, block.first);
  add_row(score, scores, keys_of(form, block, i), block.keys,
          {scratch.largest[row], scratch.totals[row], scratch.sums + row * scratch.sums_row, scratch.sums_row});
  if (AttentionDropout<T>::drops(form.dropout, call.key))
    dropout(scores, form.row_of(call.batch, head, block.begin + i), block.first / attention_key_block);
}

/// A few queries of several heads. What they are waiting for lies side by side.
template <class T>
void forward_few(const AttentionForm& form, const AttentionCall& call, const ForwardScratch<T>& scratch,
                 AttentionDropout<T>& dropout) noexcept {
  const int64_t q_row = form.heads * form.depth, k_row = form.kv_heads * form.depth;
  const int64_t v_row = form.kv_heads * form.value_depth, queries = call.end - call.begin;
  set_zero(scratch.sums, scratch.sums_row, (call.last_head - call.head) * queries, scratch.sums_row);
  for (int64_t first = 0; first < form.keys; first += attention_key_block) {
    const int64_t keys = form.keys - first < attention_key_block ? form.keys - first : attention_key_block;
    for (int64_t head = call.head; head < call.last_head; ++head) {
      if (hides_all(form, call.bias, call.batch, head, call.begin, call.end, first, keys)) continue;
      const ScoreBlock block = score_block(form, call.begin, call.end, first, keys);  // of all the queries
      if (block.keys == 0) continue;
      const int64_t kv_head = head / form.group();
      const T* const q =
          head_of(static_cast<const T*>(call.q), form.queries, form.heads, form.depth, call.batch, head) +
          call.begin * q_row;
      const T* const k =
          head_of(static_cast<const T*>(call.k), form.keys, form.kv_heads, form.depth, call.batch, kv_head);
      const T* const v =
          head_of(static_cast<const T*>(call.v), form.keys, form.kv_heads, form.value_depth, call.batch, kv_head);
      for (int64_t i = 0; i < queries; ++i) {
        dot_keys(q + i * q_row, k + first * k_row, k_row, block.keys, form.depth, scratch.scores + i * kScoreStride);
        const int64_t row = (head - call.head) * queries + i;
        add_scores(form, call, head, block, i, scratch, row, dropout);
        add_values(scratch.scores + i * kScoreStride, v + first * v_row, v_row, block.keys, form.value_depth,
                   scratch.sums + row * scratch.sums_row);
      }
    }
  }
  for (int64_t head = call.head; head < call.last_head; ++head)
    write_rows(form, call, head, scratch, (head - call.head) * queries);
}

template <class T>
void forward(const AttentionForm& form, const AttentionCall& call) noexcept {
  const ForwardScratch<T> scratch(form, call.scratch);
  AttentionDropout<T> dropout(form.dropout, call.key, form.keys);
  for (int64_t i = 0; i < attention_query_block; ++i) {
    scratch.largest[i] = -math::infinity<T>;
    scratch.totals[i] = T{0};
  }
  if (form.queries <= attention_few_queries) return forward_few(form, call, scratch, dropout);
  const int64_t kv_head = call.head / form.group();
  const int64_t q_row = form.heads * form.depth, k_row = form.kv_heads * form.depth;
  const int64_t v_row = form.kv_heads * form.value_depth;
  const T* const q =
      head_of(static_cast<const T*>(call.q), form.queries, form.heads, form.depth, call.batch, call.head);
  const T* const k = head_of(static_cast<const T*>(call.k), form.keys, form.kv_heads, form.depth, call.batch, kv_head);
  const T* const v =
      head_of(static_cast<const T*>(call.v), form.keys, form.kv_heads, form.value_depth, call.batch, kv_head);

  const int64_t last_seen = form.seen_by(call.end - 1), seen = last_seen < form.keys ? last_seen : form.keys;
  bool has_sums = false;
  for (int64_t first = 0; first < seen; first += attention_key_block) {
    const int64_t keys = seen - first < attention_key_block ? seen - first : attention_key_block;
    if (hides_all(form, call.bias, call.batch, call.head, call.begin, call.end, first, keys)) {
      if (!has_sums) set_zero(scratch.sums, scratch.sums_row, call.end - call.begin, scratch.sums_row);
      has_sums = true;
      continue;
    }
    const Panels<T> k_columns = pack_panels(k + first * k_row, 1, k_row, form.depth, keys, scratch.keys);
    const Panels<T> v_rows = pack_panels(v + first * v_row, v_row, 1, keys, form.value_depth, scratch.values);
    for (int64_t begin = call.begin; begin < call.end;) {
      const ScoreBlock block = score_block(form, begin, call.end, first, keys);
      if (block.keys > 0) {
        multiply_panels<ALayout::along_k, Tail::padded>(q + begin * q_row, q_row, block.rows, form.depth, k_columns,
                                                        block.keys, scratch.scores, kScoreStride, false);
        T* const sums = scratch.sums + (begin - call.begin) * scratch.sums_row;
        for (int64_t i = 0; i < block.rows; ++i)
          add_scores(form, call, call.head, block, i, scratch, begin - call.begin + i, dropout);
        multiply_panels<ALayout::along_k, Tail::padded>(scratch.scores, kScoreStride, block.rows, block.keys, v_rows,
                                                        form.value_depth, sums, scratch.sums_row, has_sums);
      }
      begin += block.rows;
    }
    has_sums = true;
  }
  write_rows(form, call, call.head, scratch);
}

// ---- gradient

template <class T>
struct GradientScratch {
  Scratch<T> memory;
  T *k_columns, *v_columns, *k_rows, *q_rows, *dout_rows, *probabilities, *slopes;

  GradientScratch(const AttentionForm& form, void* at)
      : memory(at),
        k_columns(memory.take(panels_elements<T>(form.depth, attention_key_block))),
        v_columns(memory.take(panels_elements<T>(form.value_depth, attention_key_block))),
        k_rows(memory.take(panels_elements<T>(attention_key_block, form.depth))),
        q_rows(memory.take(panels_elements<T>(kScoreRows, form.depth))),
        dout_rows(memory.take(panels_elements<T>(kScoreRows, form.value_depth))),
        probabilities(memory.take(kScoreRows * kScoreStride)),
        slopes(memory.take(kScoreRows * kScoreStride)) {}
};

/// In rows of scratch: products q k become the probabilities P, and dP = dout v becomes scale * P (dP - delta), the
/// slope of the loss in the products. `seen` of them, and 0 up to `keys`.
template <class T>
void slopes_of_row(const ScoreRow<T>& score, T* products, T* slopes, int64_t seen, int64_t keys, T lse, T delta,
                   T scale) {
  using V = Batch<T>;
  // A row that sees nothing has probabilities of 0, and no slopes.
  const V shift(lse == -math::infinity<T> ? math::infinity<T> : lse), minus(delta), factor(scale);
  int64_t col = 0;
  for (; col + lanes<T> <= seen; col += lanes<T>) {
    const V p = math::exp(score(V::load_aligned(products + col), col) - shift);
    p.store_aligned(products + col);
    (p * (V::load_aligned(slopes + col) - minus) * factor).store_aligned(slopes + col);
  }
  if (col < seen) {
    const V p = math::exp(score.part(V::load_aligned(products + col), col, seen - col) - shift);
    p.store_aligned(products + col);
    const V slope = p * (V::load_aligned(slopes + col) - minus) * factor;
    xsimd::select(first_of<T>(seen - col), slope, V(T{0})).store_aligned(slopes + col);
    col += lanes<T>;
  }
  for (; col < keys; col += lanes<T>) {
    V(T{0}).store_aligned(products + col);
    V(T{0}).store_aligned(slopes + col);
  }
}

/// One head's part of the gradients in one block of keys; `dk` and `dv` are those of its first key.
template <class T>
struct HeadGradient {
  const AttentionForm& form;
  const AttentionGradientCall& call;
  const GradientScratch<T>& scratch;
  AttentionDropout<T>& dropout;
  Panels<T> k_columns, v_columns, k_rows;
  int64_t head, first, keys;
  T *dk, *dv;

  void run(const T* q, const T* dout, T* dq) const {
    const int64_t row = form.heads * form.depth, out_row = form.heads * form.value_depth;
    for (int64_t begin = form.first_to_see(first); begin < form.queries;) {
      const ScoreBlock block = score_block(form, begin, form.queries, first, keys);
      run_block(block, q + begin * row, dout + begin * out_row, dq + begin * row);
      begin += block.rows;
    }
  }

  void run_block(const ScoreBlock& block, const T* q, const T* dout, T* dq) const {
    const int64_t q_row = form.heads * form.depth, out_row = form.heads * form.value_depth;
    const int64_t k_row = form.kv_heads * form.depth, v_row = form.kv_heads * form.value_depth;
    T *const p = scratch.probabilities, *const slopes = scratch.slopes;
    multiply_panels<ALayout::along_k, Tail::padded>(q, q_row, block.rows, form.depth, k_columns, block.keys, p,
                                                    kScoreStride, false);
    multiply_panels<ALayout::along_k, Tail::padded>(dout, out_row, block.rows, form.value_depth, v_columns, block.keys,
                                                    slopes, kScoreStride, false);
    const int64_t at = (call.batch * form.queries + block.begin) * form.heads + head;
    const T *const lse = static_cast<const T*>(call.lse) + at, *const delta = static_cast<const T*>(call.delta) + at;
    for (int64_t i = 0; i < block.rows; ++i) {
      const ScoreRow<T> score(form, call.bias, call.batch, head, block.begin + i, first);
      const auto drop = [&](T* x) {
        dropout(x + i * kScoreStride, form.row_of(call.batch, head, block.begin + i), first / attention_key_block);
      };
      const bool drops = AttentionDropout<T>::drops(form.dropout, call.key);
      if (drops) drop(slopes);
      slopes_of_row(score, p + i * kScoreStride, slopes + i * kScoreStride, keys_of(form, block, i), block.keys,
                    lse[i * form.heads], delta[i * form.heads], static_cast<T>(form.scale));
      if (drops) drop(p);
    }
    const Panels<T> q_rows = pack_panels(q, q_row, 1, block.rows, form.depth, scratch.q_rows);
    const Panels<T> dout_rows = pack_panels(dout, out_row, 1, block.rows, form.value_depth, scratch.dout_rows);
    multiply_panels<ALayout::along_rows, Tail::exact>(p, kScoreStride, block.keys, block.rows, dout_rows,
                                                      form.value_depth, dv, v_row, true);
    multiply_panels<ALayout::along_rows, Tail::exact>(slopes, kScoreStride, block.keys, block.rows, q_rows, form.depth,
                                                      dk, k_row, true);
    multiply_panels<ALayout::along_k, Tail::exact>(slopes, kScoreStride, block.rows, block.keys, k_rows, form.depth, dq,
                                                   q_row, true);
  }
};

template <class T>
void gradient(const AttentionForm& form, const AttentionGradientCall& call) noexcept {
  const GradientScratch<T> scratch(form, call.scratch);
  AttentionDropout<T> dropout(form.dropout, call.key, form.keys);
  const int64_t q_row = form.heads * form.depth, k_row = form.kv_heads * form.depth;
  const int64_t v_row = form.kv_heads * form.value_depth, group = form.group();
  const auto kv = [&](auto* tensor, int64_t size) {
    return head_of(tensor, form.keys, form.kv_heads, size, call.batch, call.kv_head);
  };
  const auto query = [&](auto* tensor, int64_t size, int64_t head) {
    return head_of(tensor, form.queries, form.heads, size, call.batch, head);
  };
  const T* const k = kv(static_cast<const T*>(call.k), form.depth);
  const T* const v = kv(static_cast<const T*>(call.v), form.value_depth);
  for (int64_t head = call.kv_head * group; head < (call.kv_head + 1) * group; ++head) {
    set_zero(query(static_cast<T*>(call.dq), form.depth, head), q_row, form.queries, form.depth);
  }
  for (int64_t block = call.first; block < attention_key_blocks(form); block += call.blocks) {
    const int64_t first = block * attention_key_block;
    const int64_t keys = form.keys - first < attention_key_block ? form.keys - first : attention_key_block;
    T* const dk = kv(static_cast<T*>(call.dk), form.depth) + first * k_row;
    T* const dv = kv(static_cast<T*>(call.dv), form.value_depth) + first * v_row;
    set_zero(dk, k_row, keys, form.depth);
    set_zero(dv, v_row, keys, form.value_depth);
    if (form.first_to_see(first) >= form.queries) continue;
    HeadGradient<T> head{
        .form = form,
        .call = call,
        .scratch = scratch,
        .dropout = dropout,
        .k_columns = pack_panels(k + first * k_row, 1, k_row, form.depth, keys, scratch.k_columns),
        .v_columns = pack_panels(v + first * v_row, 1, v_row, form.value_depth, keys, scratch.v_columns),
        .k_rows = pack_panels(k + first * k_row, k_row, 1, keys, form.depth, scratch.k_rows),
        .head = 0,
        .first = first,
        .keys = keys,
        .dk = dk,
        .dv = dv};
    for (head.head = call.kv_head * group; head.head < (call.kv_head + 1) * group; ++head.head) {
      if (hides_all(form, call.bias, call.batch, head.head, form.first_to_see(first), form.queries, first, keys))
        continue;
      head.run(query(static_cast<const T*>(call.q), form.depth, head.head),
               query(static_cast<const T*>(call.dout), form.value_depth, head.head),
               query(static_cast<T*>(call.dq), form.depth, head.head));
    }
  }
}

template <class T>
void add_parts(const void* from, int64_t parts, int64_t stride, int64_t n, void* to) noexcept {
  const T* const x = static_cast<const T*>(from);
  T* const sum = static_cast<T*>(to);
  for (int64_t i = 0; i < n; ++i) sum[i] = x[i];
  for (int64_t part = 1; part < parts; ++part) {
    for (int64_t i = 0; i < n; ++i) sum[i] += x[part * stride + i];
  }
}

template <class Layout>
size_t scratch_bytes(const AttentionForm& form) noexcept {
  return Layout(form, nullptr).memory.bytes();
}

}  // namespace

extern const AttentionKernels attention_kernels;
const AttentionKernels attention_kernels{
    {forward<float>, forward<double>},
    {gradient<float>, gradient<double>},
    {add_parts<float>, add_parts<double>},
    {scratch_bytes<ForwardScratch<float>>, scratch_bytes<ForwardScratch<double>>},
    {scratch_bytes<GradientScratch<float>>, scratch_bytes<GradientScratch<double>>}};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
