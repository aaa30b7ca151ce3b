#pragma once

#include <gradloom/io/loader.hpp>

#include <vector>

namespace gradloom::inline v0::io {

/// Makes the batches of an epoch, each on its own. One thread at a time may use it.
class BatchMaker {
 public:
  /// `held`: how many batches at once are expected to be in use, so that the others' memory can be used again.
  BatchMaker(Batch samples, LoaderOptions options, size_t held);

  [[nodiscard]] int64_t sample_count() const { return count_; }
  [[nodiscard]] int64_t batch_count(int64_t samples) const;

  /// Settles the order of an epoch and returns its number of batches.
  int64_t start(int64_t epoch);
  [[nodiscard]] Batch make(int64_t index);

 private:
  struct Source {
    std::string name;
    Array array;
    float divisor = 0;  ///< of a u8 array that becomes f32; else 0
  };

  [[nodiscard]] Batch unused(int64_t rows);

  LoaderOptions options_;
  int64_t count_;
  std::vector<Source> sources_;
  std::vector<int64_t> order_;
  std::vector<Batch> pool_;
  size_t pool_limit_;
  size_t replaced_ = 0;
};

}  // namespace gradloom::inline v0::io
