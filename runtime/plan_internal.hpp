// A plan: everything about running one specialisation of a Program that can be decided beforehand. A run only fills in
// addresses and counts dependencies down.
#pragma once

#include <gradloom/graph/initializer.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/runtime/module_internal.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gradloom::inline v0 {

/// A place in memory: an offset from one of the addresses a run starts with.
struct Address {
  int base = 0;
  size_t offset = 0;
};

/// One step of one node.
struct Task {
  Kernel run = nullptr;
  const void* params = nullptr;
  int64_t chunks = 1;
  bool (*again)(const KernelCall& call) = nullptr;  // as KernelStep's
  int back = 0;
  int inputs_at = 0, outputs_at = 0;  // in Plan::addresses
  int inputs = 0, outputs = 0;
  int64_t shared_offset = -1;  // in the arena
  int node = -1;               // in the plan's module
  int then = -1;               // the task of which each chunk follows the same chunk of this one
  bool follows = false;        // is it such a task? It waits for nothing else
  int dependencies = 0;
  int successors_at = 0, successors = 0;  // in Plan::successors
  double nanoseconds = 0;
  double priority = 0;   // nanoseconds from its start to the end of everything that waits for it
  bool commits = false;  // writes to the State: from the first of these on, a run completes
};

/// An input, parameter or output that a run binds.
struct Slot {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> sizes;
  int base = 0;
  int node = -1;  // in the plan's module

  [[nodiscard]] size_t bytes() const {
    size_t bytes = size_of(dtype);
    for (const int64_t size : sizes) bytes *= static_cast<size_t>(size);
    return bytes;
  }
};

/// A piece of memory that values live in, one after the other. For explain() and the tests.
struct Storage {
  enum class Kind : uint8_t { arena, input, parameter, constant, output };
  Kind kind = Kind::arena;
  size_t bytes = 0;
  Address address;
  std::vector<int> writers, readers;  // nodes, in order
  int first_value_node = -1;
  bool kept = false;  // until the end of the run, when a copy into the State reads it
};

struct Plan {
  std::vector<SymbolBinding> bindings;
  Module module;                    // after all passes
  std::vector<KernelPlan> kernels;  // by node; keeps the tasks' params alive

  std::vector<Task> tasks;  // in an order that a single thread can follow
  std::vector<Address> addresses;
  std::vector<int> successors;
  std::vector<Slot> inputs, parameters, outputs;
  std::vector<std::pair<int, const void*>> constants;  // base -> bytes
  std::vector<Storage> storages;
  int bases = 1;  // base 0 is the arena

  size_t arena_bytes = 0;
  size_t scratch_bytes = 0;  // per worker
  double nanoseconds = 0;    // of all tasks
  double critical_nanoseconds = 0;
  double span_nanoseconds = 0;  // of the longest path, were every task's chunks run at once
  bool updates = false;
  std::string log;  // the passes, for explain()
};

/// May chunks follow chunks, or do tasks wait for tasks only?
enum class Joining : uint8_t { none, chunks };

/// Plans a module whose sizes are all known; for the body of a loop, `calls` is KernelRequest's.
[[nodiscard]] Plan make_plan(Module module, Isa isa, Joining joining = Joining::chunks, int64_t calls = 1);

/// "matmul"; for a region with the ops in it: "region(add, relu)".
[[nodiscard]] std::string kernel_name(const Node& node);

/// What explain() prints of a plan: regions, memory map, task graph.
[[nodiscard]] std::string describe(const Plan& plan);

}  // namespace gradloom::inline v0
