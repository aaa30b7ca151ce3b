// What every measuring program here shares: the thread counts of the libraries, the timing of steps, and the row that
// is printed. Gradloom's own benchmark includes it too, so that all are timed alike and one script reads all the rows.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace peers {

using Clock = std::chrono::steady_clock;

inline double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// OpenMP, OpenBLAS and BLIS read their thread counts when they are loaded, so the program starts itself again with the
// counts in its environment. Returns in the second life, or where that fails.
inline void start_with_threads(char** argv, int threads) {
  const std::string count = std::to_string(threads);
  const char* const set = std::getenv("PEERS_THREADS_SET");
  if (set != nullptr && count == set) return;
  setenv("PEERS_THREADS_SET", count.c_str(), 1);
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS"})
    setenv(name, count.c_str(), 1);
  execv("/proc/self/exe", argv);
  std::perror("cannot start again");
}

inline double resident_mb() {
  long pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1048576.0;
}

inline double peak_resident_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

// The middle value, or the mean of the middle two.
inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t mid = values.size() / 2;
  return values.size() % 2 == 1 ? values[mid] : 0.5 * (values[mid - 1] + values[mid]);
}

// How long to time: until there are min_steps and `seconds` have passed, but never longer than `cap`; or exactly
// fixed_steps where that is set.
struct Patience {
  double seconds = 2.0;
  double cap = 20.0;
  size_t min_steps = 15;
  size_t fixed_steps = 0;

  [[nodiscard]] bool enough(size_t steps, double passed) const {
    if (fixed_steps > 0) return steps >= fixed_steps;
    return (steps >= min_steps && passed >= seconds) || (steps > 0 && passed >= cap);
  }
};

// The eleven columns that every program prints; see the README.
struct Row {
  std::string name;
  int threads = 1;
  double median_ms = 0, min_ms = 0;
  double loss_first = 0, loss_last = 0;
  size_t steps = 0;
  double rate = 0;
  const char* rate_unit = "-";
  double base_rss_mb = 0;
  std::vector<double> step_ms{};  // not printed

  // Takes the median and the least of the times of single steps.
  void set_times(std::vector<double> ms) {
    steps = ms.size();
    median_ms = median(ms);
    min_ms = *std::min_element(ms.begin(), ms.end());
    step_ms = std::move(ms);
  }
  // `flops` or else `bytes` of one step turns into the rate.
  void set_rate(double flops, double bytes) {
    if (flops > 0) {
      rate = flops / median_ms * 1e-6;
      rate_unit = "GFLOP/s";
    } else if (bytes > 0) {
      rate = bytes / median_ms * 1e-6;
      rate_unit = "GB/s";
    }
  }
};

inline void print_header() {
  std::puts(
      "case\tthreads\tmedian_ms\tmin_ms\tpeak_rss_mb\tloss_first\tloss_last\tsteps\trate\trate_unit\tbase_rss_mb");
}

inline void print_row(const Row& r) {
  std::printf("%s\t%d\t%.5f\t%.5f\t%.1f\t%.6g\t%.6g\t%zu\t%.3f\t%s\t%.1f\n", r.name.c_str(), r.threads, r.median_ms,
              r.min_ms, peak_resident_mb(), r.loss_first, r.loss_last, r.steps, r.rate, r.rate_unit, r.base_rss_mb);
}

// Warms up for 4 steps and 0.3 s (1,000 steps at most), then times steps one by one. `step` does one and returns a
// value that stays alive until the next; `value_of` turns it into the number of the loss columns, outside the timing.
template <class Step, class ValueOf>
void time_steps(Row& row, const Patience& patience, const Step& step, const ValueOf& value_of) {
  row.loss_first = value_of(step());
  const auto warm = Clock::now();
  for (int i = 0; i < 4 || (ms_since(warm) < 300 && i < 1000); ++i) step();

  std::vector<double> times;
  decltype(step()) last{};
  const auto begin = Clock::now();
  while (!patience.enough(times.size(), ms_since(begin) / 1000)) {
    last = decltype(step())();  // a result's memory goes back before the next step, as in a training loop
    const auto start = Clock::now();
    last = step();
    times.push_back(ms_since(start));
  }
  row.loss_last = value_of(last);
  row.set_times(std::move(times));
}

}  // namespace peers
