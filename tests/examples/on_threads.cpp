// Runs an example, as it was compiled, on a number of threads that this machine need not have:
//
//   neuron_on_threads 8 --quick
//
// The linker puts __wrap_main (--wrap=main) before the example's own main.
#include <gradloom/runtime/executor.hpp>

#include <oneapi/tbb/global_control.h>

#include <cstdlib>

extern "C" int __real_main(int argc, char** argv);  // NOLINT: names that the linker chooses
extern "C" int __wrap_main(int argc, char** argv);  // NOLINT

extern "C" int __wrap_main(int argc, char** argv) {  // NOLINT
  const int threads = argc > 1 ? std::atoi(argv[1]) : 0;
  if (threads < 1) return 2;
  // oneTBB alone would give no run more threads than the machine has cores.
  const tbb::global_control control(tbb::global_control::max_allowed_parallelism, 8);
  gradloom::default_executor() = gradloom::Executor{{.threads = threads}};
  argv[1] = argv[0];
  return __real_main(argc - 1, argv + 1);
}
