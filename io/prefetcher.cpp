#include <gradloom/io/prefetcher_internal.hpp>

#include <utility>

namespace gradloom::inline v0::io {

Prefetcher::Prefetcher(BatchMaker& maker, size_t depth) : maker_(maker), queue_(depth), thread_([this] { run(); }) {}

Prefetcher::~Prefetcher() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Prefetcher::start(int64_t epoch) {
  std::unique_lock lock(mutex_);
  pause_ = true;
  changed_.wait(lock, [&] { return !making_; });
  pause_ = false;
  total_ = made_ = taken_ = 0;  // also if the maker throws
  error_ = nullptr;
  for (Batch& batch : queue_) batch = {};
  total_ = maker_.start(epoch);
  changed_.notify_all();
}

bool Prefetcher::next(Batch& batch) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return taken_ < made_ || error_ || taken_ == total_; });
  if (taken_ < made_) {
    batch = std::exchange(queue_[static_cast<size_t>(taken_) % queue_.size()], {});
    ++taken_;
    changed_.notify_all();
    return true;
  }
  if (error_) {
    total_ = made_;
    std::rethrow_exception(std::exchange(error_, nullptr));
  }
  return false;
}

void Prefetcher::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] {
      const bool room = made_ - taken_ < static_cast<int64_t>(queue_.size());
      return stop_ || (made_ < total_ && room && !error_ && !pause_);
    });
    if (stop_) return;
    making_ = true;
    lock.unlock();
    Batch batch;
    std::exception_ptr error;
    try {
      batch = maker_.make(made_);  // start(), which changes made_, waits until this is done
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    making_ = false;
    if (error) {
      error_ = std::move(error);
    } else {
      queue_[static_cast<size_t>(made_++) % queue_.size()] = std::move(batch);
    }
    changed_.notify_all();
  }
}

}  // namespace gradloom::inline v0::io
