#pragma once

#include <gradloom/graph/export.hpp>
#include <gradloom/graph/handle.hpp>

#include <cstdint>
#include <string>

namespace gradloom::inline v0 {

class TraceData;
GRADLOOM_API void retain(TraceData* data);
GRADLOOM_API void release(TraceData* data);

/// Records what runs do, so that a slow step explains itself: every chunk of every kernel with its thread, its time and
/// the bytes that it read and wrote. Copies share the record; runs may add to it at once. It grows with every traced
/// run, and keeps what it needs of the Program alive.
///
///   gl::Trace trace;
///   program.run(executor, state, inputs, {.trace = &trace});
///   std::ofstream("step.json") << trace.json();    // for chrome://tracing, Perfetto or speedscope
class GRADLOOM_API Trace {
 public:
  Trace();

  /// The runs so far in the Trace Event Format of Chrome, as complete events with times in microseconds. A chunk is
  /// named after its node, "path/name" or "path/op_id"; its arguments tell the ops, the chunk, the bytes and the user's
  /// line.
  [[nodiscard]] std::string json() const;
  /// How many runs it holds.
  [[nodiscard]] int64_t runs() const;
  void clear();

 private:
  friend class Program;
  friend class ProgramData;
  Handle<TraceData> data_;
};

}  // namespace gradloom::inline v0
