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
  ReduceLoops loops;
  int64_t items = 0;
  std::vector<int64_t> storage;  // of the walks in params
};

void run_items(const KernelCall& call) {
  const auto& plan = *static_cast<const ReducePlan*>(call.params);
  plan.loops.reduce(plan.params, call.inputs[0], plan.params.parts > 1 ? call.shared : call.outputs[0],
                    chunk_begin(plan.items, call.chunks, call.chunk), chunk_begin(plan.items, call.chunks, call.chunk + 1));
}

void run_combine(const KernelCall& call) {
  const auto& plan = *static_cast<const ReducePlan*>(call.params);
  plan.loops.combine(plan.params, call.shared, call.outputs[0]);
}

struct Axis {
  int64_t size, stride;
  bool reduced;
};

// Without axes of size 1, neighbours that are reduced alike as one.
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
  int64_t stride = 1;
  for (size_t i = axes.size(); i-- > 0;) {
    axes[i].stride = stride;
    stride *= axes[i].size;
  }
  return axes;
}

// Takes the line and the run off the axes, and leaves the rest to the walks.
void set_axes(ReducePlan& plan, std::vector<Axis> axes) {
  ReduceParams& params = plan.params;
  if (!axes.empty() && !axes.back().reduced) {
    params.width = axes.back().size;
    params.stride = params.width;  // never 1, so a run of one line is not taken for one of single elements
    axes.pop_back();
  }
  if (!axes.empty()) {  // the innermost reduced one: runs are reduced, and axes alternate
    params.length = axes.back().size;
    params.stride = axes.back().stride;
    axes.pop_back();
  }
  plan.storage.reserve(2 * axes.size());  // the walks point into it
  for (const bool reduced : {false, true}) {
    AxisWalk& walk = reduced ? params.reduced : params.kept;
    int64_t& positions = reduced ? params.terms : params.rows;
    walk.sizes = plan.storage.data() + plan.storage.size();
    for (const Axis& axis : axes) {
      if (axis.reduced != reduced) continue;
      plan.storage.push_back(axis.size);
      positions *= axis.size;
      ++walk.count;
    }
    walk.strides = walk.sizes + walk.count;
    for (const Axis& axis : axes) {
      if (axis.reduced == reduced) plan.storage.push_back(axis.stride);
    }
  }
}

}  // namespace

KernelPlan plan_reduce(const KernelRequest& request, const ReduceKernels& kernels) {
  const DType dtype = request.input(0).dtype;
  auto plan = std::make_shared<ReducePlan>();
  plan->loops = kernels.loops[static_cast<size_t>(dtype)];
  assert(plan->loops.reduce != nullptr && "the shape rule lets a dtype pass for which there is no kernel");
  set_axes(*plan, collapse(request.input_sizes(0), request.attributes().get<std::vector<int64_t>>("axes")));
  ReduceParams& params = plan->params;
  if (params.rows * params.width == 0) return {};

  const int64_t count = params.rows * params.terms * params.length * params.width;
  const int64_t wanted = std::min(chunk_count(count, grain), most_chunks);
  const int64_t whole_items = params.rows * chunk_count(params.width, reduce_tile);
  const int64_t cut = params.terms == 1 ? params.length : params.terms;
  const int64_t unit = params.terms == 1 ? cut_unit : 1;
  params.part_length = cut;
  if (wanted > whole_items && cut > unit) {
    params.part_length = chunk_count(chunk_count(cut, unit), wanted / whole_items) * unit;
    params.parts = chunk_count(cut, params.part_length);
  }
  plan->items = whole_items * params.parts;

  KernelPlan result;
  result.steps = {{run_items, std::min(wanted, plan->items)}};
  if (params.parts > 1) {
    result.steps.push_back({run_combine, 1});
    result.shared_bytes = static_cast<size_t>(params.rows * params.parts * params.width) * size_of(dtype);
  }
  result.nanoseconds = 20 + 5 * static_cast<double>(params.rows) + 0.025 * static_cast<double>(count) * static_cast<double>(size_of(dtype));
  result.params = std::move(plan);
  return result;
}

}  // namespace gradloom::inline v0
