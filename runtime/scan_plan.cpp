// How a scan runs: a step that begins, then the levels of its body, again and again. Before each time the addresses of
// the sequences and outputs move on by a slice. A carried value is never copied where it is also an output of every
// step: it is read where the step before has written it.
#include <gradloom/ops/scan_internal.hpp>
#include <gradloom/runtime/body_plan_internal.hpp>

#include <algorithm>
#include <cstring>
#include <optional>

namespace gradloom::inline v0 {

namespace {

/// An operand or result that has a slice for each step.
struct Stack {
  int index = 0;  // among the node's inputs or outputs
  size_t bytes = 0;
};

struct Carried {
  size_t bytes = 0;
  std::vector<Stack> entering, leaving;  // outputs that hold the value before and after each step
  size_t spare_offset = 0;               // in shared memory, where there is neither: every other step writes there
};

struct ScanLoop;

/// The level that ends with the question whether there is another step.
struct LastLevel : BodyLevel {
  const ScanLoop* loop = nullptr;
};

struct ScanLoop {
  std::optional<BodyPlan> body;
  LastLevel last_level;
  int64_t length = 0;
  bool reverse = false;
  std::vector<Carried> carried;
  std::vector<Stack> sequences, outputs;
  int constants = 0;
  size_t shared_bytes = 0;

  [[nodiscard]] int64_t position(int64_t step) const { return reverse ? length - 1 - step : step; }

  [[nodiscard]] void* slice(const KernelCall& call, const Stack& output, int64_t step) const {
    return static_cast<std::byte*>(call.outputs[output.index]) + output.bytes * static_cast<size_t>(position(step));
  }

  /// Where a step writes a carried value.
  [[nodiscard]] void* written(const KernelCall& call, size_t i, int64_t step) const {
    const Carried& value = carried[i];
    if (!value.leaving.empty()) return slice(call, value.leaving[0], step);
    if (!value.entering.empty() && step + 1 < length) return slice(call, value.entering[0], step + 1);
    if (!value.entering.empty() || (length - 1 - step) % 2 == 0) return call.outputs[i];
    return static_cast<std::byte*>(call.shared) + value.spare_offset;
  }

  void place(const KernelCall& call, int64_t step) const {
    BodyFrame& frame = body->frame(call.shared);
    frame.step = step;
    frame.run = {.seed = step_seed(call.run->seed, position(step)), .step = call.run->step};
    for (size_t i = 0; i < carried.size(); ++i) {
      body->place_input(call.shared, i, step == 0 ? call.inputs[i] : written(call, i, step - 1));
      body->place_output(call.shared, i, written(call, i, step));
    }
    for (size_t i = 0; i < sequences.size(); ++i) {
      const Stack& sequence = sequences[i];
      body->place_input(call.shared, carried.size() + i,
                        static_cast<const std::byte*>(call.inputs[sequence.index]) +
                            sequence.bytes * static_cast<size_t>(position(step)));
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      body->place_output(call.shared, carried.size() + i, slice(call, outputs[i], step));
    }
    body->bind(call.shared);
  }

  void begin(const KernelCall& call) const {
    for (size_t i = 0; i < carried.size(); ++i) {
      for (const Stack& output : carried[i].entering) {
        if (length > 0) copy(slice(call, output, 0), call.inputs[i], carried[i].bytes);
      }
      if (length == 0) copy(call.outputs[i], call.inputs[i], carried[i].bytes);
    }
    if (length == 0) return;
    const size_t first = carried.size() + sequences.size();
    for (size_t i = first; i < first + static_cast<size_t>(constants); ++i) {
      body->place_input(call.shared, i, call.inputs[i]);
    }
    place(call, 0);
  }

  /// After a step: false if it was the last.
  [[nodiscard]] bool advance(const KernelCall& call) const {
    const int64_t step = body->frame(call.shared).step;
    const bool last = step + 1 == length;
    for (size_t i = 0; i < carried.size(); ++i) {
      const Carried& value = carried[i];
      const void* const made = written(call, i, step);
      for (const Stack& output : value.leaving) copy(slice(call, output, step), made, value.bytes);
      for (const Stack& output : value.entering) {
        if (!last) copy(slice(call, output, step + 1), made, value.bytes);
      }
      if (last) copy(call.outputs[i], made, value.bytes);
    }
    if (!last) place(call, step + 1);
    return !last;
  }

 private:
  static void copy(void* to, const void* from, size_t bytes) {
    if (to != from && bytes > 0) std::memcpy(to, from, bytes);
  }
};

size_t bytes_of(const TensorType& type) {
  return static_cast<size_t>(type.shape.element_count().value()) * size_of(type.dtype);
}

}  // namespace

KernelPlan plan_scan(const KernelRequest& request) {
  const ScanForm form(request.node());
  const Subgraph& body = *form.body;
  auto loop = std::make_shared<ScanLoop>();
  loop->last_level.loop = loop.get();
  loop->length = form.length.value();
  loop->reverse = form.reverse;
  loop->constants = form.constants;

  const std::vector<Tensor> inputs = body.graph.inputs();
  const auto type_of = [](const Tensor& tensor) { return tensor.node().outputs[static_cast<size_t>(tensor.output())]; };
  size_t shared_bytes = 0;
  for (int i = 0; i < form.carried; ++i) {
    const size_t bytes = bytes_of(request.input(i));
    loop->carried.push_back({.bytes = bytes, .entering = {}, .leaving = {}, .spare_offset = shared_bytes});
    shared_bytes += (bytes + 63) / 64 * 64;
  }
  for (int i = form.carried; i < form.carried + form.sequences; ++i) {
    loop->sequences.push_back({i, bytes_of(type_of(inputs[static_cast<size_t>(i)]))});
  }
  std::vector<Tensor> made(body.outputs.begin(), body.outputs.begin() + form.carried);
  for (int k = form.carried; k < static_cast<int>(body.outputs.size()); ++k) {
    const Tensor& output = body.outputs[static_cast<size_t>(k)];
    const Stack stack{k, bytes_of(type_of(output))};
    const auto is = [&](const std::vector<Tensor>& values) {
      const auto end = values.begin() + form.carried;
      return std::find_if(values.begin(), end, [&](const Tensor& value) { return same(value, output); }) -
             values.begin();
    };
    if (const auto i = is(inputs); i < form.carried) {
      loop->carried[static_cast<size_t>(i)].entering.push_back(stack);
    } else if (const auto j = is(body.outputs); j < form.carried) {
      loop->carried[static_cast<size_t>(j)].leaving.push_back(stack);
    } else {
      loop->outputs.push_back(stack);
      made.push_back(output);
    }
  }
  loop->body.emplace(body, made, request, std::max<int64_t>(loop->length, 1), shared_bytes);

  KernelPlan plan;
  constexpr double address_ns = 100;  // about what it takes to place the addresses of a step
  plan.steps.push_back({.run = [](const KernelCall& call) { static_cast<const ScanLoop*>(call.params)->begin(call); },
                        .nanoseconds = address_ns});
  plan.shared_bytes = loop->body->end();
  if (loop->length > 0) {
    loop->last_level.body = &*loop->body;
    loop->body->add_steps(plan, run_body_level, again_body_level, static_cast<double>(loop->length));
    // Whoever ends the last level goes on to the next step; not where that level is the end of a loop inside, or
    // nothing is left of the body.
    if (plan.steps.size() == 1 || plan.steps.back().again != nullptr) {
      plan.steps.push_back(
          {.run = [](const KernelCall&) {}, .params = static_cast<const BodyLevel*>(&loop->last_level)});
    } else {
      static_cast<BodyLevel&>(loop->last_level) = *static_cast<const BodyLevel*>(plan.steps.back().params);
      plan.steps.back().params = static_cast<const BodyLevel*>(&loop->last_level);
    }
    KernelStep& end = plan.steps.back();
    end.again = [](const KernelCall& call) {
      return static_cast<const LastLevel*>(static_cast<const BodyLevel*>(call.params))->loop->advance(call);
    };
    end.back = static_cast<int>(plan.steps.size()) - 2;
    end.nanoseconds += address_ns * static_cast<double>(loop->length);
  }
  plan.nanoseconds = 0;
  for (const KernelStep& step : plan.steps) plan.nanoseconds += step.nanoseconds;
  plan.params = std::move(loop);
  return plan;
}

}  // namespace gradloom::inline v0
