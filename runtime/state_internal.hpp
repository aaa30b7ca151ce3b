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
  std::atomic<bool> updating{false};  ///< an updating run is in flight
  /// Changes whenever an Array of `values` is added, replaced or removed, and differs between any two States of a
  /// process: a run that saw the same version may keep the pointers it looked up.
  uint64_t version = 0;
};

class StateAccess {
 public:
  static StateData& data(State& state) { return *state.data_; }
  static const StateData& data(const State& state) { return *state.data_; }
};

/// Throws Error if an updating run is in flight. It catches a mistake and is no lock: a run that starts right after it
/// is not seen.
void check_idle(const StateData& data);

/// A version no State had before.
[[nodiscard]] uint64_t next_state_version();

}  // namespace gradloom::inline v0
