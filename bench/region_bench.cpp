// region_bench: how near a fused region comes to a loop written by hand, one thread.
//
//   region_bench [--isa NAME]
//
// A Program that computes ew_chain8 of peers/README.md, a run's overhead included, beside region_kernel.cpp, from the
// second-level cache and from memory. The two take turns; medians. The design asks for 65 and 90 %.
#include "peers/peer_run.hpp"
#include "region_kernels_internal.hpp"
#include "start_values.hpp"
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/ops/sign.hpp>
#include <gradloom/runtime/program.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

namespace {

namespace gl = gradloom;
using peers::Clock;
using peers::ms_since;

const gl::ChainLoops& loops_of(gl::Isa isa) {
  return isa == gl::Isa::avx512 ? gl::avx512::chain_loops
         : isa == gl::Isa::avx2 ? gl::avx2::chain_loops
                                : gl::baseline::chain_loops;
}

gl::Program chain_program(int64_t count, std::string_view isa) {
  gl::Graph g;
  gl::Tensor y = g.input("x", {count});
  y = y * 1.5;
  y = y + 0.25;
  y = gl::relu(y);
  y = y - 0.5;
  y = gl::abs(y);
  y = gl::maximum(y, 0.1);
  y = gl::square(y);
  y = y * 0.75;
  return gl::compile({.outputs = {y}, .isa = isa});
}

/// Prints one row.
void compare(std::string_view place, int64_t count, gl::Isa isa, double target) {
  const gl::Program program = chain_program(count, gl::to_string(isa));
  const gl::Executor executor{{.threads = 1}};
  gl::State state;
  const gl::Array x = bench::uniform({count}, peers::kInputSeed);
  const gl::Batch inputs{{"x", x}};
  gl::Array outputs[] = {gl::Array({count})};
  const gl::Array by_hand({count});

  const float* const from = x.data<const float>().data();
  float* const to = by_hand.data<float>().data();
  const long n = static_cast<long>(count);
  const int repeats = static_cast<int>(std::max<int64_t>((int64_t{4} << 20) / count, 1));  // some milliseconds
  const auto nanoseconds = [&](std::vector<double>& times, const auto& f) {
    const auto start = Clock::now();
    for (int i = 0; i < repeats; ++i) f();
    times.push_back(ms_since(start) * 1e6 / (static_cast<double>(count) * repeats));
  };
  std::vector<double> cached, streaming, region;
  for (int round = 0; round < 25; ++round) {
    nanoseconds(cached, [&] { loops_of(isa).cached(from, to, n); });
    nanoseconds(streaming, [&] { loops_of(isa).streaming(from, to, n); });
    nanoseconds(region, [&] { program.run(executor, state, inputs, outputs); });
  }
  if (std::memcmp(to, outputs[0].raw(), static_cast<size_t>(count) * sizeof(float)) != 0) {
    fmt::print(stderr, "region_bench: the loop and the region differ\n");
    std::exit(1);
  }
  const double loop = std::min(peers::median(cached), peers::median(streaming)), own = peers::median(region);
  fmt::print("{}\t{}\t{}\t{:.4f}\t{:.4f}\t{:.1f}\t{}\n", gl::to_string(isa), place, count, loop, own, 100 * loop / own,
             target);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const bool named = argc == 3 && std::string_view(argv[1]) == "--isa";
    if (argc > 1 && !named) {
      fmt::print(stderr, "usage: region_bench [--isa baseline|avx2|avx512]\n");
      return 2;
    }
    const gl::Isa isa = named ? gl::parse_isa(argv[2]) : gl::default_isa();
    fmt::print("isa\tfrom\tfloats\tloop_ns\tregion_ns\tpercent\ttarget\n");
    compare("L2", 128 * 1024, isa, 65);
    compare("memory", 16 * 1024 * 1024, isa, 90);
  } catch (const std::exception& error) {
    fmt::print(stderr, "region_bench: {}\n", error.what());
    return 1;
  }
}
