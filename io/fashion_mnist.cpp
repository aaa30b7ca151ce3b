#include <gradloom/io/fashion_mnist.hpp>
#include <gradloom/io/file_internal.hpp>
#include <gradloom/io/idx.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace gradloom::inline v0::io {

namespace {

struct Paths {
  std::string images, labels;
};

Paths paths_of(const std::string& folder, Split split, const std::string& prefix) {
  const std::string begin = fmt::format("{}/{}{}", folder, prefix, split == Split::train ? "train" : "t10k");
  return {begin + "-images-idx3-ubyte.gz", begin + "-labels-idx1-ubyte.gz"};
}

Array read_bytes(const std::string& path, int rank, std::string_view what) {
  Array array = read_idx(path);
  if (array.dtype() != DType::u8 || array.rank() != rank) {
    throw file_error(
        path, fmt::format("it holds {}[{}], not {}", to_string(array.dtype()), fmt::join(array.sizes(), ", "), what));
  }
  return array;
}

}  // namespace

ImageSet load_image_set(const std::string& folder, Split split, const std::string& prefix) {
  const Paths paths = paths_of(folder, split, prefix);
  const Array images = read_bytes(paths.images, 3, "images, u8[count, rows, columns]");
  const Array labels = read_bytes(paths.labels, 1, "labels, u8[count]");
  if (labels.size() != images.sizes()[0]) {
    throw file_error(paths.labels, fmt::format("it holds {} labels for {} images", labels.size(), images.sizes()[0]));
  }
  Array wide = Array::uninitialized(labels.sizes(), DType::i32);
  const auto narrow = labels.data<const uint8_t>();
  std::copy(narrow.begin(), narrow.end(), wide.data<int32_t>().begin());
  return {images, wide};
}

bool has_image_set(const std::string& folder, const std::string& prefix) {
  std::error_code none;
  for (const Split split : {Split::train, Split::test}) {
    const Paths paths = paths_of(folder, split, prefix);
    if (!std::filesystem::exists(paths.images, none) || !std::filesystem::exists(paths.labels, none)) return false;
  }
  return true;
}

}  // namespace gradloom::inline v0::io
