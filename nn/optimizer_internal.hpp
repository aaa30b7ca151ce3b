// What all optimisers share: which parameters, their gradients, clipping, the slots, the count of steps.
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/nn/schedules.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradloom::inline v0::nn {

/// An f64 scalar, computed once and used by parameters of any dtype.
class SharedScalar {
 public:
  explicit SharedScalar(Tensor f64) : f64_(std::move(f64)) {}
  [[nodiscard]] const Tensor& as(DType dtype);

 private:
  Tensor f64_, f32_;
};

/// A parameter as its optimiser sees it.
struct Differentiated {
  Tensor parameter;
  Tensor gradient;
  Tensor value = parameter;  ///< what is computed with: f32 where the parameter is bf16
  Tensor rest{};             ///< of a bf16 parameter, a slot: what rounding left of the value, also bf16
  double rate = 1;           ///< the group's factor of the learning rate
  double decay = 1;

  /// A rate as the parameter's group has it, in the value's dtype.
  [[nodiscard]] Tensor scaled(SharedScalar& shared) const;
  /// The gradient with that of weight_decay / 2 |p|^2 added, as the group has it.
  [[nodiscard]] Tensor decayed(double weight_decay) const;
};

/// The trainable ones among `given`, or if it is empty among the parameters of the loss, with the loss's gradients.
[[nodiscard]] std::vector<Differentiated> differentiate(std::string_view optimizer, const Operand& loss,
                                                        const std::vector<Tensor>& given);

/// `name`, or "name_2", ...: the first that no parameter's scope has.
[[nodiscard]] std::string free_scope(const Graph& graph, std::string_view name);

class OptimizerBuilder {
 public:
  /// Differentiates and clips. The builder holds the optimiser's scope open: whatever is built while it lives is named
  /// and located as part of it. The options are those of every optimiser, see optimizers.hpp.
  template <class Options>
  OptimizerBuilder(std::string_view name, const Operand& loss, const Options& options)
      : OptimizerBuilder(name, loss, options.learning_rate, options.parameters) {
    set_groups(options.groups);
    widen();
    accumulate(options.accumulate);
    clip(options.clip_value, options.clip_global_norm);
  }

  [[nodiscard]] const std::vector<Differentiated>& items() const { return items_; }
  /// The number of this step, from 1, as an f64 scalar.
  [[nodiscard]] Tensor step_number();
  /// As an f64 scalar.
  [[nodiscard]] Tensor learning_rate();
  /// A value that is kept between steps, beside the parameter: "adam/dense_1/weight/m", in the dtype of what is
  /// computed.
  [[nodiscard]] Tensor slot(const Differentiated& item, std::string_view name, double initial = 0);
  /// The same of another shape than the parameter's.
  [[nodiscard]] Tensor slot(const Differentiated& item, std::string_view name, const Shape& shape, double initial = 0);
  /// An f64 scalar that is kept between steps: "nadam/momentum_product".
  [[nodiscard]] Tensor scalar_slot(std::string_view name, double initial);
  void update(const Tensor& slot, const Tensor& value) { updates_.push_back({slot, value}); }
  /// The parameter's new value, in two parts where that is bf16.
  void update(const Differentiated& item, const Tensor& value);
  /// Everything handed to update(), and the count of steps if it was used.
  [[nodiscard]] std::vector<Update> finish();

 private:
  OptimizerBuilder(std::string_view name, const Operand& loss, const Schedule& schedule,
                   const std::vector<Tensor>& parameters);
  void set_groups(const std::vector<ParameterGroup>& groups);
  void widen();
  void accumulate(int64_t steps);
  void clip(double value, double global_norm);
  [[nodiscard]] const Tensor& step();

  std::string name_;
  Operand loss_;
  Graph& graph_;
  Schedule schedule_;
  std::vector<Differentiated> items_;  // before scope_: nodes of the backward pass keep the lines of the forward pass
  SourceScope scope_;
  Tensor step_;  // empty until it is needed
  std::vector<Update> updates_;
  std::vector<Update> accumulation_;  // of gradients, in every step
  Tensor last_;                       // is this the last step of an accumulation? empty: all of them are
};

/// 1 - beta^t in f64. expm1 keeps it exact where beta^t is near 1: 1 - 0.999f is off in its fifth digit.
[[nodiscard]] Tensor bias_correction(double beta, const Tensor& t);

}  // namespace gradloom::inline v0::nn
