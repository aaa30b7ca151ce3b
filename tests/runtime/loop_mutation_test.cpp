// Would the oracle notice what is wrong in a loop? Plans with a planted mistake in a scan, a cond or a while loop must
// give other results than the graph as written.
#include "plan_mutation_helper.hpp"
#include <gradloom/ops/cond.hpp>
#include <gradloom/ops/scan_internal.hpp>
#include <gradloom/ops/while_loop.hpp>
#include <gradloom/runtime/body_plan_internal.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <memory>

using namespace gradloom;
using namespace gradloom::test;

namespace {

bool runs_bodies(const Plan& plan, const Task& task) { return node_of(plan, task).op->properties.runs_bodies; }

/// What a task of a loop or choice runs of a body, or null: one that begins or ends it has the params of its kernel.
const BodyLevel* level_of(const Plan& plan, const Task& task) {
  if (!runs_bodies(plan, task)) return nullptr;
  const std::vector<KernelStep>& steps = plan.kernels[static_cast<size_t>(task.node)].steps;
  const bool found =
      std::any_of(steps.begin(), steps.end(), [&](const KernelStep& step) { return step.params == task.params; });
  return found ? static_cast<const BodyLevel*>(task.params) : nullptr;
}

/// A body's plan belongs to the plan around it, which is this test's own.
Plan& plan_of_body(const BodyPlan& body) { return const_cast<Plan&>(body.plan()); }

const BodyPlan* body_of(const Plan& plan, const Task& task) {
  for (const Task& other : plan.tasks) {
    const BodyLevel* const level = other.node == task.node ? level_of(plan, other) : nullptr;
    if (level != nullptr) return level->body;
  }
  return nullptr;
}

/// The plans of the bodies of scans and conds, those within each other too. (What is wrong in a while loop may keep it
/// from ending.)
void add_bodies(const Plan& plan, std::vector<Plan*>& bodies) {
  for (const Task& task : plan.tasks) {
    const BodyLevel* const level = level_of(plan, task);
    if (level == nullptr || node_of(plan, task).op == &while_loop_def) continue;
    Plan& body = plan_of_body(*level->body);
    if (std::find(bodies.begin(), bodies.end(), &body) != bodies.end()) continue;
    bodies.push_back(&body);
    add_bodies(body, bodies);
  }
}

template <bool (*apply)(Plan&, Random&)>
bool in_a_body(Plan& plan, Random& random) {
  std::vector<Plan*> bodies;
  add_bodies(plan, bodies);
  Plan* const* const body = any_of(bodies, random);
  return body != nullptr && apply(**body, random);
}

// ---- Steps

/// The task that ends the steps of a loop.
template <const OpDef& op>
Task* any_end(Plan& plan, Random& random) {
  return any_task(plan, random, [&](const Task& task) {
    return task.again != nullptr && task.again != again_body_level && node_of(plan, task).op == &op;
  });
}

/// What a mistake between two steps needs to know.
struct BetweenSteps {
  Wrapped real;  // first: Wrapped::run_as and again_as see it
  const BodyPlan* body;
  size_t carried;
  size_t stack;  // an output of the node with a slice of the first result beside what is carried for each step

  static const BetweenSteps& of(const KernelCall& call) { return *static_cast<const BetweenSteps*>(call.params); }
};

/// Puts `instead` in the place of what goes from a scan's step to the next, if the scan `fits`.
template <class Predicate>
bool between_steps(Plan& plan, Random& random, bool (*instead)(const KernelCall& call), Predicate fits) {
  Task* const end = any_end<scan_def>(plan, random);
  if (end == nullptr) return false;
  const ScanForm form(node_of(plan, *end));
  const BodyPlan* const body = body_of(plan, *end);
  if (body == nullptr || !fits(form, *body)) return false;
  const auto carried = static_cast<size_t>(form.carried);
  const std::vector<TensorType>& outputs = node_of(plan, *end).outputs;
  size_t stack = carried;
  if (body->plan().outputs.size() > carried) {
    const size_t bytes = body->plan().outputs[carried].bytes() * static_cast<size_t>(form.length.value());
    while (stack < outputs.size() && bytes_of(outputs[stack]) != bytes) ++stack;
  }
  const auto wrapped =
      std::make_shared<const BetweenSteps>(BetweenSteps{{end->run, end->again, end->params}, body, carried, stack});
  end->run = Wrapped::run_as;
  end->again = instead;
  end->params = wrapped.get();
  plan.kernels.emplace_back().params = wrapped;
  return true;
}

template <const OpDef& op>
bool ends_after_a_step(Plan& plan, Random& random) {
  Task* const end = any_end<op>(plan, random);
  if (!wrap(plan, end, Wrapped::run_as)) return false;
  end->again = [](const KernelCall& call) { return Wrapped::again_as(call) && false; };
  return true;
}

bool step_left_out(Plan& plan, Random& random) {
  return between_steps(
      plan, random,
      [](const KernelCall& call) {
        if (!Wrapped::again_as(call)) return false;
        int64_t& step = BetweenSteps::of(call).body->frame(call.shared).step;
        if (step == 1) ++step;
        return true;
      },
      [](const ScanForm& form, const BodyPlan&) { return form.length.value() > 3; });
}

bool same_draws_in_each_step(Plan& plan, Random& random) {
  return between_steps(
      plan, random,
      [](const KernelCall& call) {
        RunInfo& run = BetweenSteps::of(call).body->frame(call.shared).run;
        const uint64_t seed = run.seed;
        const bool goes_on = Wrapped::again_as(call);
        run.seed = seed;
        return goes_on;
      },
      [](const ScanForm&, const BodyPlan&) { return true; });
}

bool begins_anew_in_each_step(Plan& plan, Random& random) {
  return between_steps(
      plan, random,
      [](const KernelCall& call) {
        if (!Wrapped::again_as(call)) return false;
        const BodyPlan& body = *BetweenSteps::of(call).body;
        body.place_input(call.shared, 0, call.inputs[0]);
        body.bind(call.shared);
        return true;
      },
      [](const ScanForm& form, const BodyPlan&) { return form.carried > 0; });
}

bool sequence_stays(Plan& plan, Random& random) {
  return between_steps(
      plan, random,
      [](const KernelCall& call) {
        if (!Wrapped::again_as(call)) return false;
        const auto& [real, body, carried, stack] = BetweenSteps::of(call);
        body->place_input(call.shared, carried, call.inputs[carried]);
        body->bind(call.shared);
        return true;
      },
      [](const ScanForm& form, const BodyPlan&) { return form.sequences > 0; });
}

bool slices_lie_on_each_other(Plan& plan, Random& random) {
  return between_steps(
      plan, random,
      [](const KernelCall& call) {
        if (!Wrapped::again_as(call)) return false;
        const auto& [real, body, carried, stack] = BetweenSteps::of(call);
        body->place_output(call.shared, carried, call.outputs[stack]);
        body->bind(call.shared);
        return true;
      },
      [](const ScanForm& form, const BodyPlan& body) {
        return body.plan().outputs.size() > static_cast<size_t>(form.carried);
      });
}

// ---- Levels

/// A level that can be left out and loses nothing but results: none that holds the addresses of a loop inside, and none
/// of a while loop.
bool is_plain_level(const Plan& plan, const Task& task) {
  const BodyLevel* const level = level_of(plan, task);
  if (level == nullptr || task.again != nullptr || node_of(plan, task).op == &while_loop_def) return false;
  return std::none_of(level->parts.begin(), level->parts.end(),
                      [&](const BodyLevel::Part& part) { return runs_bodies(level->body->plan(), *part.task); });
}

Task* any_plain_level(Plan& plan, Random& random) {
  return any_task(plan, random, [&](const Task& task) { return is_plain_level(plan, task); });
}

bool level_skipped(Plan& plan, Random& random) {
  return wrap(plan, any_plain_level(plan, random), [](const KernelCall&) {});
}

bool levels_swapped(Plan& plan, Random& random) {
  Task* const task = any_plain_level(plan, random);
  if (task == nullptr || task == &plan.tasks.back()) return false;
  Task& next = *(task + 1);
  if (next.node != task->node || next.run != task->run || !is_plain_level(plan, next)) return false;
  std::swap(task->params, next.params);
  std::swap(task->chunks, next.chunks);
  return true;
}

bool part_of_a_level_left_out(Plan& plan, Random& random) {
  Task* const task = any_plain_level(plan, random);
  if (task == nullptr) return false;
  auto level = std::make_shared<BodyLevel>(*level_of(plan, *task));
  if (level->parts.size() < 2) return false;
  level->chunks = task->chunks = level->parts.back().first_chunk;
  level->parts.pop_back();
  task->params = level.get();
  plan.kernels.emplace_back().params = level;
  return true;
}

bool back_a_level_too_few(Plan& plan, Random& random) {
  Task* const end = any_end<scan_def>(plan, random);
  if (end == nullptr || end->back < 2 || !is_plain_level(plan, *(end - end->back))) return false;
  --end->back;
  return true;
}

// ---- Choices

struct Flipped {
  Wrapped real;
  int inputs;

  /// The same call with another predicate, which is the first input.
  template <class F>
  static auto call(const KernelCall& call, F f) {
    static constexpr uint8_t no = 0, yes = 1;
    const int count = static_cast<const Flipped*>(call.params)->inputs;
    std::vector<const void*> inputs(call.inputs, call.inputs + count);
    inputs[0] = *static_cast<const uint8_t*>(inputs[0]) == 0 ? &yes : &no;
    KernelCall other = call;
    other.inputs = inputs.data();
    return f(other);
  }
};

bool other_branch(Plan& plan, Random& random) {
  const Task* const chosen =
      any_task(plan, random, [&](const Task& task) { return node_of(plan, task).op == &cond_def; });
  if (chosen == nullptr || chosen->commits) return false;  // a late copy has the node of what it copies
  const int node = chosen->node;
  for (Task& task : plan.tasks) {
    if (task.node != node) continue;
    const auto flipped = std::make_shared<const Flipped>(Flipped{{task.run, task.again, task.params}, task.inputs});
    task.run = [](const KernelCall& call) { Flipped::call(call, Wrapped::run_as); };
    if (task.again != nullptr)
      task.again = [](const KernelCall& call) { return Flipped::call(call, Wrapped::again_as); };
    task.params = flipped.get();
    plan.kernels.emplace_back().params = flipped;
  }
  return true;
}

const Mutation mutations[] = {
    {"a scan ends after a step", ends_after_a_step<scan_def>},
    {"a while loop ends after a step", ends_after_a_step<while_loop_def>},
    {"a step is left out", step_left_out},
    {"all steps draw the same numbers", same_draws_in_each_step},
    {"each step reads what the scan began with", begins_anew_in_each_step},
    {"a sequence stays at a slice", sequence_stays},
    {"the slices of an output lie on each other", slices_lie_on_each_other},
    {"a level of a body is skipped", level_skipped},
    {"two levels of a body are swapped", levels_swapped},
    {"a part of a level is left out", part_of_a_level_left_out},
    {"a scan goes back a level too few", back_a_level_too_few},
    {"the other branch of a cond is taken", other_branch},
    {"a read in a body is 64 bytes off", in_a_body<read_64_bytes_off>},
    {"two operands in a body are swapped", in_a_body<operands_swapped>},
    {"two results of a body are swapped", in_a_body<outputs_swapped>},
    {"a constant of a body is stale", in_a_body<stale_constant>},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_loop_mutation)

BOOST_AUTO_TEST_CASE(every_planted_mistake_of_a_loop_is_caught) { check_all_caught(mutations, {.loops = true}); }

BOOST_AUTO_TEST_SUITE_END()
