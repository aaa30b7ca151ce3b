#include <gradloom/graph/error.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/metrics.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/ops/argreduce.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/reduce.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace gradloom::inline v0::nn {

Tensor accuracy(const Operand& scores, const Tensor& labels) {
  constexpr std::string_view rule = "accuracy needs scores [..., classes] and labels: integers [...]";
  const SourceScope scope(scores, "accuracy");
  const Tensor& x = scores.tensor();
  if (!labels.valid() || &labels.graph() != &x.graph()) {
    refuse("accuracy", scores, "labels is an empty Tensor or of another graph", {}, rule);
  }
  bool fits = is_integer(labels.dtype()) && x.rank() == labels.rank() + 1;
  for (int axis = 0; fits && axis < labels.rank(); ++axis) fits = may_be_equal(labels.dim(axis), x.dim(axis));
  if (!fits) {
    refuse("accuracy", scores,
           fmt::format("labels {} do not fit scores {}", labels.shape().to_string(), x.shape().to_string()),
           {{"scores", x}, {"labels", labels}}, rule);
  }
  return mean(cast(equal(argmax(x, {.axis = -1}), cast(labels, DType::i64)), DType::f32));
}

namespace {

std::vector<int64_t> class_numbers(const Array& array) {
  switch (array.dtype()) {
    case DType::u8: {
      const auto values = array.to_vector<uint8_t>();
      return {values.begin(), values.end()};
    }
    case DType::i32: {
      const auto values = array.to_vector<int32_t>();
      return {values.begin(), values.end()};
    }
    case DType::i64:
      return array.to_vector<int64_t>();
    default:
      throw Error(
          {.problem = fmt::format("classes are integers, not {}", to_string(array.dtype())), .op = "ConfusionMatrix"});
  }
}

void require_class(int64_t number, int64_t classes) {
  if (number >= 0 && number < classes) return;
  throw Error(
      {.problem = fmt::format("class {} is out of range for {} classes", number, classes), .op = "ConfusionMatrix"});
}

}  // namespace

ConfusionMatrix::ConfusionMatrix(int64_t classes) : classes_(classes) {
  if (classes < 1) throw Error({.problem = fmt::format("{} classes were asked for", classes), .op = "ConfusionMatrix"});
  counts_.resize(static_cast<size_t>(classes * classes));
}

void ConfusionMatrix::add(const Array& labels, const Array& predictions) {
  const std::vector<int64_t> rows = class_numbers(labels), columns = class_numbers(predictions);
  if (rows.size() != columns.size()) {
    throw Error({.problem = fmt::format("there are {} labels and {} predictions", rows.size(), columns.size()),
                 .op = "ConfusionMatrix"});
  }
  for (const int64_t row : rows) require_class(row, classes_);
  for (const int64_t column : columns) require_class(column, classes_);
  for (size_t i = 0; i < rows.size(); ++i) ++counts_[static_cast<size_t>(rows[i] * classes_ + columns[i])];
}

int64_t ConfusionMatrix::count(int64_t label, int64_t prediction) const {
  require_class(label, classes_);
  require_class(prediction, classes_);
  return counts_[static_cast<size_t>(label * classes_ + prediction)];
}

double ConfusionMatrix::accuracy() const {
  int64_t right = 0, all = 0;
  for (int64_t i = 0; i < classes_; ++i) right += count(i, i);
  for (const int64_t n : counts_) all += n;
  return all == 0 ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(right) / static_cast<double>(all);
}

std::string ConfusionMatrix::to_string(std::span<const std::string> names) const {
  if (!names.empty() && static_cast<int64_t>(names.size()) != classes_) {
    throw Error(
        {.problem = fmt::format("there are {} names for {} classes", names.size(), classes_), .op = "ConfusionMatrix"});
  }
  const auto name = [&](int64_t i) { return names.empty() ? std::to_string(i) : names[static_cast<size_t>(i)]; };
  size_t width = 1;
  for (int64_t i = 0; i < classes_; ++i) width = std::max(width, name(i).size());
  for (const int64_t n : counts_) width = std::max(width, std::to_string(n).size());

  std::string text = fmt::format("{:>{}}", "", width);
  for (int64_t column = 0; column < classes_; ++column) text += fmt::format(" {:>{}}", name(column), width);
  for (int64_t row = 0; row < classes_; ++row) {
    text += fmt::format("\n{:>{}}", name(row), width);
    for (int64_t column = 0; column < classes_; ++column) text += fmt::format(" {:>{}}", count(row, column), width);
  }
  return text + "\n";
}

}  // namespace gradloom::inline v0::nn
