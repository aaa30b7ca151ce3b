// The loss of labellings whose places in a sequence are not known: speech, handwriting.
#pragma once

#include <gradloom/graph/tensor.hpp>
#include <gradloom/nn/losses.hpp>

#include <cstdint>

namespace gradloom::inline v0::nn {

struct CtcOptions {
  int64_t blank = 0;  ///< the class that stands for no label
  /// The mean is that of the sequences (PyTorch divides each loss by the number of its labels first).
  Reduction reduction = Reduction::mean;
  Tensor sample_weight{};      ///< [batch]
  bool zero_infinity = false;  ///< a labelling that cannot be counts as loss 0
};

/// Connectionist temporal classification: -log p(labels | logits), for each sequence of a batch (Graves et al., 2006,
/// "Connectionist Temporal Classification", eq. 2 to 8). A path names a class for every step; without its repetitions,
/// and then without blanks, it is a labelling. p is the sum over the paths that lead to the given one, each with the
/// product of its softmax(logits). Computed from logarithms, hence stable for logits of any size and sequences of any
/// length, in time * (2 * max_length + 1) work a sequence. Gradients of every order.
///
/// logits [time, batch, classes]; labels [batch, max_length], i32 or i64; input_lengths and label_lengths [batch], i32
/// or i64: how many steps and labels of each sequence count. What is beyond them is never looked at, so any padding
/// will do. Labels of none and steps of none are fine.
///
/// A labelling that no path leads to has an infinite loss with a gradient of 0: one that needs more steps than there
/// are (one for each label, and one for a blank between equal neighbours), or with a blank for a label. A weight of 0
/// does not undo that (0 * inf is nan), zero_infinity does.
///
///     // texts as classes 1 to 26, 0 is the blank
///     Tensor scores = nn::dense(nn::lstm(sound, 128).outputs, 27);  // [time, batch, 27]
///     Tensor loss = nn::ctc_loss(scores, text, steps, letters);
///
/// Throws Error if shapes or dtypes do not fit, the number of classes is not known, or the blank is none of them; a run
/// throws Error for a label that is no class, and for lengths that are negative or beyond time and max_length.
[[nodiscard]] GRADLOOM_API Tensor ctc_loss(const Operand& logits, const Tensor& labels, const Tensor& input_lengths,
                                           const Tensor& label_lengths, const CtcOptions& options = {});

}  // namespace gradloom::inline v0::nn
