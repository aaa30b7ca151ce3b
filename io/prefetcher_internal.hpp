#pragma once

#include <gradloom/io/batch_maker_internal.hpp>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace gradloom::inline v0::io {

/// Runs a BatchMaker ahead of its consumer, on a thread of its own. A std::thread and not a TBB task: it waits, for
/// room in its queue, and a task that waits would hold up a worker that some run was promised.
class Prefetcher {
 public:
  /// Keeps up to `depth` batches ready.
  Prefetcher(BatchMaker& maker, size_t depth);
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;
  ~Prefetcher();

  /// Gives up the epoch under way and starts one. Throws what the maker throws.
  void start(int64_t epoch);
  /// The next batch of the epoch, waiting for it; false at the end. Throws what the maker threw for that batch, once;
  /// the epoch is over then.
  bool next(Batch& batch);

 private:
  void run();

  BatchMaker& maker_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // All below: under the mutex. Batches are numbered within the epoch.
  std::vector<Batch> queue_;  // batch i waits at i % depth
  int64_t total_ = 0;         // batches of the epoch
  int64_t made_ = 0;
  int64_t taken_ = 0;
  std::exception_ptr error_;  // of batch made_
  bool making_ = false;       // the thread is using the maker, without the mutex
  bool pause_ = false;        // it must not begin another batch
  bool stop_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace gradloom::inline v0::io
