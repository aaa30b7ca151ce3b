// The Fashion-MNIST files as Debian's package dataset-fashion-mnist lays them out.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace peers {

struct LabelledImages {
  size_t count = 0, rows = 0, cols = 0;
  std::vector<float> pixels;  // 0..1
  std::vector<int64_t> labels;
};

inline std::vector<uint8_t> read_gzip(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  if (!file) throw std::runtime_error("cannot open " + path);
  std::vector<uint8_t> bytes;
  std::vector<uint8_t> chunk(1 << 20);
  for (;;) {
    const int got = gzread(file, chunk.data(), static_cast<unsigned>(chunk.size()));
    if (got < 0) {
      gzclose(file);
      throw std::runtime_error("cannot read " + path);
    }
    if (got == 0) break;
    bytes.insert(bytes.end(), chunk.begin(), chunk.begin() + got);
  }
  gzclose(file);
  return bytes;
}

inline uint32_t big_endian_at(const std::vector<uint8_t>& bytes, size_t at) {
  if (at + 4 > bytes.size()) throw std::runtime_error("IDX file too short");
  return uint32_t{bytes[at]} << 24 | uint32_t{bytes[at + 1]} << 16 | uint32_t{bytes[at + 2]} << 8 |
         uint32_t{bytes[at + 3]};
}

// `split` is "train" or "t10k".
inline LabelledImages read_fashion_mnist(const std::string& folder, const std::string& split) {
  const auto images = read_gzip(folder + "/" + split + "-images-idx3-ubyte.gz");
  const auto labels = read_gzip(folder + "/" + split + "-labels-idx1-ubyte.gz");
  if (big_endian_at(images, 0) != 0x803 || big_endian_at(labels, 0) != 0x801)
    throw std::runtime_error("not an IDX file: " + split);
  LabelledImages out;
  out.count = big_endian_at(images, 4);
  out.rows = big_endian_at(images, 8);
  out.cols = big_endian_at(images, 12);
  const size_t pixels = out.count * out.rows * out.cols;
  if (images.size() != 16 + pixels || labels.size() != 8 + out.count || big_endian_at(labels, 4) != out.count)
    throw std::runtime_error("IDX file of the wrong length: " + split);
  out.pixels.resize(pixels);
  for (size_t i = 0; i < pixels; ++i) out.pixels[i] = static_cast<float>(images[16 + i]) / 255.0f;
  out.labels.assign(labels.begin() + 8, labels.end());
  return out;
}

}  // namespace peers
