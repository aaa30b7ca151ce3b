// A warmed-up step of any case of the benchmark allocates nothing, on one thread and on two. (Complete trainings have
// tests/runtime/memory_test.cpp: a network of the same kind, and the last partial batch.)
#include "bench/case.hpp"
#include "tests/allocation_helper.hpp"

#include <cstdio>

int main() {
  bool failed = !gradloom::test::counts_allocations();
  for (const auto& table : bench::case_tables()) {
    for (const bench::NamedCase& named : table) {
      bench::Case c = named.make({});
      for (const int threads : {1, 2}) {
        const bench::gl::Executor executor{{.threads = threads, .linger_us = 100'000}};
        const auto steps = [&] {
          for (int i = 0; i < 5; ++i) c.program.run(executor, c.state, c.inputs, c.outputs);
          return gradloom::test::allocations();
        };
        const int64_t before = steps();
        const int64_t allocated = steps() - before;
        std::printf("%-16s %d threads: %lld allocations\n", named.name.data(), threads,
                    static_cast<long long>(allocated));
        failed |= before == 0 || allocated != 0;
      }
    }
  }
  return failed ? 1 : 0;
}
