// How cond and while_loop run. Which body, and how often, is known only in the run: the steps of what is not to run
// look at the predicate and return.
#include <gradloom/ops/cond.hpp>
#include <gradloom/ops/while_loop.hpp>
#include <gradloom/runtime/body_plan_internal.hpp>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace gradloom::inline v0 {

namespace {

size_t bytes_of(const TensorType& type) {
  return static_cast<size_t>(type.shape.element_count().value()) * size_of(type.dtype);
}

bool is_true(const void* flag) { return *static_cast<const uint8_t*>(flag) != 0; }

constexpr double address_ns = 100;  // about what it takes to place the addresses of a step

// ---- cond

struct Branches {
  std::optional<BodyPlan> bodies[2];

  [[nodiscard]] static bool takes(const KernelCall& call, int branch) {
    return is_true(call.inputs[0]) == (branch == 0);
  }

  void begin(const KernelCall& call) const {
    const BodyPlan& body = *bodies[is_true(call.inputs[0]) ? 0 : 1];
    body.frame(call.shared).run = *call.run;
    for (size_t i = 0; i < body.input_count(); ++i) body.place_input(call.shared, i, call.inputs[i + 1]);
    for (size_t i = 0; i < body.plan().outputs.size(); ++i) body.place_output(call.shared, i, call.outputs[i]);
    body.bind(call.shared);
  }
};

template <int branch>
void run_branch_level(const KernelCall& call) {
  if (Branches::takes(call, branch)) run_body_level(call);
}

template <int branch>
bool again_branch_level(const KernelCall& call) {
  return Branches::takes(call, branch) && again_body_level(call);
}

// ---- while_loop

struct WhileLoop {
  std::optional<BodyPlan> body;
  std::vector<size_t> bytes, spare_offsets;  // by carried value: every other step writes to shared memory
  size_t flag_offset = 0;

  [[nodiscard]] void* shared(const KernelCall& call, size_t offset) const {
    return static_cast<std::byte*>(call.shared) + offset;
  }
  [[nodiscard]] void* written(const KernelCall& call, size_t i, int64_t step) const {
    return step % 2 == 0 ? call.outputs[i] : shared(call, spare_offsets[i]);
  }

  void place(const KernelCall& call, int64_t step) const {
    body->frame(call.shared).step = step;
    for (size_t i = 0; i < bytes.size(); ++i) {
      body->place_input(call.shared, i, step == 0 ? call.inputs[i] : written(call, i, step - 1));
      body->place_output(call.shared, i, written(call, i, step));
    }
    body->bind(call.shared);
  }

  void begin(const KernelCall& call) const {
    BodyFrame& frame = body->frame(call.shared);
    frame.run = *call.run;
    if (!is_true(call.inputs[bytes.size()])) {
      frame.step = -1;
      for (size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] > 0) std::memcpy(call.outputs[i], call.inputs[i], bytes[i]);
      }
      return;
    }
    for (size_t i = bytes.size(); i < body->input_count(); ++i) body->place_input(call.shared, i, call.inputs[i + 1]);
    body->place_output(call.shared, bytes.size(), shared(call, flag_offset));
    place(call, 0);
  }

  [[nodiscard]] bool advance(const KernelCall& call) const {
    const int64_t step = body->frame(call.shared).step;
    if (step < 0) return false;
    if (is_true(shared(call, flag_offset))) {
      body->frame(call.shared).run.seed = step_seed(call.run->seed, step + 1);
      place(call, step + 1);
      return true;
    }
    for (size_t i = 0; i < bytes.size(); ++i) {
      const void* const made = written(call, i, step);
      if (made != call.outputs[i] && bytes[i] > 0) std::memcpy(call.outputs[i], made, bytes[i]);
    }
    return false;
  }
};

bool makes_steps(const KernelCall& call) {
  return static_cast<const BodyLevel*>(call.params)->body->frame(call.shared).step >= 0;
}

void run_loop_level(const KernelCall& call) {
  if (makes_steps(call)) run_body_level(call);
}

bool again_loop_level(const KernelCall& call) { return makes_steps(call) && again_body_level(call); }

}  // namespace

KernelPlan plan_cond(const KernelRequest& request) {
  auto branches = std::make_shared<Branches>();
  KernelPlan plan;
  plan.steps.push_back({.run = [](const KernelCall& call) { static_cast<const Branches*>(call.params)->begin(call); },
                        .nanoseconds = address_ns});
  for (const int branch : {0, 1}) {
    const Subgraph& body =
        *request.attributes().get<std::shared_ptr<const Subgraph>>(branch == 0 ? "then" : "otherwise");
    branches->bodies[branch].emplace(body, body.outputs, request, 1, 0);
    const BodyPlan& planned = *branches->bodies[branch];
    planned.add_steps(plan, branch == 0 ? run_branch_level<0> : run_branch_level<1>,
                      branch == 0 ? again_branch_level<0> : again_branch_level<1>, 0.5);
    plan.shared_bytes = std::max(plan.shared_bytes, planned.end());
  }
  plan.nanoseconds += address_ns;
  plan.params = std::move(branches);
  return plan;
}

KernelPlan plan_while_loop(const KernelRequest& request) {
  constexpr double guessed_steps = 10;
  auto loop = std::make_shared<WhileLoop>();
  const Subgraph& body = *request.attributes().get<std::shared_ptr<const Subgraph>>("body");
  size_t shared_bytes = 0;
  for (size_t i = 0; i + 1 < body.outputs.size(); ++i) {
    loop->bytes.push_back(bytes_of(request.output(static_cast<int>(i))));
    loop->spare_offsets.push_back(shared_bytes);
    shared_bytes += (loop->bytes.back() + 63) / 64 * 64;
  }
  loop->flag_offset = shared_bytes;
  loop->body.emplace(body, body.outputs, request, 1, shared_bytes + 64);
  KernelPlan plan;
  plan.steps.push_back({.run = [](const KernelCall& call) { static_cast<const WhileLoop*>(call.params)->begin(call); },
                        .nanoseconds = address_ns});
  loop->body->add_steps(plan, run_loop_level, again_loop_level, guessed_steps);
  const int levels = static_cast<int>(plan.steps.size()) - 1;
  plan.steps.push_back(
      {.run = [](const KernelCall&) {},
       .nanoseconds = address_ns * guessed_steps,
       .again = [](const KernelCall& call) { return static_cast<const WhileLoop*>(call.params)->advance(call); },
       .back = levels});
  plan.nanoseconds += address_ns * (1 + guessed_steps);
  plan.shared_bytes = loop->body->end();
  plan.params = std::move(loop);
  return plan;
}

}  // namespace gradloom::inline v0
