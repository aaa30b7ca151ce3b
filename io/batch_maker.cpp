#include <gradloom/graph/error.hpp>
#include <gradloom/io/batch_maker_internal.hpp>
#include <gradloom/io/data_set_internal.hpp>
#include <gradloom/runtime/missing_name_internal.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace gradloom::inline v0::io {

namespace {

// Blocks of a fixed size, and no overlap: then compilers use vectors at -O2 too, which more than halves the time.
void divide(const uint8_t* in, float* __restrict out, size_t n, float divisor) {
  constexpr size_t block = 16;
  size_t i = 0;
  for (; i + block <= n; i += block) {
    for (size_t j = 0; j < block; ++j) out[i + j] = static_cast<float>(in[i + j]) / divisor;
  }
  for (; i < n; ++i) out[i] = static_cast<float>(in[i]) / divisor;
}

}  // namespace

BatchMaker::BatchMaker(Batch samples, LoaderOptions options, size_t held)
    : options_(std::move(options)), count_(io::sample_count(samples)), pool_limit_(held + 2) {
  if (options_.batch_size < 1) throw Error(fmt::format("a batch cannot have {} samples", options_.batch_size));
  std::vector<std::string> names;
  for (const auto& [name, array] : samples) {
    names.push_back(name);
    sources_.push_back({.name = name, .array = array.contiguous() ? array : array.clone()});
  }
  for (const ToFloat& wanted : options_.to_float) {
    const auto source =
        std::find_if(sources_.begin(), sources_.end(), [&](const Source& s) { return s.name == wanted.name; });
    if (source == sources_.end()) throw missing_name("the data set", wanted.name, names);
    if (!(std::abs(wanted.divisor) > 0)) {
      throw Error(fmt::format("\"{}\" of the data set cannot be divided by {}", wanted.name, wanted.divisor));
    }
    if (source->array.dtype() != DType::u8) {
      throw Error(
          {.problem = fmt::format("\"{}\" of the data set is {}", wanted.name, to_string(source->array.dtype())),
           .rule = "to_float is for u8"});
    }
    source->divisor = wanted.divisor;
  }
}

int64_t BatchMaker::batch_count(int64_t samples) const {
  return options_.drop_last ? samples / options_.batch_size : (samples + options_.batch_size - 1) / options_.batch_size;
}

int64_t BatchMaker::start(int64_t epoch) {
  if (options_.order) {
    order_ = options_.order(epoch);
    check_indices(order_, count_, fmt::format("the order of epoch {}", epoch));
  } else {
    order_.resize(static_cast<size_t>(count_));
    if (options_.shuffle) {
      shuffle_into(order_, options_.seed, epoch);
    } else {
      std::iota(order_.begin(), order_.end(), int64_t{0});
    }
  }
  return batch_count(static_cast<int64_t>(order_.size()));
}

Batch BatchMaker::unused(int64_t rows) {
  const auto fits = [&](const Batch& batch) { return (*batch.begin()).second.sizes()[0] == rows; };
  for (const Batch& batch : pool_) {
    // The pool's is the only handle left: whoever had the batch has let go of it and of all its Arrays.
    if (fits(batch) && batch.unique()) return batch;
  }
  Batch batch;
  for (const Source& source : sources_) {
    batch.set(source.name, rows_like(source.array, rows, source.divisor != 0 ? DType::f32 : source.array.dtype()));
  }
  if (pool_.size() < pool_limit_) {
    pool_.push_back(batch);
  } else {  // whoever keeps this many batches keeps their memory too
    pool_[replaced_++ % pool_limit_] = batch;
  }
  return batch;
}

Batch BatchMaker::make(int64_t index) {
  const std::span<const int64_t> order = order_;
  const auto begin = static_cast<size_t>(index * options_.batch_size);
  const auto indices = order.subspan(begin, std::min(static_cast<size_t>(options_.batch_size), order.size() - begin));
  Batch batch = unused(static_cast<int64_t>(indices.size()));
  for (const Source& source : sources_) {
    const Array& to = *batch.find(source.name);
    if (source.divisor == 0) {
      copy_rows(source.array, indices, to);
      continue;
    }
    const auto pixels = source.array.data<const uint8_t>();
    const size_t row = static_cast<size_t>(to.size()) / indices.size();
    float* out = to.data<float>().data();
    for (const int64_t sample : indices) {
      const uint8_t* const in = pixels.data() + static_cast<size_t>(sample) * row;
      divide(in, out, row, source.divisor);
      out += row;
    }
  }
  if (options_.transform) options_.transform(batch);
  return batch;
}

}  // namespace gradloom::inline v0::io
