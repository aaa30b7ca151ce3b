// argsort, and sort and top_k on top of it. Elements become unsigned keys in the same order (IEEE 754 floats sort like
// their bits, once negative ones are turned around), each with its index. Long lines are sorted digit by digit (least
// significant first: Knuth, The Art of Computer Programming 3, 5.2.5), which takes a few passes whatever the length;
// short ones, and the first few of many, by comparison. With the index as second key every order is the stable one.
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/with_type_internal.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/index_check_internal.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/refuse_internal.hpp>
#include <gradloom/ops/sample.hpp>
#include <gradloom/ops/sort.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

namespace gradloom::inline v0 {

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  const Shape& from = context.shape(0);
  const int along = context.axis(context.attributes().get<int64_t>("axis"), from.rank());
  const Dim& count = context.attributes().get<Dim>("count");
  if (count.known() && count.value() < 0) context.fail(fmt::format("{} elements were asked for", count.to_string()));
  if (const Dim left = from[along] - count; left.known() && left.value() < 0) {
    context.fail(
        fmt::format("{} elements were asked for, but the axis has {}", count.to_string(), from[along].to_string()));
  }
  std::vector<Dim> dims = from.dims();
  dims[static_cast<size_t>(along)] = count;
  return {{DType::i64, Shape(std::move(dims))}};
}

/// An unsigned integer of the same size and order; nan is the largest of all, and 0 equals -0.
template <class T>
auto key_of(T x) {
  if constexpr (std::is_same_v<T, uint8_t>) {
    return uint32_t{x};
  } else {
    using Key = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    constexpr Key sign = Key{1} << (8 * sizeof(T) - 1);
    if constexpr (std::is_floating_point_v<T>) {
      if (x != x) return static_cast<Key>(~Key{0});
      x += 0;  // -0 + 0 is 0
      Key bits;
      std::memcpy(&bits, &x, sizeof(T));
      return static_cast<Key>((bits & sign) != 0 ? ~bits : bits | sign);
    } else {
      return static_cast<Key>(static_cast<Key>(x) ^ sign);
    }
  }
}

template <class Key>
struct Entry {
  Key key;
  Key index;  // as wide as the key: a line of f32 has fewer than 2^32 elements, see plan()
  friend bool operator<(const Entry& a, const Entry& b) { return a.key != b.key ? a.key < b.key : a.index < b.index; }
};

constexpr int64_t by_comparison = 200;  // up to here std::sort; counting 256 digits costs more than it saves

/// Sorts by the key alone, keeping the order of equal ones; `other` is as long. Returns which of the two has the
/// result.
template <class Key>
Entry<Key>* sort_by_digits(Entry<Key>* entries, Entry<Key>* other, int64_t n) {
  constexpr int digits = static_cast<int>(sizeof(Key));
  int64_t counts[digits][256] = {};
  for (int64_t i = 0; i < n; ++i) {
    for (int d = 0; d < digits; ++d) ++counts[d][(entries[i].key >> (8 * d)) & 255];
  }
  for (int d = 0; d < digits; ++d) {
    int64_t* const count = counts[d];
    if (count[(entries[0].key >> (8 * d)) & 255] == n) continue;  // all the same in this digit
    int64_t at = 0;
    for (int value = 0; value < 256; ++value) at += std::exchange(count[value], at);
    for (int64_t i = 0; i < n; ++i) other[count[(entries[i].key >> (8 * d)) & 255]++] = entries[i];
    std::swap(entries, other);
  }
  return entries;
}

struct SortParams {
  AxisView view;
  int64_t count = 0;
  bool descending = false;
};

template <class T>
void sort_lines(const KernelCall& call) {
  const auto& params = *static_cast<const SortParams*>(call.params);
  using Key = decltype(key_of(T{}));
  const int64_t n = params.view.size, k = params.count, inner = params.view.inner;
  const int64_t lines = params.view.outer * inner;
  const int64_t first = chunk_begin(lines, call.chunks, call.chunk),
                last = chunk_begin(lines, call.chunks, call.chunk + 1);
  call.count((last - first) * n * static_cast<int64_t>(sizeof(T)),
             (last - first) * k * static_cast<int64_t>(sizeof(int64_t)));
  auto* const scratch = static_cast<Entry<Key>*>(call.scratch);
  const Key flip = params.descending ? static_cast<Key>(~Key{0}) : Key{0};
  for (int64_t line = first; line < last; ++line) {
    const T* const x = static_cast<const T*>(call.inputs[0]) + line / inner * n * inner + line % inner;
    for (int64_t i = 0; i < n; ++i) {
      scratch[i] = {static_cast<Key>(key_of(x[i * inner]) ^ flip), static_cast<Key>(i)};
    }
    const Entry<Key>* sorted = scratch;
    if (k < n / 8) {
      std::partial_sort(scratch, scratch + k, scratch + n);
    } else if (n <= by_comparison) {
      std::sort(scratch, scratch + n);
    } else {
      sorted = sort_by_digits(scratch, scratch + n, n);
    }
    int64_t* const out = static_cast<int64_t*>(call.outputs[0]) + line / inner * k * inner + line % inner;
    for (int64_t i = 0; i < k; ++i) out[i * inner] = static_cast<int64_t>(sorted[i].index);
  }
}

constexpr int64_t grain = int64_t{16} * 1024;  // elements

KernelPlan plan(const KernelRequest& request) {
  const int64_t axis = request.attributes().get<int64_t>("axis");
  auto params = std::make_shared<SortParams>();
  params->view = AxisView(request.input_sizes(0), axis);
  params->count = request.output_sizes()[static_cast<size_t>(axis)];
  params->descending = request.attributes().get<bool>("descending");
  const int64_t n = params->view.size, lines = params->view.outer * params->view.inner;
  if (params->count > n) {
    throw Error({.problem = fmt::format("{} elements were asked for, but the axis has {}", params->count, n),
                 .op = std::string(request.node().op->name),
                 .location = to_string(request.node().location),
                 .rule = std::string(request.node().op->rule)});
  }
  KernelPlan plan;
  if (lines * params->count == 0) return plan;
  struct Chosen {
    Kernel kernel;
    size_t entry;
  };
  const Chosen chosen = with_type(request.input(0).dtype, [](auto zero) -> Chosen {
    using T = NumberOf<decltype(zero)>;
    return {sort_lines<T>, sizeof(Entry<decltype(key_of(T{}))>)};
  });
  plan.steps.push_back({chosen.kernel, std::min(lines, chunk_count(lines * n, grain))});
  plan.scratch_bytes = 2 * static_cast<size_t>(n) * chosen.entry;
  plan.nanoseconds = 20 + 15 * static_cast<double>(lines * n);
  plan.params = std::move(params);
  return plan;
}

std::vector<Sample> samples() {
  const auto sample = [](std::vector<int64_t> sizes, int64_t axis, int64_t count, bool descending) {
    return Sample{.inputs = {{std::move(sizes)}},
                  .attributes = {{"axis", axis}, {"count", Dim(count)}, {"descending", descending}},
                  .differentiable = false};
  };
  return {sample({7}, 0, 7, false), sample({3, 5}, 1, 5, true), sample({2, 9, 3}, 1, 4, false),
          sample({300}, 0, 300, true), sample({40}, 0, 3, true)};
}

Tensor first_of(const Operand& x, int axis, const Dim& count, bool descending) {
  const Tensor inputs[] = {x.tensor()};
  return x.tensor().graph().add(
      argsort_def, inputs,
      {{"axis", from_front(axis, x.tensor().rank())}, {"count", count}, {"descending", descending}}, x.location());
}

/// All of the axis; anything for an axis that is not there, which the shape rule then names.
Dim size_of_axis(const Tensor& x, int axis) { return axis >= -x.rank() && axis < x.rank() ? x.dim(axis) : Dim(0); }

}  // namespace

const OpDef argsort_def{.name = "argsort",
                        .inputs = {"x"},
                        .rule = "argsort needs an axis of x, and a count from 0 to its size",
                        .shape = shape,
                        .no_gradient = "its result is an index",
                        .plan = plan,
                        .samples = samples};

Tensor argsort(const Operand& x, const SortOptions& options) {
  const SourceScope scope(x, "argsort");
  return first_of(x, options.axis, size_of_axis(x.tensor(), options.axis), options.descending);
}

Tensor sort(const Operand& x, const SortOptions& options) {
  const SourceScope scope(x, "sort");
  const Tensor order = first_of(x, options.axis, size_of_axis(x.tensor(), options.axis), options.descending);
  return take_along_axis(x, order, options.axis);
}

TopK top_k(const Operand& x, int64_t k, const TopKOptions& options) {
  const SourceScope scope(x, "top_k");
  const Tensor order = first_of(x, options.axis, k, options.largest);
  return {take_along_axis(x, order, options.axis), order};
}

}  // namespace gradloom::inline v0
