#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/pointwise.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace gradloom::inline v0 {

namespace {

/// The operands of a pointwise op on their way to one dtype and one shape. `selects`: input 0 is a mask and keeps out
/// of the promotion.
class Operands {
 public:
  Operands(const OpDef& op, std::initializer_list<Operand> operands)
      : op_(op), location_(operands.begin()->location()) {
    for (const Operand& operand : operands) {
      if (!operand.is_number() && graph_ == nullptr) graph_ = &operand.tensor().graph();
      operands_.push_back(&operand);
    }
    if (graph_ == nullptr)
      fail("all operands are numbers or empty Tensors", std::string(op.name) + " needs at least one Tensor");
    selects_ = op.inputs.size() == 3 && op.inputs[0] == "condition";
  }

  DType dtype() const {
    bool any = false;
    DType dtype = DType::boolean;
    for (size_t i = first(); i < operands_.size(); ++i) {
      if (operands_[i]->is_number()) continue;
      dtype = any ? promote(dtype, operands_[i]->tensor().dtype()) : operands_[i]->tensor().dtype();
      any = true;
    }
    if (!any) dtype = DType::f32;
    const bool takes_bf16 = op_.pointwise != nullptr && op_.pointwise->isa[0]->loops[static_cast<size_t>(DType::bf16)];
    if (!takes_bf16) dtype = computed_as(dtype);
    for (size_t i = first(); i < operands_.size(); ++i) {
      if (operands_[i]->is_number() && operands_[i]->fractional() && !is_float(dtype)) dtype = DType::f32;
    }
    return dtype;
  }

  Tensor apply(DType dtype, const Attributes& attributes = {}) {
    std::vector<Tensor> tensors;
    for (size_t i = 0; i < operands_.size(); ++i) {
      const DType wanted = i < first() ? DType::boolean : dtype;
      const Operand& operand = *operands_[i];
      if (operand.is_number()) {
        const double value = operand.fractional() ? operand.number() : static_cast<double>(operand.integer());
        tensors.push_back(constant(*graph_, value, wanted, location_));
      } else {
        if (&operand.tensor().graph() != graph_) {
          fail(fmt::format("{} belongs to another graph", operand_name(op_, static_cast<int>(i))),
               std::string(op_.rule));
        }
        tensors.push_back(operand.tensor().dtype() == wanted ? operand.tensor()
                                                             : cast(Operand(operand.tensor(), location_), wanted));
      }
    }
    const Shape shape = common_shape(tensors);
    for (Tensor& tensor : tensors) tensor = broadcast_like(tensor, shape, location_);
    return graph_->add(op_, tensors, attributes, location_);
  }

 private:
  size_t first() const { return selects_ ? 1 : 0; }

  [[noreturn]] void fail(const std::string& problem, const std::string& rule,
                         std::span<const Tensor> tensors = {}) const {
    std::vector<Value> values;
    for (const Tensor& tensor : tensors) values.push_back({tensor.node_id(), tensor.output()});
    throw Error({.problem = problem,
                 .op = std::string(op_.name),
                 .location = to_string(graph_ == nullptr ? location_ : graph_->user_line(location_)),
                 .details = tensors.empty() ? "" : describe_operands(*graph_, op_, values),
                 .rule = rule});
  }

  // NumPy's rule: aligned at the right; of two sizes one is a literal 1, or they are equal. Two sizes that only a
  // binding can compare are left to the op's own shape rule, which notes the constraint.
  Shape common_shape(const std::vector<Tensor>& tensors) const {
    int rank = 0;
    for (const Tensor& tensor : tensors) rank = std::max(rank, tensor.rank());
    std::vector<Dim> dims(static_cast<size_t>(rank), Dim(1));
    for (const Tensor& tensor : tensors) {
      for (int axis = 1; axis <= tensor.rank(); ++axis) {
        Dim& dim = dims[static_cast<size_t>(rank - axis)];
        const Dim& other = tensor.dim(-axis);
        if (dim == other || other == Dim(1)) continue;
        if (dim == Dim(1)) {
          dim = other;
        } else if ((dim - other).known()) {
          fail(
              fmt::format("the sizes {} and {} of axis {} do not broadcast", dim.to_string(), other.to_string(), -axis),
              "sizes broadcast if they are equal or one of them is a literal 1 (a symbol never is)", tensors);
        } else if (other.known()) {
          dim = other;
        }
      }
    }
    return Shape(std::move(dims));
  }

  const OpDef& op_;
  SourceLocation location_;
  Graph* graph_ = nullptr;
  std::vector<const Operand*> operands_;
  bool selects_ = false;
};

TensorType common_type(const ShapeContext& context) {
  const int last = context.input_count() - 1;
  const DType dtype = context.dtype(last);
  const PointwiseKernels& kernels = *context.op().pointwise->isa[0];
  if (kernels.loops[static_cast<size_t>(dtype)] == nullptr) {
    std::string choices;
    for (int i = 0; i < dtype_count; ++i) {
      if (kernels.loops[i] != nullptr)
        choices += (choices.empty() ? "" : ", ") + std::string(to_string(static_cast<DType>(i)));
    }
    context.fail(fmt::format("it takes {}, not {}", choices, to_string(dtype)));
  }
  std::vector<Dim> dims = context.shape(0).dims();
  for (int i = 0; i <= last; ++i) {
    const bool mask = last == 2 && i == 0 && context.op().inputs[0] == "condition";
    if (context.dtype(i) != (mask ? DType::boolean : dtype)) context.fail("the dtypes differ");
    if (context.shape(i).rank() != static_cast<int>(dims.size())) context.fail("the ranks differ");
    for (size_t axis = 0; axis < dims.size(); ++axis) {
      dims[axis] =
          context.require_equal(dims[axis], context.shape(i)[static_cast<int>(axis)], "the sizes of the operands");
    }
  }
  return {dtype, Shape(std::move(dims))};
}

}  // namespace

Tensor pointwise(const OpDef& op, std::initializer_list<Operand> operands, const Attributes& attributes) {
  Operands list(op, operands);
  return list.apply(list.dtype(), attributes);
}

Tensor pointwise_float(const OpDef& op, std::initializer_list<Operand> operands) {
  Operands list(op, operands);
  const DType dtype = list.dtype();
  return list.apply(is_float(dtype) ? dtype : DType::f32);
}

Tensor broadcast_like(const Tensor& x, const Shape& shape, SourceLocation location) {
  return x.shape() == shape ? x : broadcast(Operand(x, location), shape);
}

std::vector<TensorType> pointwise_shape(const ShapeContext& context) { return {common_type(context)}; }

std::vector<TensorType> pointwise_compare_shape(const ShapeContext& context) {
  return {{DType::boolean, common_type(context).shape}};
}

std::vector<Sample> pointwise_samples(int count, std::initializer_list<SampleRange> ranges) {
  std::vector<Sample> samples;
  for (const SampleRange& range : ranges) {
    for (const std::vector<int64_t>& sizes : {std::vector<int64_t>{7}, {3, 5}}) {
      samples.push_back({.inputs = std::vector<SampleInput>(static_cast<size_t>(count), {sizes, range.low, range.high}),
                         .differentiable = range.differentiable});
    }
  }
  return samples;
}

std::vector<Sample> pointwise_samples(int count, double low, double high, bool differentiable) {
  return pointwise_samples(count, {{low, high, differentiable}});
}

}  // namespace gradloom::inline v0
