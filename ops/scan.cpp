// scan: a body graph applied along an axis. What it means is in the header; how it runs is the runtime's.
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/body_internal.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/mod.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/scan_gradient_internal.hpp>
#include <gradloom/ops/scan_internal.hpp>
#include <gradloom/ops/stop_gradient.hpp>
#include <gradloom/ops/where.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace gradloom::inline v0 {

ScanForm::ScanForm(const Node& node)
    : body(node.attributes.get<std::shared_ptr<const Subgraph>>("body")),
      carried(static_cast<int>(node.attributes.get<int64_t>("carried"))),
      sequences(static_cast<int>(node.attributes.get<int64_t>("sequences"))),
      constants(static_cast<int>(node.inputs.size()) - carried - sequences),
      reverse(node.attributes.get<bool>("reverse")),
      length(node.attributes.get<Dim>("length")) {}

Attributes ScanForm::attributes() const {
  return {{"body", body},
          {"carried", int64_t{carried}},
          {"sequences", int64_t{sequences}},
          {"reverse", reverse},
          {"length", length}};
}

void store_values(Subgraph& body, int carried) {
  const auto store = [&](const Tensor& value) {
    const bool known = std::any_of(body.outputs.begin() + carried, body.outputs.end(),
                                   [&](const Tensor& t) { return same(t, value); });
    if (!known) body.outputs.push_back(value);
  };
  const std::vector<Tensor> inputs = body.graph.inputs();
  for (int i = 0; i < carried; ++i) store(inputs[static_cast<size_t>(i)]);
  for (int id = 0; id < body.graph.node_count(); ++id) {
    const Node& node = body.graph.node(id);
    if (is_input(node) || is_recomputed(node)) continue;
    for (int i = 0; i < node.output_count(); ++i) store(body.graph.tensor(id, i));
  }
}

namespace {

/// Requires that an operand has the type that the body's input stands for.
void check_operand(const ShapeContext& context, int operand, const TensorType& inside, int dropped_axes) {
  const TensorType& given = context.input(operand);
  if (given.dtype != inside.dtype || given.shape.rank() != inside.shape.rank() + dropped_axes) {
    context.fail(fmt::format("operand {} is {}, the body takes {}", operand, to_string(given), to_string(inside)));
  }
  for (int axis = 0; axis < inside.shape.rank(); ++axis) {
    (void)context.require_equal(given.shape[axis + dropped_axes], inside.shape[axis],
                                "the sizes of an operand and of the body's input");
  }
}

std::vector<TensorType> shape(const ShapeContext& context) {
  const Attributes& attributes = context.attributes();
  const Subgraph& body = *attributes.get<std::shared_ptr<const Subgraph>>("body");
  const int64_t carried = attributes.get<int64_t>("carried"), sequences = attributes.get<int64_t>("sequences");
  Dim length = attributes.get<Dim>("length");
  if (length.known() && length.value() < 0) context.fail(fmt::format("it would make {} steps", length.to_string()));
  const std::vector<Tensor> inputs = body.graph.inputs();
  if (static_cast<int>(inputs.size()) != context.input_count()) {
    context.fail(fmt::format("{} operands given, the body takes {}", context.input_count(), inputs.size()));
  }
  if (carried < 0 || sequences < 0 || carried + sequences > context.input_count() ||
      carried > static_cast<int64_t>(body.outputs.size())) {
    context.fail("the body has not as many inputs and outputs as values are carried and sliced");
  }
  std::vector<TensorType> outputs;
  for (int i = 0; i < context.input_count(); ++i) {
    const TensorType& inside = type_of(inputs[static_cast<size_t>(i)]);
    const bool is_sequence = i >= carried && i < carried + sequences;
    check_operand(context, i, inside, is_sequence ? 1 : 0);
    if (is_sequence) length = context.require_equal(context.shape(i)[0], length, "the lengths of the sequences");
    if (i >= carried) continue;
    const TensorType& next = type_of(body.outputs[static_cast<size_t>(i)]);
    if (next != inside) {
      context.fail(fmt::format("carried value {} is {}, after a step {}", i, to_string(inside), to_string(next)));
    }
    outputs.push_back(inside);
  }
  for (size_t i = static_cast<size_t>(carried); i < body.outputs.size(); ++i) {
    std::vector<Dim> dims = {attributes.get<Dim>("length")};
    dims.insert(dims.end(), body.outputs[i].shape().begin(), body.outputs[i].shape().end());
    outputs.push_back({body.outputs[i].dtype(), Shape(std::move(dims))});
  }
  return outputs;
}

constexpr std::string_view rule =
    "scan needs a carried value or a sequence, sequences of one length, and a body that returns each carried value in "
    "its shape and dtype";

// ---- the public function

Tensor axis_to_front(const Tensor& x, int axis, SourceLocation location) {
  if (axis == 0) return x;
  std::vector<int64_t> permutation = {axis};
  for (int i = 0; i < x.rank(); ++i) {
    if (i != axis) permutation.push_back(i);
  }
  return transpose(Operand(x, location), permutation);
}

// The axis is one of x's.
Tensor axis_from_front(const Tensor& x, int axis, SourceLocation location) {
  if (axis < 0) axis += x.rank();
  if (axis == 0) return x;
  std::vector<int64_t> permutation;
  for (int i = 1; i < x.rank(); ++i) permutation.push_back(i);
  permutation.insert(permutation.begin() + axis, 0);
  return transpose(Operand(x, location), permutation);
}

class ScanBuilder {
 public:
  ScanBuilder(const ScanOptions& options, SourceLocation location)
      : options_(options), graph_(graph_of(options, location)), location_(location), trace_(graph_, "scan", location) {
    if (options.truncate < 0) {
      trace_.fail(fmt::format("gradients cannot be truncated to {} steps", options.truncate),
                  "truncate is a number of steps, or 0");
    }
    form_.reverse = options.reverse;
    form_.length = options.length;
    for (size_t i = 0; i < options.carried.size(); ++i) {
      if (!options.carried[i].valid()) trace_.fail(fmt::format("carried value {} is an empty Tensor", i), rule);
      operands_.push_back(options.carried[i]);
    }
    // Counts the steps; the last of the carried values.
    if (options.truncate > 0) operands_.push_back(constant(graph_, 0, DType::i64, location));
    form_.carried = static_cast<int>(operands_.size());
    for (size_t i = 0; i < options.sequences.size(); ++i) add_sequence(i);
    form_.sequences = static_cast<int>(options.sequences.size());
    if (form_.length == Dim(-1)) trace_.fail("there is no sequence, and no length is given", rule);
  }

  ScanResult run(ScanBody function) {
    std::vector<Tensor> arguments;
    std::vector<std::string> names;
    const auto carried = static_cast<size_t>(form_.carried);
    for (size_t i = 0; i < operands_.size(); ++i) {
      TensorType type = type_of(operands_[i]);
      if (i >= carried) type.shape = Shape(std::vector<Dim>(type.shape.begin() + 1, type.shape.end()));
      arguments.push_back(trace_.argument(type));
      names.push_back(i < carried ? fmt::format("carried_{}", i) : fmt::format("sequence_{}", i - carried));
    }
    const std::span<const Tensor> given(arguments);
    std::vector<Tensor> entered(arguments.begin(), arguments.begin() + static_cast<std::ptrdiff_t>(carried));
    if (options_.truncate > 0) cut_gradients(entered);
    const ScanStep step =
        function(std::span<const Tensor>(entered).first(options_.carried.size()), given.subspan(carried));
    check_carried(step.carried);
    std::vector<Tensor> results = step.carried;
    if (options_.truncate > 0) results.push_back(arguments[carried - 1] + 1);
    results.insert(results.end(), step.outputs.begin(), step.outputs.end());
    trace_.finish(results);
    for (size_t i = 0; i < step.outputs.size(); ++i) check_axis_of_output(i, step.outputs[i]);
    return add_node(results, names);
  }

 private:
  static Graph& graph_of(const ScanOptions& options, SourceLocation location) {
    for (const std::vector<Tensor>* tensors : {&options.carried, &options.sequences}) {
      for (const Tensor& tensor : *tensors) {
        if (tensor.valid()) return tensor.graph();
      }
    }
    throw Error(
        {.problem = "it is given no Tensor", .op = "scan", .location = to_string(location), .rule = std::string(rule)});
  }

  void add_sequence(size_t i) {
    const Tensor& given = options_.sequences[i];
    if (!given.valid()) trace_.fail(fmt::format("sequence {} is an empty Tensor", i), rule);
    const int rank = given.rank();
    if (options_.axis < -rank || options_.axis >= rank) {
      trace_.fail(fmt::format("sequence {} \"{}\" is {}, which has no axis {}", i, given.name(), type_text(given),
                              options_.axis),
                  rule);
    }
    const int axis = options_.axis < 0 ? options_.axis + rank : options_.axis;
    if (form_.length == Dim(-1)) form_.length = given.dim(axis);
    const Dim difference = given.dim(axis) - form_.length;
    if (difference.known() && difference != Dim(0)) {
      trace_.fail(fmt::format("sequence {} \"{}\" has {} steps, not {}", i, given.name(), given.dim(axis).to_string(),
                              form_.length.to_string()),
                  rule);
    }
    operands_.push_back(axis_to_front(given, axis, location_));
  }

  // The value is the same; a gradient stops at the first step of each window.
  void cut_gradients(std::vector<Tensor>& entered) const {
    const Tensor starts = equal(mod(entered.back(), static_cast<long>(options_.truncate)), 0);
    for (Tensor& value : entered) {
      if (is_float(value.dtype())) value = where(broadcast(starts, value.shape()), stop_gradient(value), value);
    }
  }

  void check_carried(std::span<const Tensor> returned) const {
    if (returned.size() != options_.carried.size()) {
      trace_.fail(
          fmt::format("the body returned {} carried values, {} are carried", returned.size(), options_.carried.size()),
          rule);
    }
    for (size_t i = 0; i < returned.size(); ++i) {
      const Tensor& first = options_.carried[i];
      if (!returned[i].valid() || type_of(returned[i]) == type_of(first)) continue;
      trace_.fail(fmt::format("carried value {} \"{}\" is {}, the body returned {}", i, first.name(), type_text(first),
                              type_text(returned[i])),
                  rule);
    }
  }

  void check_axis_of_output(size_t i, const Tensor& output) const {
    const int rank = output.rank() + 1;
    if (options_.axis >= -rank && options_.axis < rank) return;
    trace_.fail(fmt::format("output {} \"{}\" of each step is {}: side by side they have no axis {}", i, output.name(),
                            type_text(output), options_.axis),
                rule);
  }

  ScanResult add_node(std::span<const Tensor> results, std::span<const std::string> names) {
    const SourceScope scope(graph_, "", location_);
    const std::vector<Tensor> constants = trace_.captured(results);
    const std::shared_ptr<Subgraph> body = trace_.extract(results, names, constants);
    store_values(*body, form_.carried);
    form_.body = body;
    form_.constants = static_cast<int>(constants.size());
    operands_.insert(operands_.end(), constants.begin(), constants.end());
    const Tensor made = graph_.add(scan_def, operands_, form_.attributes(), location_);

    ScanResult result;
    const int carried = static_cast<int>(options_.carried.size());
    for (int i = 0; i < carried; ++i) result.carried.push_back(graph_.tensor(made.node_id(), i));
    const int outputs = static_cast<int>(results.size()) - form_.carried;
    for (int i = 0; i < outputs; ++i) {
      const Tensor stacked = graph_.tensor(made.node_id(), form_.carried + i);
      result.outputs.push_back(axis_from_front(stacked, options_.axis, location_));
    }
    return result;
  }

  const ScanOptions& options_;
  Graph& graph_;
  SourceLocation location_;
  BodyTrace trace_;
  ScanForm form_;
  std::vector<Tensor> operands_;
};

}  // namespace

const OpDef scan_def{.name = "scan",
                     .inputs = {"operand"},
                     .variadic = true,
                     .rule = rule,
                     .shape = shape,
                     .vjp = scan_gradients,
                     .properties = {.runs_bodies = true}};

ScanResult scan(ScanBody body, const ScanOptions& options, SourceLocation location) {
  return ScanBuilder(options, location).run(body);
}

}  // namespace gradloom::inline v0
