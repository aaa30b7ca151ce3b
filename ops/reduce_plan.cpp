#include <gradloom/ops/reduce_plan_internal.hpp>

#include <algorithm>
#include <bit>
#include <cassert>

namespace gradloom::inline v0 {

namespace {

constexpr int64_t grain = int64_t{64} * 1024;  // elements
constexpr int64_t most_chunks = 256;           // so part results are few, and one thread combines them in microseconds

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

}  // namespace

ReduceForm::ReduceForm(const std::vector<int64_t>& sizes, const std::vector<int64_t>& reduced_axes) {
  std::vector<Axis> axes = collapse(sizes, reduced_axes);
  if (!axes.empty() && !axes.back().reduced) {
    params.width = axes.back().size;
    params.stride = params.width;  // not 1, so that a run of one line is not taken for one of single elements
    axes.pop_back();
  }
  if (!axes.empty()) {  // kept and reduced axes alternate, so this one is reduced
    params.length = axes.back().size;
    params.stride = axes.back().stride;
    axes.pop_back();
  }
  storage_.reserve(2 * axes.size());  // the walks point into it
  for (const bool reduced : {false, true}) {
    AxisWalk& walk = reduced ? params.reduced : params.kept;
    int64_t& positions = reduced ? params.terms : params.rows;
    walk.sizes = storage_.data() + storage_.size();
    for (const Axis& axis : axes) {
      if (axis.reduced != reduced) continue;
      storage_.push_back(axis.size);
      positions *= axis.size;
      ++walk.count;
    }
    walk.strides = walk.sizes + walk.count;
    for (const Axis& axis : axes) {
      if (axis.reduced == reduced) storage_.push_back(axis.stride);
    }
  }
  params.part_length = params.terms == 1 ? params.length : params.terms;
}

int64_t reduce_chunks(int64_t elements) { return std::min(chunk_count(elements, grain), most_chunks); }

namespace {

struct ReducePlan {
  ReducePlan(const std::vector<int64_t>& sizes, const std::vector<int64_t>& axes, const ReduceLoops& kernels)
      : form(sizes, axes), loops(kernels) {}

  ReduceForm form;
  ReduceLoops loops;
  int64_t items = 0;
  int64_t read = 0, written = 0;  // bytes
};

void run_items(const KernelCall& call) {
  const auto& plan = *static_cast<const ReducePlan*>(call.params);
  const ReduceParams& params = plan.form.params;
  call.count(chunk_size(plan.read, call.chunks, call.chunk),
             params.parts > 1 ? 0 : chunk_size(plan.written, call.chunks, call.chunk));
  plan.loops.reduce(params, call.inputs[0], params.parts > 1 ? call.shared : call.outputs[0],
                    chunk_begin(plan.items, call.chunks, call.chunk),
                    chunk_begin(plan.items, call.chunks, call.chunk + 1));
}

void run_combine(const KernelCall& call) {
  const auto& plan = *static_cast<const ReducePlan*>(call.params);
  call.count(0, plan.written);
  plan.loops.combine(plan.form.params, call.shared, call.outputs[0], 0, plan.form.params.width);
}

// Few items for many chunks: cuts each into parts, where the tree of combinations has its branches.
void cut(ReduceForm& form, int64_t chunks) {
  ReduceParams& params = form.params;
  const int64_t whole = params.part_length;
  const int64_t leaf = params.stride == 1 ? reduce_leaf_elements : reduce_leaf_lines;
  const int64_t unit = params.terms == 1 ? leaf : 1;
  const int64_t wanted = chunks / form.item_count();
  if (wanted < 2 || whole <= unit) return;
  const int64_t units = (whole + unit - 1) / unit;
  params.part_length = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>((units + wanted - 1) / wanted))) * unit;
  params.parts = (whole + params.part_length - 1) / params.part_length;
}

}  // namespace

KernelPlan plan_reduce(const KernelRequest& request, const ReduceKernels& kernels) {
  const DType dtype = request.input(0).dtype;
  const std::vector<int64_t>& axes = request.attributes().get<std::vector<int64_t>>("axes");
  auto plan = std::make_shared<ReducePlan>(request.input_sizes(0), axes, kernels.loops[static_cast<size_t>(dtype)]);
  assert(plan->loops.reduce != nullptr && "the shape rule lets a dtype pass for which there is no kernel");
  const ReduceParams& params = plan->form.params;
  if (params.rows * params.width == 0) return {};

  const int64_t count = plan->form.element_count(), chunks = reduce_chunks(count);
  cut(plan->form, chunks);
  plan->items = plan->form.item_count() * params.parts;
  plan->read = count * static_cast<int64_t>(size_of(dtype));
  plan->written = params.rows * params.width * static_cast<int64_t>(size_of(dtype));
  KernelPlan result;
  result.steps = {{run_items, std::min(chunks, plan->items)}};
  if (params.parts > 1) {
    result.steps.push_back({run_combine, 1});
    result.shared_bytes = static_cast<size_t>(params.rows * params.parts * params.width) * size_of(dtype);
  }
  result.nanoseconds = 20 + 5 * static_cast<double>(params.rows) +
                       0.025 * static_cast<double>(count) * static_cast<double>(size_of(dtype));
  result.params = std::move(plan);
  return result;
}

}  // namespace gradloom::inline v0
