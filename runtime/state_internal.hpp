// The runtime's way into a State.
#pragma once

#include <gradloom/runtime/state.hpp>

#include <atomic>
#include <map>
#include <string>

namespace gradloom::inline v0 {

struct StateData {
  uint64_t seed = 0;
  int64_t step = 0;
  std::map<std::string, Array, std::less<>> values;
  std::atomic<int> runs{0};  ///< that read it; -1: one that changes it
  /// Changes whenever an Array of `values` is added, replaced or removed, and differs between any two States of a
  /// process: a run that saw the same version may keep the pointers it looked up.
  uint64_t version = 0;
};

class StateAccess {
 public:
  static StateData& data(State& state) { return *state.data_; }
  static const StateData& data(const State& state) { return *state.data_; }
};

/// Throw Error if a run is in flight that changes the State, or that uses it at all. They catch a mistake and are no
/// lock: a run that starts right after them is not seen.
void check_unchanging(const StateData& data);
void check_unused(const StateData& data);

/// A version no State had before.
[[nodiscard]] uint64_t next_state_version();

}  // namespace gradloom::inline v0
