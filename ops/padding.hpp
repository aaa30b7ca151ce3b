#pragma once

#include <gradloom/graph/export.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace gradloom::inline v0 {

/// Rules for padding. `valid`: none, windows stay inside. `same`: as much as makes ceil(size / stride) windows, half of
/// it before the data and half behind; an odd one is put behind.
enum class Pad : uint8_t { valid, same };

/// How far windows (of a convolution, of pooling) may reach beyond the data, along each spatial axis.
class GRADLOOM_API Padding {
 public:
  Padding(Pad rule = Pad::valid) : rule_(rule) {}               // NOLINT: {.padding = Pad::same}
  Padding(int each) : low_{each}, high_{each}, given_(true) {}  // NOLINT: so many on every side
  Padding(std::initializer_list<int64_t> both)                  // NOLINT: so many on both sides of each axis
      : low_(both), high_(both), given_(true) {}
  /// Different numbers before and behind, one each for every axis.
  [[nodiscard]] static Padding sides(std::vector<int64_t> low, std::vector<int64_t> high);

  /// True if numbers were given instead of a rule.
  [[nodiscard]] bool given() const { return given_; }
  [[nodiscard]] Pad rule() const { return rule_; }
  /// The numbers given: one for each axis, or one for all.
  [[nodiscard]] const std::vector<int64_t>& low() const { return low_; }
  [[nodiscard]] const std::vector<int64_t>& high() const { return high_; }

 private:
  Pad rule_ = Pad::valid;
  std::vector<int64_t> low_, high_;
  bool given_ = false;
};

}  // namespace gradloom::inline v0
