// ONNX's operators by the ops that Gradloom has.
#pragma once

#include "onnx/onnx_model_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/runtime/batch.hpp>
#include <gradloom/runtime/state.hpp>

#include <string>
#include <vector>

namespace gradloom::test::onnx {

/// There is no counterpart of an operator, or of an attribute of it, and why.
struct NoCounterpart {
  std::string what;
};

/// A model as a Graph, whose inputs are "0", "1", ... with the values that the case gives. What operators take as a
/// Tensor and Gradloom as a number (shapes, axes) or as a parameter (of layers, of optimisers) is computed while the
/// Graph is built. Throws NoCounterpart.
struct Built {
  Graph graph;
  State state;
  Batch inputs;
  std::vector<Tensor> outputs;
};
Built build(const Model& model, const std::vector<Array>& inputs);

}  // namespace gradloom::test::onnx
