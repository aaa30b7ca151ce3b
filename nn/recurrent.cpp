#include <gradloom/graph/error.hpp>
#include <gradloom/nn/recurrent.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/dropout.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/iota.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/scan.hpp>
#include <gradloom/ops/sigmoid.hpp>
#include <gradloom/ops/where.hpp>

#include <fmt/format.h>

#include <optional>

namespace gradloom::inline v0::nn {

namespace {

constexpr std::string_view cell_rule = "a cell needs x [..., in], with in a number that is the same in every call";
constexpr std::string_view layer_rule =
    "a recurrent layer needs x [time, batch, in], a boolean mask [time, batch], and a state for each layer and "
    "direction";

std::string_view name_of(CellKind kind) {
  return kind == CellKind::rnn ? "rnn" : kind == CellKind::lstm ? "lstm" : "gru";
}

std::span<const std::string_view> gates_of(CellKind kind) {
  static constexpr std::string_view rnn[] = {"update"};
  static constexpr std::string_view lstm[] = {"input", "forget", "candidate", "output"};
  static constexpr std::string_view gru[] = {"reset", "update", "candidate"};
  if (kind == CellKind::rnn) return rnn;
  if (kind == CellKind::lstm) return lstm;
  return gru;
}

}  // namespace

// ---- cells

RecurrentCell::RecurrentCell(CellKind kind, int64_t units, CellOptions options, SourceLocation location)
    : kind_(kind), units_(units), options_(std::move(options)) {
  if (units_ <= 0) {
    refuse(name_of(kind_), Operand(units_, location), fmt::format("{} units were asked for", units_), {},
           "a cell has at least one unit");
  }
  if (options_.peepholes && kind_ != CellKind::lstm) {
    refuse(name_of(kind_), Operand(units_, location), "peepholes were asked for", {}, "only an lstm has peepholes");
  }
}

void RecurrentCell::make_parameters(const Operand& x) {
  Graph& graph = x.tensor().graph();
  const Scope scope = options_.name.empty() ? graph.numbered_scope(name_of(kind_)) : graph.scope(options_.name);
  const ParameterOptions options{.dtype = promote(x.tensor().dtype(), DType::f32), .trainable = options_.trainable};
  const auto vector = [&](std::string_view name) {
    return graph.parameter(name, {units_}, options_.bias_init, options, x.location());
  };
  for (const std::string_view name : gates_of(kind_)) {
    const Scope of_gate = graph.scope(name);
    Gate gate;
    gate.weight = graph.parameter("weight", {x.tensor().dim(-1), units_}, options_.weight, options, x.location());
    gate.recurrent = graph.parameter("recurrent", {units_, units_}, options_.recurrent, options, x.location());
    if (options_.bias) gate.bias = vector("bias");
    const bool apart = kind_ == CellKind::gru && name == "candidate";
    if (options_.bias && (options_.recurrent_bias || apart)) gate.recurrent_bias = vector("recurrent_bias");
    if (options_.peepholes && name != "candidate") gate.peephole = vector("peephole");
    gates_.push_back(std::move(gate));
  }
}

std::vector<Tensor> RecurrentCell::project(const Operand& x) {
  const std::string_view name = name_of(kind_);
  if (x.is_number()) refuse(name, x, "x is a number or an empty Tensor", {}, cell_rule);
  const Tensor& input = x.tensor();
  if (input.rank() < 2 || !input.dim(-1).known()) {
    refuse(name, x, input.rank() < 2 ? "x has no batch axis" : "the size of the last axis is not known", {{"x", input}},
           cell_rule);
  }
  if (gates_.empty()) make_parameters(x);
  const Tensor& weight = gates_[0].weight;
  if (&weight.graph() != &input.graph()) {
    refuse(name, x, "its parameters belong to another graph, that of the first call", {{"x", input}}, cell_rule);
  }
  if (input.dim(-1) != weight.dim(0)) {
    refuse(name, x,
           fmt::format("the size of the last axis was {} in the first call, and is {}", weight.dim(0).to_string(),
                       input.dim(-1).to_string()),
           {{"x", input}, {"weight", weight}}, cell_rule);
  }
  const auto at = [&](const Tensor& tensor) { return Operand(tensor, x.location()); };
  std::vector<Tensor> projected;
  for (size_t i = 0; i < gates_.size(); ++i) {
    const Gate& gate = gates_[i];
    Tensor sum = matmul(at(cast(x, weight.dtype())), at(gate.weight));
    if (gate.bias.valid()) {
      // The gru's candidate adds its second bias inside, where the reset gate acts on it.
      const bool apart = kind_ == CellKind::gru && i == 2;
      sum = at(sum) + at(gate.recurrent_bias.valid() && !apart ? at(gate.bias) + at(gate.recurrent_bias) : gate.bias);
    }
    projected.push_back(sum);
  }
  return projected;
}

CellState RecurrentCell::step(std::span<const Tensor> projected, const CellState& state) const {
  const Tensor& h = state.hidden;
  const auto gate = [&](size_t i) { return projected[i] + matmul(h, gates_[i].recurrent); };
  if (kind_ == CellKind::rnn) return {tanh(gate(0))};
  if (kind_ == CellKind::gru) {
    const Tensor reset = sigmoid(gate(0)), update = sigmoid(gate(1));
    Tensor product = matmul(h, gates_[2].recurrent);
    if (gates_[2].recurrent_bias.valid()) product = product + gates_[2].recurrent_bias;
    const Tensor candidate = tanh(projected[2] + reset * product);
    return {candidate + update * (h - candidate)};
  }
  const auto peeped = [&](size_t i, const Tensor& cell) {
    return gates_[i].peephole.valid() ? gate(i) + gates_[i].peephole * cell : gate(i);
  };
  const Tensor input = sigmoid(peeped(0, state.cell)), forget = sigmoid(peeped(1, state.cell));
  const Tensor candidate = tanh(gate(2));
  const Tensor cell = forget * state.cell + input * candidate;
  return {sigmoid(peeped(3, cell)) * tanh(cell), cell};
}

CellState RecurrentCell::zero_state(const Tensor& x) const {
  std::vector<Dim> dims(x.shape().begin(), x.shape().end());
  dims.back() = units_;
  const Tensor zeros = full(x.graph(), Shape(std::move(dims)), 0, promote(x.dtype(), DType::f32));
  return {zeros, kind_ == CellKind::lstm ? zeros : Tensor()};
}

CellState RecurrentCell::operator()(const Operand& x, const CellState& state) {
  const SourceScope scope(x, name_of(kind_));
  const std::vector<Tensor> projected = project(x);
  return step(projected, state.hidden.valid() ? state : zero_state(x.tensor()));
}

// ---- layers

Recurrent::Recurrent(CellKind kind, int64_t units, RecurrentOptions options, SourceLocation location)
    : kind_(kind), units_(units), options_(std::move(options)), location_(location) {
  if (options_.layers <= 0) {
    refuse(name_of(kind_), Operand(units_, location), fmt::format("{} layers were asked for", options_.layers), {},
           "a stack has at least one layer");
  }
  if (!(options_.dropout >= 0 && options_.dropout < 1)) {
    refuse(name_of(kind_), Operand(units_, location), fmt::format("dropout is {}", options_.dropout), {},
           "a rate is at least 0 and less than 1");
  }
  (void)RecurrentCell(kind, units, options_.cell, location);  // checks what all of them are made with
}

void Recurrent::make_cells(Graph& graph) {
  const std::string& name = options_.cell.name;
  const size_t around = graph.path().empty() ? 0 : graph.path().size() + 1;
  const Scope scope = name.empty() ? graph.numbered_scope(name_of(kind_)) : graph.scope(name);
  for (int64_t layer = 0; layer < options_.layers; ++layer) {
    for (size_t direction = 0; direction < directions(); ++direction) {
      CellOptions cell = options_.cell;
      cell.name = fmt::format("{}/layer_{}", graph.path().substr(around), layer + 1);
      if (directions() == 2) cell.name += direction == 0 ? "/forward" : "/backward";
      cells_.emplace_back(kind_, units_, std::move(cell), location_);
    }
  }
}

namespace {

/// One cell over a sequence.
struct Pass {
  RecurrentCell& cell;
  const Tensor& mask;  // or empty
  int axis;
  bool reverse;
  int64_t truncate;
};

struct Passed {
  Tensor outputs;
  CellState final;
};

Passed run(const Pass& pass, const Operand& x, const CellState& initial) {
  std::vector<Tensor> sequences = pass.cell.project(x);
  const size_t gates = sequences.size();
  if (pass.mask.valid()) sequences.push_back(pass.mask);
  std::vector<Tensor> carried = {initial.hidden};
  if (initial.cell.valid()) carried.push_back(initial.cell);
  const ScanResult result = scan(
      [&](std::span<const Tensor> entered, std::span<const Tensor> slices) {
        const CellState before{entered[0], entered.size() > 1 ? entered[1] : Tensor()};
        CellState after = pass.cell.step(slices.first(gates), before);
        Tensor output = after.hidden;
        if (pass.mask.valid()) {
          const Tensor is_step = expand_dims(slices[gates], -1);
          output = where(is_step, output, 0);
          after.hidden = where(is_step, after.hidden, before.hidden);
          if (after.cell.valid()) after.cell = where(is_step, after.cell, before.cell);
        }
        ScanStep step{{after.hidden}, {output}};
        if (after.cell.valid()) step.carried.push_back(after.cell);
        return step;
      },
      {.carried = carried,
       .sequences = sequences,
       .axis = pass.axis,
       .reverse = pass.reverse,
       .truncate = pass.truncate},
      x.location());
  return {result.outputs[0], {result.carried[0], result.carried.size() > 1 ? result.carried[1] : Tensor()}};
}

}  // namespace

RecurrentResult Recurrent::operator()(const Operand& x, const RecurrentInputs& inputs) {
  const std::string_view name = name_of(kind_);
  if (x.is_number()) refuse(name, x, "x is a number or an empty Tensor", {}, layer_rule);
  const Tensor& input = x.tensor();
  const auto fail = [&](std::string problem) { refuse(name, x, std::move(problem), {{"x", input}}, layer_rule); };
  if (input.rank() != 3) fail("x has no axes for time and batch");
  if (options_.axis != 0 && options_.axis != 1) fail(fmt::format("the axis of time cannot be {}", options_.axis));
  if (inputs.mask.valid() && (inputs.mask.rank() != 2 || inputs.mask.dtype() != DType::boolean)) {
    refuse(name, x, "the mask does not fit", {{"x", input}, {"mask", inputs.mask}}, layer_rule);
  }
  const size_t states = static_cast<size_t>(options_.layers) * directions();
  if (!inputs.initial.empty() && inputs.initial.size() != states) {
    fail(fmt::format("{} initial states given, {} needed", inputs.initial.size(), states));
  }
  for (size_t i = 0; i < inputs.initial.size(); ++i) {
    const CellState& state = inputs.initial[i];
    if (!state.hidden.valid()) fail(fmt::format("initial state {} has no hidden Tensor", i));
    if (state.cell.valid() != (kind_ == CellKind::lstm))
      fail(fmt::format("initial state {} has {} cell Tensor", i, state.cell.valid() ? "a" : "no"));
  }
  if (cells_.empty()) make_cells(input.graph());
  const SourceScope scope(input.graph(), "", x.location());

  RecurrentResult result;
  Tensor layer_input = input;
  const Dim batch = input.dim(1 - options_.axis);
  for (int64_t layer = 0; layer < options_.layers; ++layer) {
    if (layer > 0 && options_.dropout > 0) layer_input = dropout(layer_input, options_.dropout);
    std::vector<Tensor> outputs;
    for (size_t direction = 0; direction < directions(); ++direction) {
      RecurrentCell& cell = cells_[result.final.size()];
      const bool reverse = options_.direction == Direction::backward || direction == 1;
      CellState initial;
      if (!inputs.initial.empty()) {
        initial = inputs.initial[result.final.size()];
      } else {
        const Tensor zeros = full(input.graph(), {batch, units_}, 0, promote(input.dtype(), DType::f32), x.location());
        initial = {zeros, kind_ == CellKind::lstm ? zeros : Tensor()};
      }
      Passed passed = run({cell, inputs.mask, options_.axis, reverse, options_.truncate},
                          Operand(layer_input, x.location()), initial);
      outputs.push_back(passed.outputs);
      result.final.push_back(std::move(passed.final));
    }
    layer_input = outputs.size() == 1 ? outputs[0] : concat(outputs, 2);
  }
  result.outputs = layer_input;
  return result;
}

RecurrentResult rnn(const Operand& x, int64_t units, RecurrentOptions options) {
  return Recurrent(CellKind::rnn, units, std::move(options), x.location())(x);
}
RecurrentResult lstm(const Operand& x, int64_t units, RecurrentOptions options) {
  return Recurrent(CellKind::lstm, units, std::move(options), x.location())(x);
}
RecurrentResult gru(const Operand& x, int64_t units, RecurrentOptions options) {
  return Recurrent(CellKind::gru, units, std::move(options), x.location())(x);
}

Tensor length_mask(const Operand& lengths, const Dim& time) {
  const SourceScope scope(lengths, "length_mask");
  const Tensor& length = lengths.tensor();
  return iota(length.graph(), {time, length.dim(0)}, 0, DType::i64) < cast(lengths, DType::i64);
}

}  // namespace gradloom::inline v0::nn
