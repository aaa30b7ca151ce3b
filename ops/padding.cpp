#include <gradloom/ops/padding.hpp>

#include <utility>

namespace gradloom::inline v0 {

Padding Padding::sides(std::vector<int64_t> low, std::vector<int64_t> high) {
  Padding padding;
  padding.low_ = std::move(low);
  padding.high_ = std::move(high);
  padding.given_ = true;
  return padding;
}

}  // namespace gradloom::inline v0
