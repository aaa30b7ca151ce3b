// ctc_loss: the forward variables of Graves et al., 2006, section 4.1, as logarithms. A labelling of n labels is one of
// 2 n + 1 places with a blank around every label. alpha[s] is the probability of all paths so far that have come to
// place s; a step stays, goes on by one place, or skips a blank between labels that differ (eq. 6 and 7). Before the
// first step alpha is 1 at the place before which nothing is skipped, the first blank: from there one step leads to the
// first blank or the first label, as eq. 5 has it.
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/ctc_loss.hpp>
#include <gradloom/nn/loss_internal.hpp>
#include <gradloom/nn/recurrent.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/iota.hpp>
#include <gradloom/ops/logic.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/scan.hpp>
#include <gradloom/ops/softmax.hpp>
#include <gradloom/ops/stop_gradient.hpp>
#include <gradloom/ops/where.hpp>

#include <fmt/format.h>

#include <limits>

namespace gradloom::inline v0::nn {

namespace {

constexpr std::string_view name = "ctc_loss";
constexpr std::string_view rule =
    "ctc_loss needs logits [time, batch, classes], and as i32 or i64 labels [batch, max_length], input_lengths [batch] "
    "and label_lengths [batch]";
constexpr double infinity = std::numeric_limits<double>::infinity();

void check_operands(const Operand& logits, std::initializer_list<Shown> integers, int64_t blank) {
  const Tensor& x = logits.tensor();
  if (x.rank() != 3) refuse(name, logits, fmt::format("logits have {} axes", x.rank()), {{"logits", x}}, rule);
  const Dim& classes = x.dim(2);
  if (!classes.known()) {
    refuse(name, logits, fmt::format("the number of classes, {}, is not known", classes.to_string()), {{"logits", x}},
           rule);
  }
  if (blank < 0 || blank >= classes.value()) {
    refuse(name, logits, fmt::format("blank is {}, of {} classes", blank, classes.to_string()), {{"logits", x}},
           "blank is one of the classes, counted from 0");
  }
  for (const Shown& given : integers) {
    const Tensor& t = given.tensor;
    if (!t.valid() || &t.graph() != &x.graph()) {
      refuse(name, logits, fmt::format("{} is an empty Tensor or of another graph", given.name), {}, rule);
    }
    const auto fail = [&](std::string problem) {
      refuse(name, logits, std::move(problem), {{"logits", x}, given}, rule);
    };
    if (t.dtype() != DType::i32 && t.dtype() != DType::i64)
      fail(fmt::format("{} are {}", given.name, to_string(t.dtype())));
    if (t.rank() != (given.name == "labels" ? 2 : 1) || !may_be_equal(t.dim(0), x.dim(1)))
      fail(fmt::format("{} {} do not fit logits {}", given.name, t.shape().to_string(), x.shape().to_string()));
  }
}

/// The numbers themselves, as i32: looked up in 0, 1, ..., so that one that is not below `size` is an Error as an index
/// is.
Tensor checked(const Tensor& numbers, const Dim& size) {
  return gather(iota(numbers.graph(), {size}, 0, DType::i32), numbers);
}

/// Columns moved to the right by so many, with `value` in front.
Tensor shifted(const Tensor& x, int64_t by, double value) {
  return slice(pad(x, {.low = {0, by}, .value = value}), 1, {0, x.dim(1)});
}

/// log(exp(a) + exp(b) + exp(c)), without overflow. Where all three are -inf it is that, with a gradient of 0.
Tensor log_sum(const Tensor& a, const Tensor& b, const Tensor& c) {
  const Tensor largest = stop_gradient(maximum(maximum(a, b), c));  // its part of the gradient cancels
  const Tensor any = largest > -infinity, from = where(any, largest, 0);
  return largest + log(where(any, exp(a - from) + exp(b - from) + exp(c - from), 1));
}

}  // namespace

Tensor ctc_loss(const Operand& logits, const Tensor& labels, const Tensor& input_lengths, const Tensor& label_lengths,
                const CtcOptions& options) {
  const SourceScope scope(logits, name);
  check_operands(logits, {{"labels", labels}, {"input_lengths", input_lengths}, {"label_lengths", label_lengths}},
                 options.blank);
  const Tensor& x = logits.tensor();
  Graph& graph = x.graph();
  const Dim &time = x.dim(0), &batch = labels.dim(0), &length = labels.dim(1);
  const Tensor is_step = length_mask(checked(input_lengths, time + 1), time);
  const Tensor letters = checked(label_lengths, length + 1);
  // Chosen before it is looked at: nan in the padding must not reach the gradient.
  const Tensor log_probability = log_softmax(where(expand_dims(is_step, 2), x, 0));

  // blank, label, blank, ..., label, blank; labels that do not count are blanks, and lead nowhere that matters.
  const Tensor counts = iota(graph, {1, length}, 1, DType::i32) < expand_dims(letters, 1);
  const Tensor label = checked(where(counts, labels, options.blank), x.dim(2));
  const auto blank = static_cast<double>(options.blank);
  const auto blanks = [&](const Dim& columns) { return full(graph, {batch, columns}, blank, DType::i32); };
  const Tensor places = concat({reshape(stack({blanks(length), label}, 2), {batch, 2 * length}), blanks(1)}, 1);
  const Tensor skips = logical_and(not_equal(places, options.blank), not_equal(places, shifted(places, 2, blank)));

  const Tensor emitted = take_along_axis(log_probability, broadcast(places, {time, batch, places.dim(1)}));
  const Tensor start =
      pad(full(graph, {batch, 1}, 0, log_probability.dtype()), {.high = {0, 2 * length}, .value = -infinity});
  const ScanResult paths = scan(
      [&](std::span<const Tensor> carried, std::span<const Tensor> step) {
        const Tensor& alpha = carried[0];
        const Tensor skipped = where(skips, shifted(alpha, 2, -infinity), -infinity);
        const Tensor next = log_sum(alpha, shifted(alpha, 1, -infinity), skipped) + step[0];
        return ScanStep{{where(expand_dims(step[1], 1), next, alpha)}, {}};
      },
      {.carried = {start}, .sequences = {emitted, is_step}}, logits.location());

  // Paths end at the last label or the blank behind it (eq. 8): the two places of each number of labels side by side.
  const Tensor pairs = reshape(pad(paths.carried[0], {.low = {0, 1}, .value = -infinity}), {batch, length + 1, 2});
  Tensor log_p = squeeze(take_along_axis(logsumexp(pairs, {.axes = {2}}), expand_dims(letters, 1)), {1});
  const Tensor blank_labels = logical_and(counts, equal(label, options.blank));
  log_p = where(sum(blank_labels, {.axes = {1}}) > 0, -infinity, log_p);
  const Tensor losses = options.zero_infinity ? where(equal(log_p, -infinity), 0, -log_p) : -log_p;
  return reduce_losses(name, logits, losses, {options.reduction, options.sample_weight});
}

}  // namespace gradloom::inline v0::nn
