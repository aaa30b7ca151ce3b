#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/einsum.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/rearrange.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/refuse_internal.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

namespace gradloom::inline v0 {

namespace {

/// What names an axis: a letter, or for the axes of `...` a negative number, counted from their last one.
using Label = int;
using Labels = std::vector<Label>;

/// A tensor whose axes are named.
struct Named {
  Tensor tensor;
  Labels labels;
};

bool has(const Labels& labels, Label label) { return std::find(labels.begin(), labels.end(), label) != labels.end(); }

Labels operator+(Labels a, const Labels& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// Those of `labels` that `keep` says yes to.
template <class Keep>
Labels those(const Labels& labels, Keep keep) {
  Labels kept;
  std::copy_if(labels.begin(), labels.end(), std::back_inserter(kept), keep);
  return kept;
}

class Einsum {
 public:
  Einsum(std::string_view equation, const std::vector<Tensor>& operands, SourceLocation location)
      : equation_(equation), tensors_(operands), location_(location) {
    std::erase(equation_, ' ');
  }

  Tensor run() {
    parse();
    Named result = prepared(0);
    for (size_t i = 1; i < operands_.size(); ++i) result = combined(std::move(result), prepared(i), i);
    result = summed(result, those(result.labels, [&](Label l) { return !has(output_, l); }));
    return in_order(result, output_);
  }

 private:
  // ---- the equation

  [[noreturn]] void fail(const std::string& problem) const {
    static const OpDef signature{
        .name = "einsum",
        .inputs = {"operands"},
        .variadic = true,
        .rule = "einsum needs letters for the axes of every operand: \"ij,jk->ik\", \"...ij->...ji\""};
    refuse(signature, tensors_, fmt::format("\"{}\": {}", equation_, problem), location_);
  }

  /// The letters of one operand, or of the result; `...` stands for so many axes.
  Labels labels_of(std::string_view text, int dots) const {
    Labels labels;
    bool seen = false;
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        labels.push_back(c);
      } else if (text.substr(i, 3) == "...") {
        if (seen) fail("there are two ellipses in one list of letters");
        seen = true;
        for (int axis = dots; axis > 0; --axis) labels.push_back(-axis);
        i += 2;
      } else {
        fail(fmt::format("'{}' is no letter", c));
      }
    }
    return labels;
  }

  void parse() {
    const size_t arrow = equation_.find("->");
    std::string_view inputs = std::string_view(equation_).substr(0, arrow);
    std::vector<std::string_view> lists;
    for (;;) {
      const size_t comma = inputs.find(',');
      lists.push_back(inputs.substr(0, comma));
      if (comma == std::string_view::npos) break;
      inputs.remove_prefix(comma + 1);
    }
    if (lists.size() != tensors_.size()) {
      fail(fmt::format("it has {} operands, {} were given", lists.size(), tensors_.size()));
    }
    int most_dots = 0;
    for (size_t i = 0; i < lists.size(); ++i) {
      const int rank = tensors_[i].rank(), letters = static_cast<int>(labels_of(lists[i], 0).size());
      const bool open = lists[i].find("...") != std::string_view::npos;
      if (open ? letters > rank : letters != rank) {
        fail(fmt::format("\"{}\" does not fit operand {} of {} axes", lists[i], i, rank));
      }
      most_dots = std::max(most_dots, open ? rank - letters : 0);
      operands_.push_back({tensors_[i], labels_of(lists[i], open ? rank - letters : 0)});
    }
    if (arrow != std::string::npos) {
      output_ = labels_of(std::string_view(equation_).substr(arrow + 2), most_dots);
      check_output(most_dots);
    } else {
      implicit_output(most_dots);
    }
    measure();
  }

  void check_output(int dots) const {
    for (const Label label : output_) {
      if (std::count(output_.begin(), output_.end(), label) > 1) {
        fail(fmt::format("the result has '{}' twice", static_cast<char>(label)));
      }
      const bool known = label < 0 || std::any_of(operands_.begin(), operands_.end(),
                                                  [&](const Named& n) { return has(n.labels, label); });
      if (!known) fail(fmt::format("the result has '{}', which no operand has", static_cast<char>(label)));
    }
    if (dots > 0 && !has(output_, -1)) fail("the operands have axes of an ellipsis, which the result must have too");
  }

  void implicit_output(int dots) {
    for (int axis = dots; axis > 0; --axis) output_.push_back(-axis);
    std::map<Label, int> times;
    for (const Named& operand : operands_) {
      for (const Label label : operand.labels) times[label] += label > 0 ? 1 : 0;
    }
    for (const auto& [label, n] : times) {
      if (n == 1) output_.push_back(label);
    }
  }

  /// The size of every label. A literal 1 goes together with any other size.
  void measure() {
    for (const Named& operand : operands_) {
      for (size_t axis = 0; axis < operand.labels.size(); ++axis) {
        const Label label = operand.labels[axis];
        const Dim& size = operand.tensor.dim(static_cast<int>(axis));
        const auto [found, fresh] = sizes_.emplace(label, size);
        if (fresh || size == Dim(1)) continue;
        if (found->second == Dim(1)) found->second = size;
        if (const Dim difference = found->second - size; difference.known() && difference != Dim(0)) {
          fail(fmt::format("the sizes of {} differ, {} and {}",
                           label < 0 ? "\"...\"" : fmt::format("'{}'", static_cast<char>(label)),
                           found->second.to_string(), size.to_string()));
        }
      }
    }
  }

  // ---- the tensors

  [[nodiscard]] const Dim& size(Label label) const { return sizes_.at(label); }
  [[nodiscard]] Dim size(const Labels& labels) const {
    Dim product = 1;
    for (const Label label : labels) product = product * size(label);
    return product;
  }
  [[nodiscard]] Shape shape(const Labels& labels) const {
    std::vector<Dim> dims;
    for (const Label label : labels) dims.push_back(size(label));
    return Shape(std::move(dims));
  }

  /// Axes in another order.
  static Tensor in_order(const Named& named, const Labels& labels) {
    if (named.labels == labels) return named.tensor;
    std::vector<int64_t> permutation;
    for (const Label label : labels) {
      permutation.push_back(std::find(named.labels.begin(), named.labels.end(), label) - named.labels.begin());
    }
    return transpose(named.tensor, permutation);
  }

  static Named summed(const Named& named, const Labels& labels) {
    if (labels.empty()) return named;
    ReduceOptions over;
    for (size_t axis = 0; axis < named.labels.size(); ++axis) {
      if (has(labels, named.labels[axis])) over.axes.push_back(static_cast<int64_t>(axis));
    }
    return {sum(named.tensor, over), those(named.labels, [&](Label l) { return !has(labels, l); })};
  }

  /// An operand in the common dtype, with one axis per label, of the label's size.
  Named prepared(size_t i) const {
    DType dtype = tensors_[0].dtype();
    for (const Tensor& tensor : tensors_) dtype = promote(dtype, tensor.dtype());
    dtype = dtype == DType::boolean || dtype == DType::u8 ? DType::i64 : computed_as(dtype);
    Named named{cast(operands_[i].tensor, dtype), operands_[i].labels};
    for (size_t axis = 0; axis < named.labels.size();) {
      const Label label = named.labels[axis];
      if (std::count(named.labels.begin(), named.labels.end(), label) > 1) {
        named = with_diagonal(named, label);
        axis = 0;
      } else {
        ++axis;
      }
    }
    return {broadcast(named.tensor, shape(named.labels)), named.labels};
  }

  /// The first two axes of that label become one, the last.
  Named with_diagonal(const Named& named, Label label) const {
    std::vector<int64_t> rest, twice;
    Labels labels;
    for (size_t axis = 0; axis < named.labels.size(); ++axis) {
      const bool taken = named.labels[axis] == label && twice.size() < 2;
      (taken ? twice : rest).push_back(static_cast<int64_t>(axis));
      if (!taken) labels.push_back(named.labels[axis]);
    }
    for (const int64_t axis : twice) {
      if (!named.tensor.dim(static_cast<int>(axis)).known()) {
        fail(fmt::format("the diagonal of '{}' needs a size that is a number, not {}", static_cast<char>(label),
                         named.tensor.dim(static_cast<int>(axis)).to_string()));
      }
    }
    rest.insert(rest.end(), twice.begin(), twice.end());
    Tensor last = transpose(named.tensor, rest);
    std::vector<Dim> dims = last.shape().dims();
    dims[dims.size() - 2] = dims.back() = size(label);
    labels.push_back(label);
    return {diagonal(broadcast(last, Shape(std::move(dims)))), labels};
  }

  /// A matrix per batch, [batch, rows, columns] or without a batch [rows, columns]; or transposed if the axes already
  /// stand like that.
  struct Matrices {
    Tensor tensor;
    bool transposed;
  };
  [[nodiscard]] Matrices matrices(const Named& named, const Labels& batch, const Labels& rows,
                                  const Labels& columns) const {
    const bool transposed = named.labels == batch + columns + rows && named.labels != batch + rows + columns;
    const Labels &first = transposed ? columns : rows, &second = transposed ? rows : columns;
    std::vector<Dim> dims{size(batch), size(first), size(second)};
    if (batch.empty()) dims.erase(dims.begin());  // a product of two matrices takes more along
    return {reshape(in_order(named, batch + first + second), Shape(std::move(dims))), transposed};
  }

  /// Two operands as one, summed over what neither the result nor a later operand (after number i) needs.
  Named combined(Named a, Named b, size_t i) const {
    const auto needed_later = [&](Label label) {
      return has(output_, label) || std::any_of(operands_.begin() + static_cast<std::ptrdiff_t>(i) + 1, operands_.end(),
                                                [&](const Named& n) { return has(n.labels, label); });
    };
    a = summed(a, those(a.labels, [&](Label l) { return !has(b.labels, l) && !needed_later(l); }));
    b = summed(b, those(b.labels, [&](Label l) { return !has(a.labels, l) && !needed_later(l); }));
    const Labels batch = those(a.labels, [&](Label l) { return has(b.labels, l) && needed_later(l); });
    const Labels inner = those(a.labels, [&](Label l) { return has(b.labels, l) && !needed_later(l); });
    const Labels a_only = those(a.labels, [&](Label l) { return !has(b.labels, l); });
    const Labels b_only = those(b.labels, [&](Label l) { return !has(a.labels, l); });
    if (!inner.empty() && !(a_only.empty() && b_only.empty())) {
      const Matrices lhs = matrices(a, batch, a_only, inner), rhs = matrices(b, batch, inner, b_only);
      const Tensor product =
          matmul(lhs.tensor, rhs.tensor, {.transpose_a = lhs.transposed, .transpose_b = rhs.transposed});
      const Labels labels = batch + a_only + b_only;
      return {reshape(product, shape(labels)), labels};
    }
    // Nothing to contract, or nothing else: a product of elements that broadcast, and a sum that fuses with it.
    const Labels labels = batch + a_only + b_only + inner;
    const auto spread = [&](const Named& named) {
      const Labels own = those(labels, [&](Label l) { return has(named.labels, l); });
      std::vector<Dim> dims;
      for (const Label label : labels) dims.push_back(has(own, label) ? size(label) : Dim(1));
      return reshape(in_order(named, own), Shape(std::move(dims)));
    };
    return summed({spread(a) * spread(b), labels}, inner);
  }

  std::string equation_;
  const std::vector<Tensor>& tensors_;
  SourceLocation location_;
  std::vector<Named> operands_;
  Labels output_;
  std::map<Label, Dim> sizes_;
};

}  // namespace

Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands, SourceLocation location) {
  for (const Tensor& operand : operands) {
    if (operand.valid() && &operand.graph() == &operands[0].graph()) continue;
    throw Error({.problem = "an operand is an empty Tensor or of another graph",
                 .op = "einsum",
                 .location = to_string(location),
                 .rule = "einsum needs Tensors of one graph"});
  }
  if (operands.empty()) {
    throw Error({.problem = "there are no operands",
                 .op = "einsum",
                 .location = to_string(location),
                 .rule = "einsum needs Tensors of one graph"});
  }
  const SourceScope scope(operands[0].graph(), "einsum", location);
  return Einsum(equation, operands, location).run();
}

}  // namespace gradloom::inline v0
