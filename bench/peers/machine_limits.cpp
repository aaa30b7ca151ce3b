// machine_limits: what this machine can do at most, so that every other figure
// can be read as a share of it.
//
//   fma_*      register-only f32 multiply-add loops (2 flops for each lane)
//   mem_*      streams over 256 MiB buffers, in 4 KiB pages and in huge pages
//   l2_* l3_*  the same loops over buffers that stay in that cache
//   page_fault / hand-over rows: the fixed costs a runtime has to hide
//
// Output: name<TAB>threads<TAB>value<TAB>unit.  The best of several repeats is
// printed, since a limit is what the machine does when nothing disturbs it.
#include "fma_peak.hpp"

#include <immintrin.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void pin_to_cpu(int index) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof allowed, &allowed);
  int seen = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    if (seen++ == index) {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      pthread_setaffinity_np(pthread_self(), sizeof one, &one);
      return;
    }
  }
}

void emit(const std::string& name, int threads, double value, const char* unit) {
  std::printf("%s\t%d\t%.2f\t%s\n", name.c_str(), threads, value, unit);
  std::fflush(stdout);
}

// Runs body(thread) on `threads` pinned threads `repeats` times; the best wall
// time of one repeat, from the common start to the last thread's end.
double best_parallel_seconds(int threads, int repeats, const std::function<void(int)>& body) {
  double best = 1e30;
  Clock::time_point start;
  std::barrier begin(threads, [&]() noexcept { start = Clock::now(); });
  std::barrier end(threads, [&]() noexcept { best = std::min(best, seconds_since(start)); });
  std::vector<std::thread> pool;
  for (int t = 0; t < threads; ++t) {
    pool.emplace_back([&, t] {
      pin_to_cpu(t);
      for (int r = 0; r < repeats; ++r) {
        begin.arrive_and_wait();
        body(t);
        end.arrive_and_wait();
      }
    });
  }
  for (auto& thread : pool) thread.join();
  return best;
}

// ---------------------------------------------------------------- arithmetic

volatile float g_sink;

void measure_fma(int threads) {
  const double rounds = static_cast<double>(peers::kFmaRounds) * peers::kFmaChains * threads;
  if (peers::has_avx512()) {
    const double s = best_parallel_seconds(threads, 8, [](int) { g_sink = peers::fma_avx512(); });
    emit("fma_avx512", threads, rounds * 16 * 2 / s * 1e-9, "GFLOP/s");
  }
  if (peers::has_avx2()) {
    const double s = best_parallel_seconds(threads, 8, [](int) { g_sink = peers::fma_avx2(); });
    emit("fma_avx2", threads, rounds * 8 * 2 / s * 1e-9, "GFLOP/s");
  }
}

// ------------------------------------------------------------------- memory
//
// The loops are written with 256-bit vectors so that one binary runs on every
// AVX2 machine.  Bytes are counted as the program sees them (copy 2n, triad
// 3n); a plain store also reads the line first, which is not counted.

using Stream = void (*)(float* a, const float* b, const float* c, size_t n);

__attribute__((target("avx2"))) void copy_plain(float* a, const float* b, const float*, size_t n) {
  for (size_t i = 0; i < n; i += 32)
    for (size_t k = 0; k < 32; k += 8) _mm256_store_ps(a + i + k, _mm256_load_ps(b + i + k));
}
__attribute__((target("avx2"))) void copy_nt(float* a, const float* b, const float*, size_t n) {
  for (size_t i = 0; i < n; i += 32)
    for (size_t k = 0; k < 32; k += 8) _mm256_stream_ps(a + i + k, _mm256_load_ps(b + i + k));
  _mm_sfence();
}
void copy_libc(float* a, const float* b, const float*, size_t n) { std::memcpy(a, b, n * sizeof(float)); }
__attribute__((target("avx2,fma"))) void triad_plain(float* a, const float* b, const float* c, size_t n) {
  const __m256 s = _mm256_set1_ps(3.0f);
  for (size_t i = 0; i < n; i += 32)
    for (size_t k = 0; k < 32; k += 8)
      _mm256_store_ps(a + i + k, _mm256_fmadd_ps(_mm256_load_ps(c + i + k), s, _mm256_load_ps(b + i + k)));
}
__attribute__((target("avx2,fma"))) void triad_nt(float* a, const float* b, const float* c, size_t n) {
  const __m256 s = _mm256_set1_ps(3.0f);
  for (size_t i = 0; i < n; i += 32)
    for (size_t k = 0; k < 32; k += 8)
      _mm256_stream_ps(a + i + k, _mm256_fmadd_ps(_mm256_load_ps(c + i + k), s, _mm256_load_ps(b + i + k)));
  _mm_sfence();
}
__attribute__((target("avx2"))) void read_sum(float*, const float* b, const float*, size_t n) {
  __m256 acc[8];
  for (auto& v : acc) v = _mm256_setzero_ps();
  for (size_t i = 0; i < n; i += 64)
    for (size_t k = 0; k < 8; ++k) acc[k] = _mm256_add_ps(acc[k], _mm256_load_ps(b + i + 8 * k));
  for (int k = 1; k < 8; ++k) acc[0] = _mm256_add_ps(acc[0], acc[k]);
  alignas(32) float lanes[8];
  _mm256_store_ps(lanes, acc[0]);
  g_sink = lanes[0];
}
__attribute__((target("avx2"))) void fill_plain(float* a, const float*, const float*, size_t n) {
  const __m256 v = _mm256_set1_ps(1.0f);
  for (size_t i = 0; i < n; i += 32)
    for (size_t k = 0; k < 32; k += 8) _mm256_store_ps(a + i + k, v);
}

struct StreamCase {
  const char* name;
  Stream body;
  int arrays;  // how many arrays of n floats one pass moves
};

const StreamCase kStreams[] = {
    {"copy", copy_plain, 2},   {"copy_nt", copy_nt, 2}, {"copy_memcpy", copy_libc, 2}, {"triad", triad_plain, 3},
    {"triad_nt", triad_nt, 3}, {"read", read_sum, 1},   {"fill", fill_plain, 1},
};

class Pages {
 public:
  Pages(size_t bytes, bool huge) : bytes_(bytes) {
    data_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data_ == MAP_FAILED) std::abort();
    madvise(data_, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    std::memset(data_, 1, bytes);
  }
  ~Pages() { munmap(data_, bytes_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  float* floats() const { return static_cast<float*>(data_); }

 private:
  size_t bytes_;
  void* data_;
};

// One pass over `bytes` for each array, shared evenly by the threads; `passes`
// of them make one repeat, so that small buffers are measured over many passes.
void measure_streams(const std::string& prefix, int threads, size_t bytes_per_array, bool huge, int repeats, bool all) {
  const size_t n = bytes_per_array / sizeof(float);
  const size_t share = n / threads;
  Pages a(bytes_per_array, huge), b(bytes_per_array, huge), c(bytes_per_array, huge);
  const size_t passes = std::max<size_t>(1, (size_t{256} << 20) / bytes_per_array);
  for (const auto& s : kStreams) {
    const std::string name = s.name;
    if (!all && name != "copy" && name != "triad" && name != "read") continue;
    const double best = best_parallel_seconds(threads, repeats, [&](int t) {
      const size_t at = share * t;
      for (size_t p = 0; p < passes; ++p) s.body(a.floats() + at, b.floats() + at, c.floats() + at, share);
    });
    emit(prefix + name, threads, static_cast<double>(s.arrays) * bytes_per_array * passes / best * 1e-9, "GB/s");
  }
}

// --------------------------------------------------------------- fixed costs

// What a fresh 64 MiB allocation costs before it can be used: map, touch every
// page, unmap.  An allocator that returns big blocks to the system pays this
// for each of them.
void measure_page_faults(int threads) {
  const size_t bytes = size_t{64} << 20;
  for (const bool huge : {false, true}) {
    const double best = best_parallel_seconds(threads, 10, [&](int) {
      void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (p == MAP_FAILED) std::abort();
      madvise(p, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
      for (size_t i = 0; i < bytes; i += 4096) static_cast<volatile char*>(p)[i] = 1;
      munmap(p, bytes);
    });
    emit(huge ? "first_touch_64m_huge" : "first_touch_64m_4k", threads,
         static_cast<double>(bytes) * threads / best * 1e-9, "GB/s");
  }
}

// Two threads hand a token back and forth: by spinning on a cache line, and by
// sleeping on a condition variable.  Half a round trip is the least it costs to
// give a sleeping or a spinning worker its next task.
void measure_hand_over() {
  constexpr int kSpins = 200'000;
  std::atomic<int> token{0};
  double spin = best_parallel_seconds(2, 5, [&](int t) {
    for (int i = 0; i < kSpins; ++i) {
      while (token.load(std::memory_order_acquire) != t) _mm_pause();
      token.store(1 - t, std::memory_order_release);
    }
  });
  emit("hand_over_spin", 2, spin / (2.0 * kSpins) * 1e9, "ns");

  constexpr int kSleeps = 20'000;
  std::mutex mutex;
  std::condition_variable changed;
  int turn = 0;
  double sleep = best_parallel_seconds(2, 3, [&](int t) {
    for (int i = 0; i < kSleeps; ++i) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return turn == t; });
      turn = 1 - t;
      changed.notify_one();
    }
  });
  emit("hand_over_condvar", 2, sleep / (2.0 * kSleeps) * 1e9, "ns");
}

}  // namespace

int main() {
  const int cpus = static_cast<int>(std::thread::hardware_concurrency());
  std::vector<int> counts{1};
  if (cpus >= 2) counts.push_back(2);
  if (cpus > 2) counts.push_back(cpus);
  std::printf("name\tthreads\tvalue\tunit\n");
  for (int t : counts) measure_fma(t);
  const size_t kib = 1024, mib = 1024 * kib;
  for (int t : counts) {
    measure_streams("mem_4k_", t, 256 * mib, false, 12, true);
    measure_streams("mem_huge_", t, 256 * mib, true, 12, true);
    measure_streams("l3_", t, 2 * mib * t, true, 20, false);
    measure_streams("l2_", t, 128 * kib * t, true, 20, false);
    measure_streams("l1_", t, 8 * kib * t, true, 20, false);
    measure_page_faults(t);
  }
  if (cpus >= 2) measure_hand_over();
  return 0;
}
