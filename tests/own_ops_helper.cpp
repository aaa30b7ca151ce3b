#include "own_ops_helper.hpp"

#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/pointwise.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>

namespace gradloom::test {

namespace {

std::vector<TensorType> same_type(const ShapeContext& context) { return {context.input(0)}; }

struct Count {
  int64_t elements = 0;
};

KernelPlan plan_not_negative(const KernelRequest& request) {
  KernelPlan plan;
  plan.params = std::make_shared<const Count>(Count{request.output().shape.element_count().value()});
  plan.steps = {{[](const KernelCall& call) {
                   const auto count = static_cast<const Count*>(call.params)->elements;
                   const float* x = static_cast<const float*>(call.inputs[0]);
                   for (int64_t i = 0; i < count; ++i) {
                     if (x[i] < 0) throw std::runtime_error("element " + std::to_string(i) + " is negative");
                   }
                   std::memcpy(call.outputs[0], x, static_cast<size_t>(count) * sizeof(float));
                 },
                 1}};
  plan.nanoseconds = 100'000;  // worth sharing out, so that the parallel path is taken
  return plan;
}

const OpDef not_negative_def{.name = "not_negative",
                             .inputs = {"x"},
                             .rule = "not_negative takes one f32 tensor",
                             .shape = same_type,
                             .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent()}; },
                             .plan = plan_not_negative,
                             .properties = {.may_throw = true}};

std::atomic<int> inside{0}, most_inside{0};

struct Meeting {
  int64_t elements = 0;
  int threads = 0;
  std::chrono::milliseconds wait{}, sleep{};
};

KernelPlan plan_meet(const KernelRequest& request) {
  const int threads = static_cast<int>(request.attributes().get<int64_t>("threads"));
  KernelPlan plan;
  plan.params = std::make_shared<const Meeting>(
      Meeting{request.output().shape.element_count().value(), threads,
              std::chrono::milliseconds(request.attributes().get<int64_t>("wait_ms")),
              std::chrono::milliseconds(request.attributes().get<int64_t>("sleep_ms"))});
  plan.steps = {{[](const KernelCall& call) {
                   const auto& meeting = *static_cast<const Meeting*>(call.params);
                   inside.fetch_add(1);
                   const auto until = std::chrono::steady_clock::now() + meeting.wait;
                   while (most_inside.load() < meeting.threads && std::chrono::steady_clock::now() < until) {
                     int most = most_inside.load();
                     while (most < inside.load() && !most_inside.compare_exchange_weak(most, inside.load())) {
                     }
                     std::this_thread::yield();
                   }
                   inside.fetch_sub(1);
                   if (meeting.sleep.count() > 0) std::this_thread::sleep_for(meeting.sleep);
                   const int64_t begin = chunk_begin(meeting.elements, call.chunks, call.chunk);
                   const int64_t end = chunk_begin(meeting.elements, call.chunks, call.chunk + 1);
                   const float* x = static_cast<const float*>(call.inputs[0]);
                   std::copy(x + begin, x + end, static_cast<float*>(call.outputs[0]) + begin);
                 },
                 threads}};
  plan.nanoseconds = 1'000'000;
  return plan;
}

const OpDef meet_def{.name = "meet",
                     .inputs = {"x"},
                     .rule = "meet takes one f32 tensor",
                     .shape = same_type,
                     .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent()}; },
                     .plan = plan_meet};

std::atomic<int> continued{0}, wrongly_continued{0};

KernelPlan plan_follow(const KernelRequest& request) {
  constexpr int chunks = 16;
  KernelPlan plan;
  plan.params = std::make_shared<const Count>(Count{request.output().shape.element_count().value()});
  plan.scratch_bytes = sizeof(void*);
  plan.steps = {{[](const KernelCall& call) {
                   if (call.continues) {
                     continued.fetch_add(1);
                     if (std::memcmp(call.scratch, &call.params, sizeof call.params) != 0)
                       wrongly_continued.fetch_add(1);
                   }
                   std::memcpy(call.scratch, &call.params, sizeof call.params);
                   const auto count = static_cast<const Count*>(call.params)->elements;
                   const int64_t begin = chunk_begin(count, call.chunks, call.chunk);
                   const int64_t end = chunk_begin(count, call.chunks, call.chunk + 1);
                   const float* x = static_cast<const float*>(call.inputs[0]);
                   std::copy(x + begin, x + end, static_cast<float*>(call.outputs[0]) + begin);
                 },
                 chunks}};
  plan.nanoseconds = 100'000;
  return plan;
}

const OpDef follow_def{.name = "follow",
                       .inputs = {"x"},
                       .rule = "follow takes one f32 tensor",
                       .shape = same_type,
                       .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent()}; },
                       .plan = plan_follow};

const PointwiseKernels twice_kernels{{nullptr, nullptr, nullptr, nullptr,
                                      [](const void* const* inputs, void* output, int64_t n) {
                                        const float* x = static_cast<const float*>(inputs[0]);
                                        float* y = static_cast<float*>(output);
                                        for (int64_t i = 0; i < n; ++i) y[i] = 2 * x[i];
                                      },
                                      nullptr}};
const PointwiseTable twice_table{{&twice_kernels, nullptr, nullptr}};

const OpDef twice_def{.name = "twice",
                      .inputs = {"x"},
                      .rule = "twice takes one f32 tensor",
                      .shape = pointwise_shape,
                      .vjp = [](const Vjp& v) -> Gradients { return {2 * v.cotangent()}; },
                      .pointwise = &twice_table,
                      .reference = [](const double* x) { return 2 * x[0]; }};

}  // namespace

Tensor not_negative(const Operand& x) {
  const Tensor inputs[] = {x.tensor()};
  return x.tensor().graph().add(not_negative_def, inputs, {}, x.location());
}

Tensor meet(const Operand& x, int threads, const MeetOptions& options) {
  const Tensor inputs[] = {x.tensor()};
  return x.tensor().graph().add(
      meet_def, inputs,
      {{"threads", int64_t{threads}}, {"wait_ms", int64_t{options.wait_ms}}, {"sleep_ms", int64_t{options.sleep_ms}}},
      x.location());
}

Tensor follow(const Operand& x) {
  const Tensor inputs[] = {x.tensor()};
  return x.tensor().graph().add(follow_def, inputs, {}, x.location());
}

Followed followed() { return {continued.exchange(0), wrongly_continued.exchange(0)}; }

int threads_that_met() { return most_inside.exchange(0); }

Tensor twice(const Operand& x) { return pointwise(twice_def, {x}); }

}  // namespace gradloom::test
