// How ops run: what a kernel is called with, and the plan that an op makes for a node whose sizes are known. Kept free
// of SIMD headers: kernels themselves are compiled per instruction set, see kernel_internal.hpp.
#pragma once

#include <gradloom/graph/export.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gradloom::inline v0 {

/// The instruction sets that kernels are compiled for: x86-64-v2, -v3 (AVX2, FMA), -v4 (AVX-512).
enum class Isa : uint8_t { baseline, avx2, avx512 };
inline constexpr int isa_count = 3;

[[nodiscard]] GRADLOOM_API std::string_view to_string(Isa isa);
/// The inverse of to_string. Throws Error that lists the choices.
[[nodiscard]] GRADLOOM_API Isa parse_isa(std::string_view name);
/// The sets this CPU (and operating system) can run, in order. Throws Error if it has not even the baseline.
[[nodiscard]] GRADLOOM_API const std::vector<Isa>& supported_isas();
/// The best supported set, or the one that the environment variable GRADLOOM_ISA names. Throws Error for an unknown
/// name and for a set this CPU does not have.
[[nodiscard]] GRADLOOM_API Isa default_isa();

/// What random kernels and schedules know of the run.
struct RunInfo {
  uint64_t seed = 0;  ///< of the State
  int64_t step = 0;   ///< how many updating runs the State has seen
};

/// What kernels read and wrote, in bytes, by their own account: operands and results, not scratch, and what is read
/// twice from cache once.
struct Traffic {
  int64_t read = 0;
  int64_t written = 0;
  int64_t calls = 0;  ///< counted by the run
};

/// What a kernel is called with: one chunk of one step of a node.
struct KernelCall {
  const void* const* inputs = nullptr;  ///< dense, row-major
  void* const* outputs = nullptr;       ///< dense, row-major, not overlapping unless planned in place
  const void* params = nullptr;         ///< KernelPlan::params
  void* scratch = nullptr;              ///< KernelPlan::scratch_bytes, of this worker alone; 64-byte aligned
  void* shared = nullptr;               ///< KernelPlan::shared_bytes, of this node's run; 64-byte aligned
  int64_t chunk = 0;                    ///< which chunk of the step
  int64_t chunks = 1;                   ///< of how many
  /// The last call with this scratch was of another chunk of the same step and the same operands: scratch is as that
  /// call left it.
  bool continues = false;
  const RunInfo* run = nullptr;
  Traffic* traffic = nullptr;  ///< of this worker; null unless the run is traced

  /// A kernel says what this call reads and writes.
  void count(int64_t read, int64_t written) const {
    if (traffic == nullptr) return;
    traffic->read += read;
    traffic->written += written;
  }
};

using Kernel = void (*)(const KernelCall& call);

/// The begin of chunk i when n items are cut into `chunks` parts: equal parts, the first ones one longer.
[[nodiscard]] constexpr int64_t chunk_begin(int64_t n, int64_t chunks, int64_t i) {
  return i * (n / chunks) + (i < n % chunks ? i : n % chunks);
}
/// How many of the n items chunk i has.
[[nodiscard]] constexpr int64_t chunk_size(int64_t n, int64_t chunks, int64_t i) {
  return chunk_begin(n, chunks, i + 1) - chunk_begin(n, chunks, i);
}
/// How many chunks of about `grain` items n is cut into; at least 1.
[[nodiscard]] constexpr int64_t chunk_count(int64_t n, int64_t grain) {
  return n <= grain ? 1 : (n + grain - 1) / grain;
}

/// Which share of its operands a chunk works on, where it is a run of elements. The elements of the result are cut into
/// lines, which may be of one element, and these into chunks by chunk_begin(). A chunk writes the same share of every
/// output, and of the inputs in the mask it reads the same share and nothing else: of a tensor with a number for each
/// line, those of its lines.
struct ChunkShare {
  int64_t elements = 0;  ///< 0: chunks have no such shares
  int64_t line = 1;      ///< elements; the last one may be shorter
  uint64_t inputs = 0;   ///< bit i: input i

  void add_input(int input) { inputs |= input < 64 ? uint64_t{1} << input : 0; }
  void remove_input(int input) { inputs &= input < 64 ? ~(uint64_t{1} << input) : ~uint64_t{0}; }
  [[nodiscard]] bool has_input(int input) const { return input < 64 && (inputs >> input & 1) != 0; }

  /// The first element of a chunk; of chunk `chunks`, the end.
  [[nodiscard]] constexpr int64_t begin(int64_t chunks, int64_t chunk) const {
    const int64_t at = chunk_begin(chunk_count(elements, line), chunks, chunk) * line;
    return at < elements ? at : elements;
  }
};

/// One phase of a node: chunks that may run in any order and at once. The next step starts when all have ended.
struct KernelStep {
  Kernel run = nullptr;
  int64_t chunks = 1;            ///< depends on the sizes only, never on the number of threads
  const void* params = nullptr;  ///< of this step alone, instead of the plan's, which keeps them alive
  double nanoseconds = 0;        ///< expected, of all its runs; 0: an equal share of the plan's
  /// Asked when its chunks have ended, by one thread (chunk is 0): true runs this step and the `back` ones before it
  /// again.
  bool (*again)(const KernelCall& call) = nullptr;
  int back = 0;
  ChunkShare share{};  ///< lets a reader's chunk follow the chunk that makes its share, without waiting for the others
};

/// How one node runs.
struct KernelPlan {
  std::vector<KernelStep> steps;
  std::shared_ptr<const void> params;         ///< what the kernel needs to know; plain data
  size_t scratch_bytes = 0;                   ///< per worker
  size_t shared_bytes = 0;                    ///< per node, lives through its steps
  double nanoseconds = 0;                     ///< expected serial time, for the scheduler
  std::vector<std::pair<int, int>> in_place;  ///< (input, output) pairs: the output may take the input's buffer
  std::string remark{};                       ///< for explain(): what was chosen, and why
};

/// A node to be planned: every size is a number.
class KernelRequest {
 public:
  KernelRequest(const Graph& graph, const Node& node, Isa isa, int64_t calls = 1)
      : graph_(graph), node_(node), isa_(isa), calls_(calls) {}

  [[nodiscard]] const Node& node() const { return node_; }
  [[nodiscard]] const Attributes& attributes() const { return node_.attributes; }
  [[nodiscard]] Isa isa() const { return isa_; }
  /// How often the node is called in a run, with operands elsewhere each time: in the body of a loop.
  [[nodiscard]] int64_t calls() const { return calls_; }
  [[nodiscard]] int input_count() const { return static_cast<int>(node_.inputs.size()); }
  [[nodiscard]] const TensorType& input(int i) const {
    const Value& value = node_.inputs[static_cast<size_t>(i)];
    return graph_.node(value.node).outputs[static_cast<size_t>(value.output)];
  }
  [[nodiscard]] const TensorType& output(int i = 0) const { return node_.outputs[static_cast<size_t>(i)]; }
  [[nodiscard]] std::vector<int64_t> input_sizes(int i) const { return input(i).shape.sizes(); }
  [[nodiscard]] std::vector<int64_t> output_sizes(int i = 0) const { return output(i).shape.sizes(); }
  [[nodiscard]] const Graph& graph() const { return graph_; }

  /// One of three tables, by instruction set.
  template <class T>
  [[nodiscard]] const T& pick(const T& baseline, const T& avx2, const T& avx512) const {
    return isa_ == Isa::avx512 ? avx512 : isa_ == Isa::avx2 ? avx2 : baseline;
  }

 private:
  const Graph& graph_;
  const Node& node_;
  Isa isa_;
  int64_t calls_;
};

}  // namespace gradloom::inline v0
