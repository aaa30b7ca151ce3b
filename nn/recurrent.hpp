// Recurrent networks: cells, which make one step, and layers, which scan a sequence with them.
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>
#include <gradloom/nn/initializers.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gradloom::inline v0::nn {

/// The formulas, for a step with input x and state h (and c), s being the logistic function and . elementwise:
enum class CellKind : uint8_t {
  /// h' = tanh(x W + h U + b) (Elman, 1990, "Finding structure in time").
  rnn,
  /// i, f, o = s(x W + h U + b) with a W, U, b each, g = tanh(x W + h U + b), c' = f . c + i . g, h' = o . tanh(c')
  /// (Hochreiter and Schmidhuber, 1997; Gers, Schmidhuber and Cummins, 2000). With peepholes i and f see p . c too, and
  /// o sees p . c' (Gers and Schmidhuber, 2000, "Recurrent nets that time and count").
  lstm,
  /// r, z = s(x W + h U + b), n = tanh(x W + b + r . (h U + b')), h' = n + z . (h - n) (Cho et al., 2014, with the
  /// reset
  /// gate after the product, as cuDNN and PyTorch have it).
  gru,
};

struct CellOptions {
  bool bias = true;
  /// A second bias in every gate, b' beside h U, as PyTorch and cuDNN have it. The gru's candidate always has one.
  bool recurrent_bias = false;
  bool peepholes = false;  ///< lstm only
  Initializer weight = glorot();
  Initializer recurrent = glorot();
  Initializer bias_init = zeros();
  bool trainable = true;  ///< false freezes the cell
  std::string name{};     ///< the scope of its parameters; empty: "lstm_1", "lstm_2", ...
};

/// What a cell carries from step to step: [..., units].
struct CellState {
  Tensor hidden;
  Tensor cell{};  ///< c of an lstm; else empty
};

/// One step of a recurrent network. The first call makes the parameters: for each gate ("update"; "input", "forget",
/// "candidate", "output"; "reset", "update", "candidate") a scope with "weight" [in, units], "recurrent" [units,
/// units], "bias", "recurrent_bias" and "peephole" [units]. Every call uses the same ones.
class GRADLOOM_API RecurrentCell {
 public:
  /// Throws Error if `units` is not positive, or for peepholes in anything but an lstm.
  RecurrentCell(CellKind kind, int64_t units, CellOptions options = {},
                SourceLocation location = SourceLocation::current());

  /// [..., in], [..., units] -> [..., units]. A state without Tensors is zeros. Throws Error for a last axis of unknown
  /// size or of another size than in the first call, and for a Tensor of another graph.
  CellState operator()(const Operand& x, const CellState& state = {});

  /// The part of a step that needs no state, x W + b for each gate: [..., in] -> [..., units] each. With an axis of
  /// steps in front it is what a layer computes for all steps at once.
  std::vector<Tensor> project(const Operand& x);
  /// The rest of the step.
  [[nodiscard]] CellState step(std::span<const Tensor> projected, const CellState& state) const;
  /// Zeros for inputs [..., in]: [..., units].
  [[nodiscard]] CellState zero_state(const Tensor& x) const;

  [[nodiscard]] CellKind kind() const { return kind_; }
  [[nodiscard]] int64_t units() const { return units_; }

 private:
  struct Gate {
    Tensor weight, recurrent, bias, recurrent_bias, peephole;
  };
  void make_parameters(const Operand& x);

  CellKind kind_;
  int64_t units_;
  CellOptions options_;
  std::vector<Gate> gates_;
};

enum class Direction : uint8_t { forward, backward, both };

struct RecurrentOptions {
  int64_t layers = 1;  ///< each reads the outputs of the one before
  Direction direction = Direction::forward;
  int axis = 0;          ///< of the steps: 0 for [time, batch, in], 1 for [batch, time, in]
  double dropout = 0;    ///< on what goes from layer to layer
  int64_t truncate = 0;  ///< gradients end at multiples of so many steps, see ScanOptions; 0: nowhere
  CellOptions cell{};    ///< of every cell; its name is that of the whole
};

/// What a call may be given beside the sequence.
struct RecurrentInputs {
  /// [time, batch], or [batch, time] with axis 1: true where there is a step. Elsewhere the state stays as it is and
  /// the output is 0, so that sequences of different lengths make a batch.
  Tensor mask{};
  /// One state for each layer (with both directions forward, backward, of each layer); empty: zeros.
  std::vector<CellState> initial{};
};

struct RecurrentResult {
  Tensor outputs;                ///< of the last layer: [time, batch, units], or [..., 2 * units] for both directions
  std::vector<CellState> final;  ///< after the last step, as RecurrentInputs::initial
};

/// A stack of recurrent layers, each a scan of its cells; the projections of its inputs are a product for each gate,
/// for all steps at once.
///
///     nn::Recurrent encode(nn::CellKind::lstm, 256, {.layers = 2, .direction = nn::Direction::both});
///     Tensor y = encode(x).outputs;  // [time, batch, in] -> [time, batch, 512]
class GRADLOOM_API Recurrent {
 public:
  /// Throws Error if `units` or `layers` is not positive or `dropout` is no rate.
  Recurrent(CellKind kind, int64_t units, RecurrentOptions options = {},
            SourceLocation location = SourceLocation::current());

  /// Throws Error unless x is [time, batch, in] (as `axis` has it), the mask boolean, and the initial states as many as
  /// needed.
  RecurrentResult operator()(const Operand& x, const RecurrentInputs& inputs = {});

 private:
  [[nodiscard]] size_t directions() const { return options_.direction == Direction::both ? 2 : 1; }
  void make_cells(Graph& graph);

  CellKind kind_;
  int64_t units_;
  RecurrentOptions options_;
  SourceLocation location_;
  std::vector<RecurrentCell> cells_;
};

/// A fresh stack of layers of a kind applied to x. Errors as those of Recurrent.
[[nodiscard]] GRADLOOM_API RecurrentResult rnn(const Operand& x, int64_t units, RecurrentOptions options = {});
[[nodiscard]] GRADLOOM_API RecurrentResult lstm(const Operand& x, int64_t units, RecurrentOptions options = {});
[[nodiscard]] GRADLOOM_API RecurrentResult gru(const Operand& x, int64_t units, RecurrentOptions options = {});

/// Which steps a sequence of each length has, for RecurrentInputs::mask: lengths [batch] -> [time, batch].
[[nodiscard]] GRADLOOM_API Tensor length_mask(const Operand& lengths, const Dim& time);

}  // namespace gradloom::inline v0::nn
