// Runs a plan on one thread in an order drawn at random from all those that its dependencies allow, down to single
// chunks. A scheduler may pick any of these orders, so all must give the same bits; unlike threads, they come again.
#pragma once

#include "random_graph_helper.hpp"
#include <gradloom/runtime/array.hpp>
#include <gradloom/runtime/plan_internal.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace gradloom::test {

enum class Fusion : uint8_t { off, on };

/// The plan of a Program of this graph, without the passes that may change bits.
Plan plan_of(const RandomGraph& made, Fusion fusion);

/// The outputs of two runs, then the State.
using Results = std::vector<Array>;

/// By a Program that runs the graph as written, on one thread.
Results results_as_written(const RandomGraph& made);

/// By `plan`, in an order that `order_seed` decides. Memory that a run has not written yet holds nans, and there is
/// some to spare around every buffer, so that plans that are wrong by a few bytes harm nothing but their results.
Results results_in_random_order(const Plan& plan, const RandomGraph& made, uint64_t order_seed);

/// Which result differs in a bit, or "".
std::string difference(const Results& a, const Results& b);

}  // namespace gradloom::test
