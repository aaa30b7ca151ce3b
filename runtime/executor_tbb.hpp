// For programs that use oneTBB themselves: the only public header that includes it, and so not part of the umbrella
// <gradloom/gradloom.hpp>.
#pragma once

#include <gradloom/runtime/executor.hpp>

#include <oneapi/tbb/task_arena.h>

namespace gradloom::inline v0 {

/// An Executor whose helpers are tasks in the caller's arena, beside the caller's own tasks: Programs and the rest of
/// an application then share one set of threads. Its threads are those of the arena, or fewer where `options` says so;
/// the thread that calls run() is one of them, whether it is inside the arena or not. The arena must outlive the
/// Executor.
///
/// A helper that lingers after a run keeps a thread of the arena from the caller's tasks, so by default none does.
/// Throws Error for a negative count of threads.
///
///   tbb::task_arena arena(8);
///   gl::Executor executor = gl::executor_in(arena);
///   arena.execute([&] { tbb::parallel_for(0, n, [&](int i) { program.run(executor, states[i], inputs[i]); }); });
[[nodiscard]] GRADLOOM_API Executor executor_in(tbb::task_arena& arena, ExecutorOptions options = {.linger_us = 0});

}  // namespace gradloom::inline v0
