#pragma once

#include <gradloom/graph/export.hpp>
#include <gradloom/runtime/array.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradloom::inline v0 {

struct StateData;

struct StateOptions {
  uint64_t seed = 0;  ///< of initial values and of every random stream
};

/// Values by name: parameters, optimiser slots, running statistics; with the seed and the number of updating runs so
/// far. Outlives the Graph. Copying copies the values. Any number of runs may read a State together; a run that updates
/// it, or gives it values that it lacks, has it alone, and so has its owner who changes it: else they throw Error.
class GRADLOOM_API State {
 public:
  explicit State(StateOptions options = {});
  State(const State& other);
  State(State&& other) noexcept;
  State& operator=(const State& other);
  State& operator=(State&& other) noexcept;
  ~State();

  [[nodiscard]] uint64_t seed() const;
  /// How many updating runs this State has seen; random streams advance by it.
  [[nodiscard]] int64_t step() const;
  void set_step(int64_t step);

  /// The full names, sorted.
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] bool has(std::string_view name) const;
  /// A copy of the value. Throws Error with the nearest name if there is none.
  [[nodiscard]] Array get(std::string_view name) const;
  /// Adds or replaces; copies the data.
  void set(std::string_view name, const Array& value);
  /// Returns whether there was one.
  bool erase(std::string_view name);
  /// Takes over every value of another State (its seed and step too), or only those whose name starts with `prefix`
  /// (then neither). Values of the same name are replaced.
  void merge(const State& other, std::string_view prefix = {});

 private:
  friend class StateAccess;  // the runtime's way in, see state_internal.hpp
  StateData* data_;
};

}  // namespace gradloom::inline v0
