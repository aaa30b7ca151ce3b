#pragma once

#include <gradloom/graph/export.hpp>
#include <gradloom/graph/handle.hpp>
#include <gradloom/runtime/batch.hpp>
#include <gradloom/runtime/callback.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gradloom::inline v0::io {

struct LoaderData;
GRADLOOM_API void retain(LoaderData* data);
GRADLOOM_API void release(LoaderData* data);

/// Turns a u8 Array, such as pixels, into f32 while batches are put together: each element divided by `divisor`.
struct ToFloat {
  std::string name;
  float divisor = 255;
};

struct LoaderOptions {
  int64_t batch_size = 32;
  /// A new order each epoch, from (seed, epoch) only; else the data set's own order.
  bool shuffle = true;
  uint64_t seed = 0;
  /// Leave out a last batch of fewer than batch_size samples.
  bool drop_last = false;
  /// Batches made ahead on a thread of the loader's own, which sleeps when it has them; 0: each is made when it is
  /// asked for, and there is no such thread. It changes no bit of any batch. Worth it where a batch takes long to make.
  int prefetch = 0;
  std::vector<ToFloat> to_float{};
  /// The order of an epoch instead: indices of samples, any number of them, an index as often as it likes.
  Callback<std::vector<int64_t>(int64_t epoch)> order{};
  /// Changes each batch after everything else; it may set() other Arrays or write to those that are there. With
  /// `prefetch` it is called on the loader's thread.
  Callback<void(Batch& batch)> transform{};
};

/// The batches of an epoch, one after the other: see Loader.
class GRADLOOM_API LoaderIterator {
 public:
  using value_type = Batch;
  using difference_type = std::ptrdiff_t;
  struct End {};

  [[nodiscard]] const Batch& operator*() const { return batch_; }
  [[nodiscard]] const Batch* operator->() const { return &batch_; }
  LoaderIterator& operator++();
  void operator++(int) { ++*this; }
  friend bool operator==(const LoaderIterator& iterator, End) { return !iterator.data_; }

 private:
  friend class Loader;
  explicit LoaderIterator(Handle<LoaderData> data) : data_(std::move(data)) { ++*this; }

  Handle<LoaderData> data_;
  Batch batch_;
};

/// Cuts a data set into batches, epoch by epoch:
///
///     io::Loader loader({{"image", images}, {"label", labels}}, {.batch_size = 128, .to_float = {{"image"}}});
///     for (int epoch = 0; epoch < 5; ++epoch) {
///       for (Batch batch : loader) train.run(state, batch);
///     }
///
/// The Arrays of the data set are shared, not copied: leave them as they are while the loader is in use. A batch that
/// is kept stays as it is; the memory of one that is let go of is used again, so that after the first epoch a loader
/// allocates nothing. Copies share the loader. One thread at a time may iterate.
class GRADLOOM_API Loader {
 public:
  /// Throws Error if the Arrays have no or different numbers of samples, a count is out of range, or `to_float` names
  /// an Array that is not there or not u8, or divides by 0.
  explicit Loader(Batch samples, LoaderOptions options = {});

  /// Begins the next epoch, giving up one that is under way. The iterator throws what `order` and `transform` throw,
  /// with the batch they failed for; the epoch is over then.
  [[nodiscard]] LoaderIterator begin();
  [[nodiscard]] LoaderIterator::End end() const { return {}; }

  /// The epoch that began last, counted from 0; -1 before the first.
  [[nodiscard]] int64_t epoch() const;
  /// The next epoch to begin is this one: to go on where a saved training stopped. Throws Error if it is negative.
  void set_next_epoch(int64_t epoch);

  [[nodiscard]] int64_t sample_count() const;
  /// Batches in an epoch of every sample once.
  [[nodiscard]] int64_t batch_count() const;

 private:
  Handle<LoaderData> data_;
};

}  // namespace gradloom::inline v0::io
