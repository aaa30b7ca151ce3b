#pragma once

#include <gradloom/graph/export.hpp>
#include <gradloom/runtime/state.hpp>

#include <string>

namespace gradloom::inline v0::io {

/// Writes every value of a State, with its seed and step, as a safetensors file (github.com/huggingface/safetensors),
/// which other frameworks read too. The file is whole or as it was before, even if the machine stops: a new one is
/// written and synchronised beside it, then takes its name. Throws Error with the path if that fails, or a name is not
/// UTF-8.
GRADLOOM_API void save(const State& state, const std::string& path);

/// Reads a safetensors file. Seed and step are 0 if another program wrote it. Throws Error with the path and the tensor
/// if the file cannot be read, is damaged, or has a dtype that Gradloom lacks (F16, BF16, ...).
[[nodiscard]] GRADLOOM_API State load(const std::string& path);

}  // namespace gradloom::inline v0::io
