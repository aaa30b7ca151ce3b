// The walk that the kernels of pooling share. A position's elements meet those of its sources channel by channel, in
// loops that the compiler vectorises.
#pragma once

#include <gradloom/ops/kernel_internal.hpp>
#include <gradloom/ops/pool_table_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// For each position of the result in rows [begin, end) of its last axis: calls visit(at, position, sees), where `at`
/// is the offset of its first channel, and `position` its place on the spatial axes. sees(f) calls f(offset, source,
/// is_first) for each of its sources in row-major order, likewise, and returns whether there was one.
template <class Visit>
inline void for_pool_positions(const PoolTable& table, int64_t begin, int64_t end, Visit visit) {
  const PoolAxis &a = table.axes[0], &b = table.axes[1], &c = table.axes[2];
  for (int64_t row = begin; row < end; ++row) {
    const int64_t j = row % b.to, i = row / b.to % a.to, image = row / b.to / a.to * a.from * b.from * c.from;
    for (int64_t k = 0; k < c.to; ++k) {
      const auto sees = [&](auto f) {
        bool is_first = true;
        for (int64_t s = a.first[i]; s < a.first[i + 1]; ++s) {
          for (int64_t t = b.first[j]; t < b.first[j + 1]; ++t) {
            const int64_t line = (a.source[s] * b.from + b.source[t]) * c.from;
            for (int64_t u = c.first[k]; u < c.first[k + 1]; ++u) {
              const int64_t source = line + c.source[u];
              f((image + source) * table.channels, source, is_first);
              is_first = false;
            }
          }
        }
        return !is_first;
      };
      visit((row * c.to + k) * table.channels, (i * b.to + j) * c.to + k, sees);
    }
  }
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
