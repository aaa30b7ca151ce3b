#pragma once

#include <gradloom/graph/export.hpp>
#include <gradloom/graph/handle.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace gradloom::inline v0 {

class TraceData;
GRADLOOM_API void retain(TraceData* data);
GRADLOOM_API void release(TraceData* data);

/// What one thread did in one go.
struct TracedChunk {
  std::string name;               ///< of its node: "encoder/dense_1/matmul_7"
  std::string kernel;             ///< "matmul"; of a region, with its ops: "region(add, relu)"
  int64_t run = 0;                ///< which of the Trace's runs
  int64_t chunk = 0, chunks = 0;  ///< which of how many
  int thread = 0;                 ///< the operating system's number of it
  double begin = 0, end = 0;      ///< microseconds since the Trace was made
};

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
  /// The chunks of all runs, in the order in which they began.
  [[nodiscard]] std::vector<TracedChunk> chunks() const;
  /// How many runs it holds.
  [[nodiscard]] int64_t runs() const;
  void clear();

 private:
  friend class Program;
  friend class ProgramData;
  Handle<TraceData> data_;
};

}  // namespace gradloom::inline v0
