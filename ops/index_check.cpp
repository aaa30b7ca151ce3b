#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/ops/index_check_internal.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace gradloom::inline v0 {

namespace {

std::string place_of(const IndexCheck& check, int64_t position) {
  if (check.sizes.empty()) return "the index";
  std::vector<int64_t> at(check.sizes.size());
  for (size_t axis = at.size(); axis-- > 0;) {
    at[axis] = position % check.sizes[axis];
    position /= check.sizes[axis];
  }
  return fmt::format("indices[{}]", fmt::join(at, ", "));
}

template <class T>
[[noreturn]] void report(const IndexCheck& check, const T* indices, int64_t first) {
  constexpr int64_t most_shown = 5;
  std::string shown;
  int64_t wrong = 0;
  for (int64_t i = first; i < check.count; ++i) {
    if (indices[i] >= 0 && indices[i] < check.size) continue;
    if (wrong++ < most_shown)
      shown += fmt::format("{}{} is {}", shown.empty() ? "" : ", ", place_of(check, i), indices[i]);
  }
  if (wrong > most_shown) shown += fmt::format(", ... ({} in all)", wrong);
  ErrorParts parts = check.error;
  parts.problem = fmt::format("{}, but {}", shown, check.limit);
  throw Error(std::move(parts));
}

template <class T>
void check_all(const IndexCheck& check, const T* indices) {
  for (int64_t i = 0; i < check.count; ++i) {
    if (indices[i] < 0 || indices[i] >= check.size) report(check, indices, i);
  }
}

}  // namespace

void require_index_dtype(const ShapeContext& context, int input) {
  const DType dtype = context.dtype(input);
  if (dtype == DType::i32 || dtype == DType::i64) return;
  context.fail(fmt::format("{} are {}, they must be i32 or i64", context.op().inputs[static_cast<size_t>(input)],
                           to_string(dtype)));
}

IndexCheck make_index_check(const KernelRequest& request, int input, int64_t size, std::string limit) {
  const Node& node = request.node();
  return {.input = input,
          .size = size,
          .dtype = request.input(input).dtype,
          .sizes = request.input_sizes(input),
          .count = request.input(input).shape.element_count().value(),
          .limit = std::move(limit),
          .error = {.op = std::string(node.op->name),
                    .node = node.name,
                    .location = to_string(node.location),
                    .details = describe_operands(request.graph(), *node.op, node.inputs),
                    .rule = std::string(node.op->rule)}};
}

void check_indices(const KernelCall& call) {
  const auto& check = *static_cast<const IndexCheck*>(call.params);
  call.count(check.count * static_cast<int64_t>(size_of(check.dtype)), 0);
  with_indices(check, call.inputs, [&](const auto* indices) { check_all(check, indices); });
}

}  // namespace gradloom::inline v0
