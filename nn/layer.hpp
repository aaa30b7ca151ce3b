// Layers as values: anything that takes a Tensor and returns one, to be put together like building blocks.
//
//     const auto relu = [](const gl::Tensor& x) { return gl::relu(x); };
//     nn::Layer block = nn::residual(nn::sequential({nn::Dense(64), relu, nn::Dense(64)}, {.name = "block"}));
//     nn::Layer net = nn::sequential({nn::Dense(64), block, block, nn::Dense(10)});  // the two blocks share their
//     weights Tensor scores = net(x);
#pragma once

#include <gradloom/graph/export.hpp>
#include <gradloom/graph/handle.hpp>
#include <gradloom/graph/tensor.hpp>
#include <gradloom/runtime/callback.hpp>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace gradloom::inline v0 {
class Graph;
}

namespace gradloom::inline v0::nn {

struct LayerData;
GRADLOOM_API void retain(LayerData* data);
GRADLOOM_API void release(LayerData* data);

/// A function from Tensor to Tensor that may own parameters: a Dense, a lambda, a combination of others. Copies share
/// the function, and with it the parameters: a Layer used twice has shared weights. (Two Layers made of one Dense that
/// was not called yet have not: make the Layer first, and use that.)
class GRADLOOM_API Layer {
 public:
  template <class F>
  requires(!std::is_same_v<F, Layer> && std::is_invocable_r_v<Tensor, F&, const Tensor&>)
      Layer(F function)  // NOLINT(google-explicit-constructor): a Dense or a lambda is a layer as it stands
      : Layer(Callback<Tensor(const Tensor&)>(std::move(function))) {}

  /// Applies it. Errors inside have the caller's line.
  Tensor operator()(const Operand& x) const;

 private:
  explicit Layer(Callback<Tensor(const Tensor&)> function);
  Handle<LayerData> data_;
};

struct LayerOptions {
  std::string name{};  ///< a scope around the names of all parameters inside; empty: none
};

/// One layer after another.
[[nodiscard]] GRADLOOM_API Layer sequential(std::vector<Layer> layers, LayerOptions options = {});

struct ResidualOptions {
  std::vector<Layer> shortcut{};  ///< what x goes through beside the branch, one after another; none: x stays as it is
  std::string name{};
};

/// shortcut(x) + branch(x) (He et al., 2016, "Deep Residual Learning for Image Recognition").
[[nodiscard]] GRADLOOM_API Layer residual(Layer branch, ResidualOptions options = {});

struct ParallelOptions {
  int axis = -1;
  std::string name{};
};

/// Every branch applied to the same x, their results one after another along an axis (Szegedy et al., 2015, "Going
/// Deeper with Convolutions"). A run computes the branches side by side. Throws Error without a branch.
[[nodiscard]] GRADLOOM_API Layer parallel(std::vector<Layer> branches, ParallelOptions options = {},
                                          SourceLocation location = SourceLocation::current());

/// The trainable parameters of a scope ("encoder" has "encoder/dense_1/weight"), in order of creation: for an
/// optimiser's `parameters`, or for a group of its own rate, which with `learning_rate = 0` is frozen. Throws Error if
/// there are none.
[[nodiscard]] GRADLOOM_API std::vector<Tensor> parameters_under(const Graph& graph, std::string_view scope,
                                                                SourceLocation location = SourceLocation::current());

}  // namespace gradloom::inline v0::nn
