// Element functions over vectors.
#pragma once

#include <gradloom/ops/kernel_internal.hpp>
