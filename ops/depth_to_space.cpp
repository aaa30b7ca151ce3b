#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/depth_to_space.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/refuse_internal.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0 {

namespace {

void check(std::string_view function, const Operand& x, int64_t block) {
  const auto fail = [&](const std::string& problem) {
    refuse(function, fmt::format("{} needs x [n, h, w, channels] and a block of at least 1 that divides", function),
           x.tensor(), problem, x.location());
  };
  if (x.tensor().rank() != 4) fail(fmt::format("the rank is {}", x.tensor().rank()));
  if (block < 1) fail(fmt::format("the block is {}", block));
}

}  // namespace

Tensor depth_to_space(const Operand& x, int64_t block, DepthOrder order) {
  const SourceScope scope(x, "depth_to_space");
  check("depth_to_space", x, block);
  const Tensor& value = x.tensor();
  const Dim &n = value.dim(0), &h = value.dim(1), &w = value.dim(2), &depth = value.dim(3);
  if (!depth.known() || depth.value() % (block * block) != 0) {
    refuse("depth_to_space", "depth_to_space needs channels that are a multiple of block * block", value,
           fmt::format("{} channels make no blocks of {} x {}", depth.to_string(), block, block), x.location());
  }
  const int64_t channels = depth.value() / (block * block);
  const bool block_first = order == DepthOrder::block_first;
  const Tensor parts =
      block_first ? reshape(x, {n, h, w, block, block, channels}) : reshape(x, {n, h, w, channels, block, block});
  const Tensor moved = block_first ? transpose(parts, {0, 1, 3, 2, 4, 5}) : transpose(parts, {0, 1, 4, 2, 5, 3});
  return reshape(moved, {n, h * block, w * block, channels});
}

Tensor space_to_depth(const Operand& x, int64_t block, DepthOrder order) {
  const SourceScope scope(x, "space_to_depth");
  check("space_to_depth", x, block);
  const Tensor& value = x.tensor();
  const Dim &n = value.dim(0), &h = value.dim(1), &w = value.dim(2), &channels = value.dim(3);
  for (const Dim* size : {&h, &w}) {
    if (!size->known() || size->value() % block == 0) continue;
    refuse("space_to_depth", "space_to_depth needs height and width that are multiples of the block", value,
           fmt::format("{} pixels make no blocks of {}", size->to_string(), block), x.location());
  }
  const Tensor parts = reshape(x, {n, h / block, block, w / block, block, channels});
  const Tensor moved =
      order == DepthOrder::block_first ? transpose(parts, {0, 1, 3, 2, 4, 5}) : transpose(parts, {0, 1, 3, 5, 2, 4});
  return reshape(moved, {n, h / block, w / block, channels * (block * block)});
}

}  // namespace gradloom::inline v0
