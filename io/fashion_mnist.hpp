#pragma once

#include <gradloom/graph/export.hpp>
#include <gradloom/runtime/array.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace gradloom::inline v0::io {

/// Where Debian's package dataset-fashion-mnist puts its files.
inline constexpr const char* fashion_mnist_folder = "/usr/share/datasets/fashion-mnist";

/// What the labels of Fashion-MNIST stand for (Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747, table 2).
inline constexpr std::string_view fashion_mnist_classes[10] = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};

/// Labelled grey images.
struct ImageSet {
  Array images;  ///< u8 [count, rows, columns]
  Array labels;  ///< i32 [count]
};

enum class Split : uint8_t { train, test };

/// Reads a data set laid out as MNIST is: the files PREFIXtrain-images-idx3-ubyte.gz, PREFIXtrain-labels-idx1-ubyte.gz,
/// and those with t10k for the test, in `folder`. The sizes are the files'. Throws Error with the path if a file cannot
/// be read, holds no images or labels, or their numbers differ.
[[nodiscard]] GRADLOOM_API ImageSet load_image_set(const std::string& folder, Split split,
                                                   const std::string& prefix = {});

/// Are all four files there?
[[nodiscard]] GRADLOOM_API bool has_image_set(const std::string& folder, const std::string& prefix = {});

}  // namespace gradloom::inline v0::io
