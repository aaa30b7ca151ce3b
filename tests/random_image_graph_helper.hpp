// Random networks over images, made from a seed: convolutions of every kind, pooling, norms, resizing, attention.
#pragma once

#include "random_graph_helper.hpp"

namespace gradloom::test {

/// The same network for the same seed, with gradients and updates of its parameters. Values stay moderate.
RandomGraph random_image_graph(uint64_t seed);

}  // namespace gradloom::test
