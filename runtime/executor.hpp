#pragma once

#include <gradloom/graph/export.hpp>
#include <gradloom/graph/handle.hpp>

#include <cstdint>

namespace gradloom::inline v0 {

class ExecutorData;
GRADLOOM_API void retain(ExecutorData* data);
GRADLOOM_API void release(ExecutorData* data);

struct ExecutorOptions {
  /// Threads a run may use, the calling one included; 0: as many as the machine has cores.
  int threads = 0;
  /// How long a worker stays awake after a run, in microseconds, in case the next one comes at once; then it sleeps.
  int linger_us = 200;
  /// When the system stops a worker for a quarter of a run or more, for other processes that want its core, runs do
  /// with a thread less for so long, in milliseconds: a run that waits for a stopped thread takes longer than one that
  /// does without. 0: they never do. Nor do they where more threads were asked for than there are cores.
  int hold_back_ms = 100;
};

/// The threads that run Programs: a oneTBB arena of its own. Copies share it. Any number of threads may run Programs on
/// one Executor at once.
class GRADLOOM_API Executor {
 public:
  /// Throws Error for a negative count.
  explicit Executor(ExecutorOptions options = {});

  [[nodiscard]] int threads() const;
  /// How many distinct threads ran part of the latest finished run: for tests and the curious.
  [[nodiscard]] int threads_that_ran() const;

 private:
  friend class ExecutorAccess;
  explicit Executor(ExecutorData* owned);
  Handle<ExecutorData> data_;
};

/// The executor of runs that name none: made on first use, with the default options. The library's only global.
[[nodiscard]] GRADLOOM_API Executor& default_executor();

}  // namespace gradloom::inline v0
