#include <gradloom/io/cifar.hpp>
#include <gradloom/io/file_internal.hpp>

#include <fmt/format.h>

#include <vector>

namespace gradloom::inline v0::io {

namespace {

// A label, then three planes of one colour each (https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version").
constexpr size_t pixels = 32 * 32, colours = 3, record = 1 + colours * pixels;

}  // namespace

ImageSet load_cifar10(const std::string& folder, Split split) {
  std::vector<std::string> paths;
  if (split == Split::test) paths = {folder + "/test_batch.bin"};
  for (int i = 1; i <= 5 && split == Split::train; ++i) paths.push_back(fmt::format("{}/data_batch_{}.bin", folder, i));
  std::vector<std::string> files;
  size_t count = 0;
  for (const std::string& path : paths) {
    files.push_back(read_file(path));
    const size_t bytes = files.back().size();
    if (bytes == 0 || bytes % record != 0)
      throw file_error(path, fmt::format("it has {} bytes, no whole number of images of {}", bytes, record));
    count += bytes / record;
  }
  const int64_t n = static_cast<int64_t>(count);
  ImageSet set{Array({n, 32, 32, 3}, DType::u8), Array({n}, DType::i32)};
  uint8_t* image = set.images.data<uint8_t>().data();
  int32_t* label = set.labels.data<int32_t>().data();
  for (size_t f = 0; f < files.size(); ++f) {
    for (size_t at = 0; at < files[f].size(); at += record, image += colours * pixels) {
      const auto byte = [&](size_t i) { return static_cast<uint8_t>(files[f][at + i]); };
      if (byte(0) > 9) throw file_error(paths[f], fmt::format("image {} has the label {}", at / record, byte(0)));
      *label++ = byte(0);
      for (size_t i = 0; i < pixels; ++i) {
        for (size_t c = 0; c < colours; ++c) image[i * colours + c] = byte(1 + c * pixels + i);
      }
    }
  }
  return set;
}

}  // namespace gradloom::inline v0::io
