// Recurrent layers and loops.
#include "onnx/onnx_call_helper.hpp"
#include <gradloom/nn/recurrent.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/logic.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/scan.hpp>
#include <gradloom/ops/while_loop.hpp>

#include <algorithm>

namespace gradloom::test::onnx {

// ---- layers

namespace {

/// What a name has after its last slash.
std::string last_part(const std::string& name) { return name.substr(name.rfind('/') + 1); }

/// The gates in ONNX's order, by the names that Gradloom gives them. W is [1, gates * units, in], R [1, gates * units,
/// units], B [1, 2 * gates * units]: those of W, then those of R.
Tensors recurrence(Call& c, nn::CellKind kind, const std::vector<std::string>& gates) {
  for (const char* name : {"activations", "clip", "input_forget"}) {
    if (c.attribute(name) != nullptr) throw NoCounterpart{c.node.op + " with " + name};
  }
  if (c.s("direction", "forward") != "forward") throw NoCounterpart{c.node.op + " in other directions"};
  for (size_t k = 4; k < c.in.size(); ++k) {
    if (c.has(k)) throw NoCounterpart{c.node.op + " with lengths, initial states or peepholes"};
  }
  const int64_t units = c.i("hidden_size", 0);
  const int batch_first = static_cast<int>(c.i("layout", 0));
  const size_t before = c.graph.parameters().size();
  nn::Recurrent layer(kind, units, {.axis = batch_first, .cell = {.bias = c.has(3), .recurrent_bias = c.has(3)}});
  const nn::RecurrentResult result = layer(c.x());

  const std::vector<Tensor> parameters = c.graph.parameters();
  for (size_t i = before; i < parameters.size(); ++i) {
    const std::string name = parameters[i].name(), kind_of = last_part(name);
    const auto gate = std::find(gates.begin(), gates.end(), last_part(name.substr(0, name.rfind('/'))));
    int64_t row = (gate - gates.begin()) * units;
    if (kind_of == "recurrent_bias") row += static_cast<int64_t>(gates.size()) * units;
    const Tensor& all = c.in[kind_of == "weight" ? 1 : kind_of == "recurrent" ? 2 : 3];
    c.built.state.set(name, c.value(transpose(squeeze(slice(all, 1, {row, row + units}), {0}))));
  }
  const nn::CellState& last = result.final[0];
  Tensors results = {expand_dims(result.outputs, batch_first == 0 ? 1 : 2), expand_dims(last.hidden, batch_first)};
  if (last.cell.valid()) results.push_back(expand_dims(last.cell, batch_first));
  return results;
}

}  // namespace

Tensors simple_recurrence(Call& c) { return recurrence(c, nn::CellKind::rnn, {"update"}); }

Tensors lstm_recurrence(Call& c) {
  return recurrence(c, nn::CellKind::lstm, {"input", "output", "forget", "candidate"});
}

/// ONNX's reset gate acts on the state unless linear_before_reset is set, Gradloom's on the product with it. In a first
/// step from zeros, without a bias, both are 0.
Tensors gru_recurrence(Call& c) {
  const bool first_only = c.x().dim(static_cast<int>(c.i("layout", 0))) == Dim(1) && !c.has(3);
  if (c.i("linear_before_reset", 0) == 0 && !first_only) throw NoCounterpart{"GRU that resets before the product"};
  return recurrence(c, nn::CellKind::gru, {"update", "reset", "candidate"});
}

// ---- bodies

/// Of opset 8, where every operand has a batch axis in front: one loop for each of the batch.
Tensors scanned(Call& c) {
  for (const char* name : {"directions", "scan_input_axes", "scan_input_directions", "scan_output_axes"}) {
    if (c.attribute(name) != nullptr) throw NoCounterpart{std::string("Scan with ") + name};
  }
  if (c.opset > 8 || c.has(0)) throw NoCounterpart{"Scan with lengths, or without a batch axis"};
  const size_t sequences = static_cast<size_t>(c.i("num_scan_inputs", 1)), states = c.in.size() - 1 - sequences;
  std::vector<Tensors> results;  // of every output, one for each of the batch
  for (int64_t b = 0; b < c.in[1].dim(0).value(); ++b) {
    Tensors own;
    for (size_t k = 1; k < c.in.size(); ++k) own.push_back(squeeze(slice(c.in[k], 0, {b, b + 1}), {0}));
    const auto behind = own.begin() + static_cast<std::ptrdiff_t>(states);
    const ScanResult result = scan(
        [&](std::span<const Tensor> carried, std::span<const Tensor> slices) {
          Tensors arguments(carried.begin(), carried.end());
          arguments.insert(arguments.end(), slices.begin(), slices.end());
          const Tensors made = c.body(arguments);
          const auto outputs = made.begin() + static_cast<std::ptrdiff_t>(states);
          return ScanStep{Tensors(made.begin(), outputs), Tensors(outputs, made.end())};
        },
        {.carried = Tensors(own.begin(), behind), .sequences = Tensors(behind, own.end())});
    Tensors all = result.carried;
    all.insert(all.end(), result.outputs.begin(), result.outputs.end());
    results.resize(all.size());
    for (size_t k = 0; k < all.size(); ++k) results[k].push_back(all[k]);
  }
  Tensors stacked;
  for (const Tensors& of_batch : results) stacked.push_back(stack(of_batch));
  return stacked;
}

namespace {

/// A step's condition, carried values and outputs, from its number and from the condition and values before.
struct LoopStep {
  Tensor condition;
  Tensors carried, outputs;
};
LoopStep step_of(const Call& c, const Tensor& number, const Tensor& condition, std::span<const Tensor> carried) {
  Tensors arguments = {number, condition};
  arguments.insert(arguments.end(), carried.begin(), carried.end());
  const Tensors made = c.body(arguments);
  const auto outputs = made.begin() + 1 + static_cast<std::ptrdiff_t>(carried.size());
  return {made[0], Tensors(made.begin() + 1, outputs), Tensors(outputs, made.end())};
}

/// How many steps the conditions allow is a number of its own, since it makes the outputs' shape: a loop computes it.
Tensors looped_by_ops(const Call& c, const Tensors& initial) {
  Tensors entered = {constant(c.graph, 0, DType::i64), c.in[1]};
  entered.insert(entered.end(), initial.begin(), initial.end());
  const Tensor steps = while_loop([&](auto now) { return logical_and(now[1], now[0] < c.in[0]); },
                                  [&](auto now) {
                                    const LoopStep step = step_of(c, now[0], now[1], now.subspan(2));
                                    Tensors next = {now[0] + 1, step.condition};
                                    next.insert(next.end(), step.carried.begin(), step.carried.end());
                                    return next;
                                  },
                                  entered)[0];
  const ScanResult result = scan(
      [&](std::span<const Tensor> now, std::span<const Tensor>) {
        const LoopStep step = step_of(c, now[0], now[1], now.subspan(2));
        ScanStep next{{now[0] + 1, step.condition}, step.outputs};
        next.carried.insert(next.carried.end(), step.carried.begin(), step.carried.end());
        return next;
      },
      {.carried = entered, .length = c.value(steps).item<int64_t>()});
  Tensors results(result.carried.begin() + 2, result.carried.end());
  results.insert(results.end(), result.outputs.begin(), result.outputs.end());
  return results;
}

/// Step after step in the graph, where the body takes as numbers what it computes from the step's.
Tensors unrolled(const Call& c, const Tensors& initial) {
  LoopStep step{c.in[1], initial, {}};
  std::vector<Tensors> outputs;
  for (int64_t i = 0; i < c.ints_of(0)[0] && c.value(step.condition).item<bool>(); ++i) {
    step = step_of(c, constant(c.graph, static_cast<double>(i), DType::i64), step.condition, step.carried);
    outputs.resize(step.outputs.size());
    for (size_t k = 0; k < outputs.size(); ++k) outputs[k].push_back(step.outputs[k]);
  }
  Tensors results = step.carried;
  for (const Tensors& of_steps : outputs) results.push_back(stack(of_steps));
  return results;
}

}  // namespace

Tensors looped(Call& c) {
  if (!c.has(0) || !c.has(1)) throw NoCounterpart{"Loop without a number of steps or a condition"};
  const Tensors initial(c.in.begin() + 2, c.in.end());
  try {
    return looped_by_ops(c, initial);
  } catch (const NoCounterpart&) {
    return unrolled(c, initial);
  }
}

}  // namespace gradloom::test::onnx
