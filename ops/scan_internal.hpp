// What autodiff's rule, the passes and the runtime know of a scan node.
#pragma once

#include <gradloom/graph/node.hpp>
#include <gradloom/graph/subgraph.hpp>
#include <gradloom/ops/scan.hpp>

#include <memory>

namespace gradloom::inline v0 {

/// A scan node taken apart.
struct ScanForm {
  ScanForm() = default;
  explicit ScanForm(const Node& node);

  std::shared_ptr<const Subgraph> body;
  int carried = 0, sequences = 0, constants = 0;
  bool reverse = false;
  Dim length;

  [[nodiscard]] int operands() const { return carried + sequences + constants; }
  [[nodiscard]] int stacked() const { return static_cast<int>(body->outputs.size()) - carried; }
  [[nodiscard]] bool is_sequence(int operand) const { return operand >= carried && operand < carried + sequences; }
  [[nodiscard]] Attributes attributes() const;
};

[[nodiscard]] inline bool is_scan(const Node& node) { return node.op == &scan_def; }

/// Adds an output for every value of the body that a gradient may need of each step: what is entered with, and what is
/// not simply the same again. Those that nobody reads are removed when a Program is compiled.
void store_values(Subgraph& body, int carried);

}  // namespace gradloom::inline v0
