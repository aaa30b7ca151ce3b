#include <gradloom/runtime/fused_frame_internal.hpp>

#include <algorithm>

namespace gradloom::inline v0 {

FusedFrameLayout::FusedFrameLayout(const FusedProgram& program) {
  tail = cache_aligned(program.cells.size() * sizeof(FusedCell));
  bases = tail + cache_aligned(program.tail.size() * sizeof(FusedCell));
  blocks = bases + cache_aligned(program.places.size() * sizeof(void*));
  end = blocks + cache_aligned(program.scratch_bytes);
}

FusedFrame::FusedFrame(const FusedProgram& program, const FusedFrameLayout& layout, void* scratch, Parts parts)
    : program_(program),
      parts_(parts),
      cells_(reinterpret_cast<FusedCell*>(static_cast<std::byte*>(scratch) + layout.cells)),
      tail_(reinterpret_cast<FusedCell*>(static_cast<std::byte*>(scratch) + layout.tail)),
      bases_(reinterpret_cast<void**>(static_cast<std::byte*>(scratch) + layout.bases)),
      blocks_(static_cast<std::byte*>(scratch) + layout.blocks) {
  if (parts.whole) std::copy(program.cells.begin(), program.cells.end(), cells_);
  if (parts.tail) std::copy(program.tail.begin(), program.tail.end(), tail_);
  for (size_t i = 0; i < program.places.size(); ++i) {
    bases_[i] = program.places[i].kind == FusedPlace::Kind::block ? blocks_ + program.places[i].offset : nullptr;
  }
}

void FusedFrame::bind() {
  for (const auto& [cell, place] : program_.uses) {
    if (parts_.whole) cells_[cell].base = bases_[place];
    if (parts_.tail) tail_[cell].base = program_.place(place).is_stream() ? stand_in(place) : bases_[place];
  }
}

void FusedFrame::rebind(int place, const void* base) {
  set(place, base);
  for (const int cell : program_.cells_of[static_cast<size_t>(place)]) point(cell, bases_[place]);
}

// A kernel that writes over one of its inputs has the line in the cache anyway, and a caller's memory may be unaligned.
void FusedFrame::choose_stores(const KernelCall& call) {
  if (!parts_.whole) return;
  for (const auto& [cell, place] : program_.streaming) {
    const void* const output = call.outputs[program_.place(place).index];
    bool past_caches = reinterpret_cast<uintptr_t>(output) % 64 == 0;
    for (const int other : program_.input_streams) {
      if (call.inputs[program_.place(other).index] == output) past_caches = false;
    }
    if (!past_caches) cells_[cell].run = program_.kernels->step(FusedStep::store);
  }
}

}  // namespace gradloom::inline v0
