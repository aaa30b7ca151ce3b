// Runs an example, as it was compiled, on a number of threads that this machine need not have, its Programs fused or
// not:
//
//   neuron_on_threads 8 fused --quick
//
// The linker puts __wrap_main (--wrap=main) before the example's own main, and wrapped_compile before compile().
#include <gradloom/runtime/executor.hpp>
#include <gradloom/runtime/program.hpp>

#include <oneapi/tbb/global_control.h>

#include <cstdlib>
#include <string_view>

#define COMPILE "_ZN8gradloom2v07compileERKNS0_14CompileOptionsE"
gradloom::Program real_compile(const gradloom::CompileOptions& options) asm("__real_" COMPILE);
gradloom::Program wrapped_compile(const gradloom::CompileOptions& options) asm("__wrap_" COMPILE);

namespace {
bool fused = true;
}

gradloom::Program wrapped_compile(const gradloom::CompileOptions& options) {
  gradloom::CompileOptions changed = options;
  if (!fused) changed.without_passes.emplace_back("fuse");
  return real_compile(changed);
}

extern "C" int __real_main(int argc, char** argv);  // NOLINT: names that the linker chooses
extern "C" int __wrap_main(int argc, char** argv);  // NOLINT

extern "C" int __wrap_main(int argc, char** argv) {  // NOLINT
  const int threads = argc > 2 ? std::atoi(argv[1]) : 0;
  if (threads < 1) return 2;
  fused = std::string_view(argv[2]) != "unfused";
  // oneTBB alone would give no run more threads than the machine has cores.
  const tbb::global_control control(tbb::global_control::max_allowed_parallelism, 8);
  gradloom::default_executor() = gradloom::Executor{{.threads = threads}};
  argv[2] = argv[0];
  return __real_main(argc - 2, argv + 2);
}
