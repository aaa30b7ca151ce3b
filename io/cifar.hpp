#pragma once

#include <gradloom/io/fashion_mnist.hpp>

#include <string>
#include <string_view>

namespace gradloom::inline v0::io {

/// What the labels of CIFAR-10 stand for (Krizhevsky 2009, Learning multiple layers of features from tiny images).
inline constexpr std::string_view cifar10_classes[10] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                                         "dog",      "frog",       "horse", "ship", "truck"};

/// Reads CIFAR-10's binary files, data_batch_1.bin to data_batch_5.bin or test_batch.bin, in `folder`: images
/// u8 [count, 32, 32, 3], red, green and blue last, and labels i32 [count]. Throws Error with the path if a file cannot
/// be read, is no whole number of images long, or has a label above 9.
[[nodiscard]] GRADLOOM_API ImageSet load_cifar10(const std::string& folder, Split split);

}  // namespace gradloom::inline v0::io
