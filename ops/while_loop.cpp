// while_loop: a body repeated for as long as it says so.
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/ops/body_internal.hpp>
#include <gradloom/ops/cond.hpp>
#include <gradloom/ops/scan.hpp>
#include <gradloom/ops/while_loop.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0 {

namespace {

constexpr std::string_view rule =
    "while_loop carries at least one value, which its body returns in its shape and dtype, and needs a condition that "
    "is a boolean scalar";

const TensorType flag_type{DType::boolean, {}};

std::vector<TensorType> shape(const ShapeContext& context) {
  const Subgraph& body = *context.attributes().get<std::shared_ptr<const Subgraph>>("body");
  const int64_t carried = context.attributes().get<int64_t>("carried");
  const std::vector<Tensor> inputs = body.graph.inputs();
  // The body's inputs are the operands without the flag.
  if (carried < 1 || static_cast<int>(inputs.size()) != context.input_count() - 1 ||
      static_cast<int64_t>(inputs.size()) < carried || static_cast<int64_t>(body.outputs.size()) != carried + 1) {
    context.fail("the body has not as many inputs and outputs as values are carried");
  }
  if (context.input(static_cast<int>(carried)) != flag_type || type_of(body.outputs.back()) != flag_type) {
    context.fail("the condition is no boolean scalar");
  }
  std::vector<TensorType> outputs;
  for (int i = 0; i < static_cast<int>(inputs.size()); ++i) {
    const TensorType& inside = type_of(inputs[static_cast<size_t>(i)]);
    const TensorType& given = context.input(i < carried ? i : i + 1);
    if (given.dtype != inside.dtype || given.shape.rank() != inside.shape.rank()) {
      context.fail(fmt::format("operand {} is {}, the body takes {}", i, to_string(given), to_string(inside)));
    }
    for (int axis = 0; axis < given.shape.rank(); ++axis) {
      (void)context.require_equal(given.shape[axis], inside.shape[axis],
                                  "the sizes of an operand and of the body's input");
    }
    if (i >= carried) continue;
    const TensorType& next = type_of(body.outputs[static_cast<size_t>(i)]);
    if (next != inside) {
      context.fail(fmt::format("carried value {} is {}, after a step {}", i, to_string(inside), to_string(next)));
    }
    outputs.push_back(inside);
  }
  return outputs;
}

class WhileBuilder {
 public:
  WhileBuilder(LoopCondition condition, LoopBody body, const std::vector<Tensor>& initial, SourceLocation location)
      : condition_(condition), body_(body), initial_(initial), location_(location) {
    if (initial.empty() || !initial[0].valid()) {
      throw Error({.problem = "it is given no Tensor to carry",
                   .op = "while_loop",
                   .location = to_string(location),
                   .rule = std::string(rule)});
    }
  }

  std::vector<Tensor> run(int64_t bound) {
    Graph& graph = initial_[0].graph();
    const BodyTrace outside(graph, "while_loop", location_);
    if (bound < 0) outside.fail(fmt::format("it cannot be bound to {} steps", bound), "a bound is a number of steps");
    const Tensor first = checked_flag(outside, condition_(initial_));
    return bound > 0 ? bounded(outside, first, bound) : unbounded(graph, first);
  }

 private:
  Tensor checked_flag(const BodyTrace& trace, Tensor flag) const {
    if (!flag.valid() || type_of(flag) != flag_type) {
      trace.fail(fmt::format("the condition is {}", flag.valid() ? type_text(flag) : "an empty Tensor"), rule);
    }
    return flag;
  }

  /// The next carried values, and whether there is a further step.
  std::vector<Tensor> step(const BodyTrace& trace, std::span<const Tensor> carried) const {
    std::vector<Tensor> next = body_(carried);
    if (next.size() != initial_.size()) {
      trace.fail(fmt::format("the body returned {} values, {} are carried", next.size(), initial_.size()), rule);
    }
    for (size_t i = 0; i < next.size(); ++i) {
      if (next[i].valid() && type_of(next[i]) == type_of(initial_[i])) continue;
      trace.fail(fmt::format("carried value {} \"{}\" is {}, the body returned {}", i, initial_[i].name(),
                             type_text(initial_[i]), next[i].valid() ? type_text(next[i]) : "an empty Tensor"),
                 rule);
    }
    next.push_back(checked_flag(trace, condition_(next)));
    return next;
  }

  std::vector<Tensor> bounded(const BodyTrace& trace, const Tensor& first, int64_t bound) const {
    ScanOptions options{.carried = initial_, .length = bound};
    options.carried.push_back(first);
    ScanResult result = scan(
        [&](std::span<const Tensor> carried, std::span<const Tensor>) {
          return ScanStep{cond(
              Operand(carried.back(), location_), [&] { return step(trace, carried.first(initial_.size())); },
              [&] { return std::vector<Tensor>(carried.begin(), carried.end()); })};
        },
        options, location_);
    result.carried.pop_back();
    return result.carried;
  }

  std::vector<Tensor> unbounded(Graph& graph, const Tensor& first) const {
    BodyTrace trace(graph, "while_loop", location_);
    std::vector<Tensor> arguments;
    std::vector<std::string> names;
    for (size_t i = 0; i < initial_.size(); ++i) {
      arguments.push_back(trace.argument(type_of(initial_[i])));
      names.push_back(fmt::format("carried_{}", i));
    }
    const std::vector<Tensor> results = step(trace, arguments);
    trace.finish(results);
    const std::vector<Tensor> constants = trace.captured(results);
    std::vector<Tensor> operands = initial_;
    operands.push_back(first);
    operands.insert(operands.end(), constants.begin(), constants.end());
    const std::shared_ptr<const Subgraph> body = trace.extract(results, names, constants);
    const Tensor made = graph.add(while_loop_def, operands,
                                  {{"body", body}, {"carried", static_cast<int64_t>(initial_.size())}}, location_);
    std::vector<Tensor> last;
    for (int i = 0; i < made.node().output_count(); ++i) last.push_back(graph.tensor(made.node_id(), i));
    return last;
  }

  LoopCondition condition_;
  LoopBody body_;
  const std::vector<Tensor>& initial_;
  SourceLocation location_;
};

}  // namespace

const OpDef while_loop_def{.name = "while_loop",
                           .inputs = {"operand"},
                           .variadic = true,
                           .rule = rule,
                           .shape = shape,
                           .no_gradient = "how many steps it makes is known only in a run; give it a bound",
                           .properties = {.runs_bodies = true}};

std::vector<Tensor> while_loop(LoopCondition condition, LoopBody body, const std::vector<Tensor>& initial,
                               const WhileOptions& options, SourceLocation location) {
  return WhileBuilder(condition, body, initial, location).run(options.bound);
}

}  // namespace gradloom::inline v0
