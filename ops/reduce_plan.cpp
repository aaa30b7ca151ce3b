#include <algorithm>
#include <cassert>

#include <gradloom/ops/reduce_plan_internal.hpp>

namespace gradloom::inline v0 {

namespace {

// Elements per chunk, and the most chunks that are made: enough to balance dozens of threads. Part results are few then,
// and one thread combines them in microseconds.
constexpr int64_t grain = int64_t{64} * 1024;
constexpr int64_t most_chunks = 256;
// Cuts fall on multiples of this many elements or lines, so that vectors stay aligned and leaves whole.
constexpr int64_t cut_unit = 64;

struct ReducePlan {
  ReduceParams params;
  ReduceLoop loop = nullptr;
  ReduceCombine combine = nullptr;
  int64_t items = 0;
  int64_t width = 1;             // elements of the result a row
  std::vector<int64_t> storage;  // of the walks in params
};

void run_items(const KernelCall& call) {
  const auto& plan = *static_cast<const ReducePlan*>(call.params);
  plan.loop(plan.params, call.inputs[0], plan.params.parts > 1 ? call.shared : call.outputs[0],
            chunk_begin(plan.items, call.chunks, call.chunk), chunk_begin(plan.items, call.chunks, call.chunk + 1));
}

void run_combine(const KernelCall& call) {
  const auto& plan = *static_cast<const ReducePlan*>(call.params);
  plan.combine(plan.params, call.shared, call.outputs[0], plan.width);
}

struct Axis {
  int64_t size, stride;
  bool reduced;
};

// Without axes of size 1, neighbours that are reduced alike as one, innermost last; at least one axis.
std::vector<Axis> collapse(const std::vector<int64_t>& sizes, const std::vector<int64_t>& reduced_axes) {
  std::vector<Axis> axes;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const bool reduced = std::binary_search(reduced_axes.begin(), reduced_axes.end(), static_cast<int64_t>(i));
    if (sizes[i] == 1) continue;
    if (!axes.empty() && axes.back().reduced == reduced) {
      axes.back().size *= sizes[i];
    } else {
      axes.push_back({sizes[i], 0, reduced});
    }
  }
  if (axes.empty()) axes.push_back({1, 0, true});
  int64_t stride = 1;
  for (size_t i = axes.size(); i-- > 0;) {
    axes[i].stride = stride;
    stride *= axes[i].size;
  }
  return axes;
}

// Where all axes but the innermost go.
void set_walks(ReducePlan& plan, const std::vector<Axis>& axes) {
  ReduceParams& params = plan.params;
  plan.storage.reserve(2 * axes.size());  // the walks point into it
  for (const bool reduced : {false, true}) {
    AxisWalk& walk = reduced ? params.reduced : params.kept;
    int64_t& positions = reduced ? params.terms : params.rows;
    const size_t begin = plan.storage.size();
    for (size_t i = 0; i + 1 < axes.size(); ++i) {
      if (axes[i].reduced != reduced) continue;
      plan.storage.push_back(axes[i].size);
      positions *= axes[i].size;
      ++walk.count;
    }
    for (size_t i = 0; i + 1 < axes.size(); ++i) {
      if (axes[i].reduced == reduced) plan.storage.push_back(axes[i].stride);
    }
    walk.sizes = plan.storage.data() + begin;
    walk.strides = walk.sizes + walk.count;
  }
}

}  // namespace

KernelPlan plan_reduce(const KernelRequest& request, const ReduceKernels& kernels) {
  const DType dtype = request.input(0).dtype;
  const ReduceLoops& loops = kernels.loops[static_cast<size_t>(dtype)];
  assert(loops.combine != nullptr && "the shape rule lets a dtype pass for which there is no kernel");
  const std::vector<Axis> axes =
      collapse(request.input_sizes(0), request.attributes().get<std::vector<int64_t>>("axes"));
  auto plan = std::make_shared<ReducePlan>();
  set_walks(*plan, axes);
  ReduceParams& params = plan->params;
  params.inner = axes.back().size;
  const bool inner_reduced = axes.back().reduced;
  plan->loop = inner_reduced ? loops.inner_reduced : loops.inner_kept;
  plan->combine = loops.combine;
  plan->width = inner_reduced ? 1 : params.inner;
  if (params.rows * plan->width == 0) return {};

  const int64_t count = params.rows * params.terms * params.inner;
  const int64_t wanted = std::min(chunk_count(count, grain), most_chunks);
  const int64_t lines = params.rows * (inner_reduced ? 1 : chunk_count(params.inner, reduce_tile));
  const bool cuts_inner = inner_reduced && params.terms == 1;
  const int64_t length = cuts_inner ? params.inner : params.terms;
  const int64_t unit = inner_reduced && !cuts_inner ? 1 : cut_unit;
  params.part_length = length;
  if (wanted > lines && length > unit) {
    params.part_length = chunk_count(chunk_count(length, unit), wanted / lines) * unit;
    params.parts = chunk_count(length, params.part_length);
  }
  plan->items = lines * params.parts;

  KernelPlan result;
  result.steps = {{run_items, std::min(wanted, plan->items)}};
  if (params.parts > 1) {
    result.steps.push_back({run_combine, 1});
    result.shared_bytes = static_cast<size_t>(params.rows * params.parts * plan->width) * size_of(dtype);
  }
  result.nanoseconds = 20 + 5 * static_cast<double>(params.rows) + 0.025 * static_cast<double>(count) * static_cast<double>(size_of(dtype));
  result.params = std::move(plan);
  return result;
}

}  // namespace gradloom::inline v0
