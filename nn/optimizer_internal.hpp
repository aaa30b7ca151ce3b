// What all optimisers share: which parameters, their gradients, clipping, the slots, the count of steps.
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>
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

class OptimizerBuilder {
 public:
  struct Item {
    Tensor parameter;
    Tensor gradient;
  };

  /// Differentiates and clips. The builder holds the optimiser's scope open: whatever is built while it lives is named
  /// and located as part of it. The options are those of every optimiser, see optimizers.hpp.
  template <class Options>
  OptimizerBuilder(std::string_view name, const Operand& loss, const Options& options)
      : OptimizerBuilder(name, loss, options.learning_rate, options.parameters) {
    clip(options.clip_value, options.clip_global_norm);
  }

  [[nodiscard]] const std::vector<Item>& items() const { return items_; }
  /// The number of this step, from 1, as an f64 scalar.
  [[nodiscard]] Tensor step_number();
  /// As an f64 scalar.
  [[nodiscard]] Tensor learning_rate();
  /// A value that is kept between steps, beside the parameter: "adam/dense_1/weight/m".
  [[nodiscard]] Tensor slot(const Tensor& parameter, std::string_view name, double initial = 0);
  void update(const Tensor& parameter, const Tensor& value) { updates_.push_back({parameter, value}); }
  /// Everything handed to update(), and the count of steps if it was used.
  [[nodiscard]] std::vector<Update> finish();

 private:
  OptimizerBuilder(std::string_view name, const Operand& loss, const Schedule& schedule,
                   const std::vector<Tensor>& parameters);
  void clip(double value, double global_norm);
  [[nodiscard]] const Tensor& step();

  std::string name_;
  Operand loss_;
  Graph& graph_;
  Schedule schedule_;
  std::vector<Item> items_;  // before scope_: nodes of the backward pass keep the lines of the forward pass
  SourceScope scope_;
  Tensor step_;  // empty until it is needed
  std::vector<Update> updates_;
};

}  // namespace gradloom::inline v0::nn
