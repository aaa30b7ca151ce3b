// The passes from a user's graph to one that is planned, in their order. Each takes a Module and returns an equivalent
// one; `explain()` prints the graph after each, and each but the first three can be left out by name.
#pragma once

#include <gradloom/runtime/module_internal.hpp>
#include <gradloom/runtime/program.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gradloom::inline v0 {

struct PassOptions {
  Mode mode = Mode::training;
  Isa isa = Isa::baseline;
  const State* constants = nullptr;
  bool narrow = false;  ///< constant weights of f32 are stored as bf16
  bool pairs = false;   ///< products may be of bf16
};

/// What the options ask for, copied out of the user's graph, with the graph's side updates in training mode.
[[nodiscard]] Module snapshot(const CompileOptions& options);
/// by_mode nodes become the input of their mode.
[[nodiscard]] Module select_mode(const Module& module, Mode mode);
/// Parameters that `constants` has become constants, unless the module updates them.
[[nodiscard]] Module bake_constants(const Module& module, const State& constants);
/// Every symbol replaced by its value, so that every size is a number.
[[nodiscard]] Module specialize(const Module& module, std::span<const SymbolBinding> bindings);
/// Formulas that overflow become ones that do not (OpDef::stabilize).
[[nodiscard]] Module stabilize(const Module& module);
/// Identities (OpDef::simplify), constants folded, equal nodes merged.
[[nodiscard]] Module simplify(const Module& module, const PassOptions& options);
/// Scans without the outputs, carried values and operands that nobody reads.
[[nodiscard]] Module prune(const Module& module);
/// Work that does not need the order of a scan's steps is done around it, for all steps at once; and prune().
[[nodiscard]] Module hoist(const Module& module);
/// Scales and shifts for each channel that follow products of constant weights go into the weights and into one bias.
[[nodiscard]] Module fold(const Module& module);
/// Convolutions that Winograd's algorithm makes faster are marked to run by it.
[[nodiscard]] Module choose_winograd(const Module& module, const PassOptions& options);
/// Products of f32 become such of bf16, added as f32; in loops, pack() makes these.
[[nodiscard]] Module halve(const Module& module, const PassOptions& options);
/// Weights that stay the same in all steps of a scan, or in all runs, are packed once for their products.
[[nodiscard]] Module pack(const Module& module, const PassOptions& options);
/// Where a region would read several values that another one computes from fewer, the nodes that compute them are
/// copied, for fuse() to put where they are read.
[[nodiscard]] Module recompute(const Module& module, const PassOptions& options);
/// Pointwise nodes that share an iteration space become one region, broadcasts of its operands included.
[[nodiscard]] Module fuse(const Module& module);
/// What is kept of f32 for long is stored as bf16.
[[nodiscard]] Module narrow(const Module& module);

}  // namespace gradloom::inline v0
