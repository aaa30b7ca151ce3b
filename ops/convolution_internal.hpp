// The sizes of a convolution, and how it becomes products of windows; shared by the three ops and by regions that
// follow one with more.
#pragma once

#include <gradloom/ops/convolution.hpp>
#include <gradloom/ops/fusible_product_internal.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/reduce_table_internal.hpp>
#include <gradloom/ops/window_product_internal.hpp>

#include <array>
#include <vector>

namespace gradloom::inline v0 {

class Attributes;

/// All of a convolution whose sizes are known; spatial axes that it lacks have size 1 and come first.
struct ConvolutionSizes {
  struct Axis {
    int64_t data = 1, result = 1, kernel = 1, stride = 1, dilation = 1, low = 0;
  };
  int64_t batch = 0, in = 0, out = 0, groups = 1;
  std::array<Axis, kWindowAxes> axes{};
};

/// `data` [batch, spatial..., in], `result` [batch, spatial'..., out], `kernel`: the spatial sizes of the weights.
[[nodiscard]] ConvolutionSizes convolution_sizes(const Attributes& attributes, const std::vector<int64_t>& data,
                                                 const std::vector<int64_t>& result,
                                                 const std::vector<int64_t>& kernel);

/// A product of windows with the lists that its shape points to.
struct OwnedWindowShape {
  WindowShape shape;
  std::vector<WindowTap> taps;
  std::vector<WindowRun> runs;
};

/// The products that make the result of a convolution: one.
[[nodiscard]] std::vector<std::shared_ptr<const OwnedWindowShape>> forward_products(const ConvolutionSizes& sizes);
/// Those that make the gradient of its data: one for each remainder of positions by the strides, since those share
/// their taps.
[[nodiscard]] std::vector<std::shared_ptr<const OwnedWindowShape>> data_gradient_products(
    const ConvolutionSizes& sizes);

/// Is the node, whose sizes are known, one that Winograd's algorithm makes faster? It then gets the attribute
/// "algorithm" = "winograd".
[[nodiscard]] bool suits_winograd(const KernelRequest& request);
[[nodiscard]] std::shared_ptr<FusibleProduct<float>> winograd_product(const KernelRequest& request);
[[nodiscard]] KernelPlan plan_winograd_weight_gradient(const KernelRequest& request);

/// A gradient of weights as a sum over `depths` parts of the positions, each in its place in shared memory.
struct WeightGradientParts {
  int64_t size = 0;    // elements of the gradient
  int64_t depths = 1;  // a power of two
  size_t element_size = 0;
  ReduceCombine combine = nullptr;

  /// As many depths as `most` and memory allow.
  void choose_depths(int64_t most);
  /// Where a depth goes.
  template <class T>
  [[nodiscard]] T* result_of(int64_t depth, const KernelCall& call) const {
    return depths == 1 ? static_cast<T*>(call.outputs[0]) : static_cast<T*>(call.shared) + depth * size;
  }
  /// Appends the step that adds the depths in a tree, if there are several. These parts must live as long as the plan.
  void add_combination(const KernelRequest& request, KernelPlan& plan);
};

/// OpDef::product of the convolution and of the gradient of its data.
extern const ProductTable convolution_table, convolution_data_gradient_table;
[[nodiscard]] KernelPlan plan_convolution_weight_gradient(const KernelRequest& request);

}  // namespace gradloom::inline v0
