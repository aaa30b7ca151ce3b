#include <gradloom/graph/error.hpp>
#include <gradloom/io/prefetcher_internal.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>

namespace gradloom::inline v0::io {

struct LoaderData {
  LoaderData(const Batch& samples, LoaderOptions options)
      : prefetch(options.prefetch),
        // in use at once: those made ahead, the one being made, and the consumer's
        maker(samples, std::move(options), static_cast<size_t>(std::max(prefetch, 0)) + 2) {
    if (prefetch < 0) throw Error(fmt::format("a Loader cannot prefetch {} batches", prefetch));
  }

  void start() {
    total = at = 0;  // also if the order cannot be had
    epoch = next_epoch++;
    if (prefetch == 0) {
      total = maker.start(epoch);
      return;
    }
    if (!prefetcher) prefetcher = std::make_unique<Prefetcher>(maker, static_cast<size_t>(prefetch));
    prefetcher->start(epoch);
  }

  bool next(Batch& batch) {
    batch = {};  // first, so that its memory can be used again for the next
    if (prefetcher) return prefetcher->next(batch);
    if (at == total) return false;
    const int64_t index = std::exchange(at, total);  // where the epoch is if the next line throws
    batch = maker.make(index);
    at = index + 1;
    return true;
  }

  std::atomic<int64_t> references{1};
  int64_t epoch = -1, next_epoch = 0;
  int prefetch;
  BatchMaker maker;
  int64_t at = 0, total = 0;               // batches of the epoch, if they are not prefetched
  std::unique_ptr<Prefetcher> prefetcher;  // after the maker: its thread uses it
};

void retain(LoaderData* data) {
  if (data) data->references.fetch_add(1, std::memory_order_relaxed);
}

void release(LoaderData* data) {
  if (data && data->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete data;
}

LoaderIterator& LoaderIterator::operator++() {
  if (!data_->next(batch_)) data_ = {};
  return *this;
}

Loader::Loader(const Batch& samples, LoaderOptions options) : data_(new LoaderData(samples, std::move(options))) {}

LoaderIterator Loader::begin() {
  data_->start();
  return LoaderIterator(data_);
}

int64_t Loader::epoch() const { return data_->epoch; }

void Loader::set_next_epoch(int64_t epoch) {
  if (epoch < 0) throw Error(fmt::format("there is no epoch {}", epoch));
  data_->next_epoch = epoch;
}

int64_t Loader::sample_count() const { return data_->maker.sample_count(); }

int64_t Loader::batch_count() const { return data_->maker.batch_count(sample_count()); }

}  // namespace gradloom::inline v0::io
