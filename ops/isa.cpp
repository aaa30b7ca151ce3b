#include <gradloom/graph/error.hpp>
#include <gradloom/ops/kernel.hpp>

#include <fmt/format.h>

#include <cstdlib>

namespace gradloom::inline v0 {

namespace {

constexpr std::string_view names[isa_count] = {"baseline", "avx2", "avx512"};

// Single features, because clang 14 does not know __builtin_cpu_supports("x86-64-v4"); the builtin asks XGETBV too.
bool supports(Isa isa) {
  __builtin_cpu_init();
  switch (isa) {
    case Isa::baseline:
      return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("ssse3");
    case Isa::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
             __builtin_cpu_supports("bmi2");
    case Isa::avx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
  }
  return false;
}

}  // namespace

std::string_view to_string(Isa isa) { return names[static_cast<size_t>(isa)]; }

Isa parse_isa(std::string_view name) {
  for (int i = 0; i < isa_count; ++i) {
    if (names[i] == name) return static_cast<Isa>(i);
  }
  throw Error({.problem = fmt::format("unknown instruction set \"{}\"", name),
               .rule = "the instruction sets are baseline, avx2, avx512"});
}

const std::vector<Isa>& supported_isas() {
  static const std::vector<Isa> supported = [] {
    std::vector<Isa> found;
    for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
      if (!supports(isa)) break;
      found.push_back(isa);
    }
    return found;
  }();
  if (supported.empty())
    throw Error("this CPU is older than x86-64-v2 (SSE4.2, POPCNT): Gradloom has no kernels for it");
  return supported;
}

Isa default_isa() {
  const std::vector<Isa>& supported = supported_isas();
  const char* const forced = std::getenv("GRADLOOM_ISA");
  if (forced == nullptr || *forced == '\0') return supported.back();
  const Isa isa = parse_isa(forced);
  if (isa > supported.back()) {
    throw Error(
        fmt::format("GRADLOOM_ISA asks for {}, but this CPU has {} at most", forced, to_string(supported.back())));
  }
  return isa;
}

}  // namespace gradloom::inline v0
