#include <gradloom/graph/error.hpp>
#include <gradloom/io/data_set_internal.hpp>

#include <fmt/format.h>

#include <cstring>
#include <numeric>
#include <utility>

namespace gradloom::inline v0::io {

int64_t sample_count(const Batch& samples) {
  if (samples.size() == 0) throw Error("a data set needs at least one Array");
  const auto& [first_name, first] = *samples.begin();
  for (const auto& [name, array] : samples) {
    if (array.rank() == 0) {
      throw Error({.problem = fmt::format("\"{}\" of the data set is a scalar", name),
                   .rule = "the first axis of every Array counts the samples"});
    }
    if (array.sizes()[0] != first.sizes()[0]) {
      throw Error({.problem = fmt::format(R"("{}" has {} samples, and "{}" {})", first_name, first.sizes()[0], name,
                                          array.sizes()[0]),
                   .rule = "the first axis of every Array counts the samples"});
    }
  }
  return first.sizes()[0];
}

Batch take(const Batch& samples, int64_t begin, int64_t end) {
  if (const int64_t count = sample_count(samples); begin < 0 || begin > end || end > count) {
    throw Error(fmt::format("there are no samples {} to {}: there are {}", begin, end, count));
  }
  Batch taken;
  for (const auto& [name, array] : samples) taken.set(name, array.rows(begin, end));
  return taken;
}

Batch take(const Batch& samples, std::span<const int64_t> indices) {
  check_indices(indices, sample_count(samples), "take");
  Batch taken;
  for (const auto& [name, array] : samples) {
    const Array to = rows_like(array, static_cast<int64_t>(indices.size()), array.dtype());
    copy_rows(array.contiguous() ? array : array.clone(), indices, to);
    taken.set(name, to);
  }
  return taken;
}

namespace {

// splitmix64 (Steele, Lea, Flood 2014, doi 10.1145/2714064.2660195): its output for state x.
uint64_t mixed(uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

template <size_t Bytes>
void copy_rows_of(const std::byte* from, std::span<const int64_t> indices, std::byte* to) {
  for (const int64_t index : indices) {
    std::memcpy(to, from + index * static_cast<int64_t>(Bytes), Bytes);
    to += Bytes;
  }
}

}  // namespace

void shuffle_into(std::span<int64_t> order, uint64_t seed, int64_t epoch) {
  // Fisher and Yates's shuffle, written out because std::shuffle differs between standard libraries.
  std::iota(order.begin(), order.end(), int64_t{0});
  uint64_t state = mixed(mixed(seed) ^ static_cast<uint64_t>(epoch));
  for (size_t i = order.size(); i > 1; --i) {
    state += 0x9E3779B97F4A7C15ULL;
    const auto j = static_cast<size_t>(mixed(state) % i);  // biased by less than i / 2^64
    std::swap(order[i - 1], order[j]);
  }
}

std::vector<int64_t> shuffled_order(int64_t count, uint64_t seed, int64_t epoch) {
  if (count < 0) throw Error(fmt::format("there is no order of {} samples", count));
  std::vector<int64_t> order(static_cast<size_t>(count));
  shuffle_into(order, seed, epoch);
  return order;
}

void copy_rows(const Array& from, std::span<const int64_t> indices, const Array& to) {
  if (indices.empty() || to.size() == 0) return;
  const size_t bytes = to.byte_size() / indices.size();
  const auto* const source = static_cast<const std::byte*>(from.raw());
  auto* target = static_cast<std::byte*>(to.raw());
  switch (bytes) {  // labels: a call of memcpy for each would cost more than its copy
    case 1:
      return copy_rows_of<1>(source, indices, target);
    case 4:
      return copy_rows_of<4>(source, indices, target);
    case 8:
      return copy_rows_of<8>(source, indices, target);
    default:
      break;
  }
  for (const int64_t index : indices) {
    std::memcpy(target, source + static_cast<size_t>(index) * bytes, bytes);
    target += bytes;
  }
}

void check_indices(std::span<const int64_t> indices, int64_t count, std::string_view whose) {
  for (const int64_t index : indices) {
    if (index < 0 || index >= count) {
      throw Error(fmt::format("{}: there is no sample {}: there are {}", whose, index, count));
    }
  }
}

Array rows_like(const Array& like, int64_t rows, DType dtype) {
  std::vector<int64_t> sizes = like.sizes();
  sizes[0] = rows;
  return Array::uninitialized(sizes, dtype);
}

}  // namespace gradloom::inline v0::io
