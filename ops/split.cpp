// split, split_sizes: slices that cover an axis.
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/refuse_internal.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0 {

namespace {

constexpr std::string_view split_rule = "split needs an axis whose size is a multiple of the number of parts";
constexpr std::string_view split_sizes_rule = "split_sizes needs an axis whose size is the sum of the parts'";

std::string no_such_axis(int axis, int rank) {
  return axis < -rank || axis >= rank ? fmt::format("there is no axis {} in a tensor of rank {}", axis, rank)
                                      : std::string();
}

// Slices of sizes that add up to the axis as far as that can be known.
std::vector<Tensor> parts_of(const Operand& x, const Shape& sizes, int axis) {
  const Tensor& tensor = x.tensor();
  const int rank = tensor.rank();
  Dim sum = 0;
  for (const Dim& size : sizes) sum = sum + size;
  // Where only a binding can tell whether the parts add up, this reshape (of nothing) notes that they must.
  std::vector<Dim> dims = tensor.shape().dims();
  dims[static_cast<size_t>(axis < 0 ? axis + rank : axis)] = sum;
  const Tensor from = reshape(x, Shape(std::move(dims)));
  std::vector<Tensor> parts;
  Dim offset = 0;
  for (const Dim& size : sizes) {
    const Dim end = offset + size;
    parts.push_back(slice({from, x.location()}, axis, {offset, end}));
    offset = end;
  }
  return parts;
}

}  // namespace

std::vector<Tensor> split(const Operand& x, int parts, int axis) {
  const SourceScope scope(x, "split");
  const Tensor& tensor = x.tensor();
  const auto fail = [&](const std::string& problem) { refuse("split", split_rule, tensor, problem, x.location()); };
  if (parts < 1) fail(fmt::format("{} parts are asked for, at least 1 is needed", parts));
  if (const std::string problem = no_such_axis(axis, tensor.rank()); !problem.empty()) fail(problem);
  const Dim& size = tensor.dim(axis);
  if (size.known() && size.value() % parts != 0) {
    fail(fmt::format("axis {} of size {} does not divide into {} equal parts", axis, size.to_string(), parts));
  }
  return parts_of(x, Shape(std::vector<Dim>(static_cast<size_t>(parts), size / parts)), axis);
}

std::vector<Tensor> split_sizes(const Operand& x, const Shape& sizes, int axis) {
  const SourceScope scope(x, "split_sizes");
  const Tensor& tensor = x.tensor();
  const auto fail = [&](const std::string& problem) {
    refuse("split_sizes", split_sizes_rule, tensor, problem, x.location());
  };
  if (const std::string problem = no_such_axis(axis, tensor.rank()); !problem.empty()) fail(problem);
  Dim sum = 0;
  for (const Dim& size : sizes) {
    if (size.known() && size.value() < 0) fail("the sizes " + sizes.to_string() + " have a negative one");
    sum = sum + size;
  }
  if (const Dim difference = sum - tensor.dim(axis); difference.known() && difference != Dim(0)) {
    fail(fmt::format("the sizes {} add up to {}, not {}", sizes.to_string(), sum.to_string(),
                     tensor.dim(axis).to_string()));
  }
  return parts_of(x, sizes, axis);
}

}  // namespace gradloom::inline v0
