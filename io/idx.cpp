#include <gradloom/io/file_internal.hpp>
#include <gradloom/io/idx.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

namespace gradloom::inline v0::io {

namespace {

// An unsigned integer of sizeof(U) bytes, most significant first.
template <class U>
U big_endian(const char* bytes) {
  U value = 0;
  for (size_t i = 0; i < sizeof(U); ++i) value = static_cast<U>(value << 8 | static_cast<unsigned char>(bytes[i]));
  return value;
}

// Stores the file's Stored elements, which come as the bytes of a Bits, as T.
template <class T, class Stored, class Bits>
void convert(const char* from, const Array& to) {
  for (T& element : to.data<T>()) {
    // NOLINTNEXTLINE(bugprone-signed-char-misuse): these are numbers, and keep their sign
    element = static_cast<T>(std::bit_cast<Stored>(big_endian<Bits>(from)));
    from += sizeof(Bits);
  }
}

struct Element {
  char code;
  size_t size;
  DType dtype;
  void (*convert)(const char*, const Array&);
};

constexpr Element elements[] = {
    {0x08, 1, DType::u8, convert<uint8_t, uint8_t, uint8_t>},
    {0x09, 1, DType::i32, convert<int32_t, int8_t, uint8_t>},
    {0x0B, 2, DType::i32, convert<int32_t, int16_t, uint16_t>},
    {0x0C, 4, DType::i32, convert<int32_t, int32_t, uint32_t>},
    {0x0D, 4, DType::f32, convert<float, float, uint32_t>},
    {0x0E, 8, DType::f64, convert<double, double, uint64_t>},
};

const Element* element_of(char code) {
  for (const Element& element : elements) {
    if (element.code == code) return &element;
  }
  return nullptr;
}

}  // namespace

Array read_idx(const std::string& path) {
  const std::string bytes = read_file(path);
  const Element* const element = bytes.size() < 4 ? nullptr : element_of(bytes[2]);
  if (!element || bytes[0] != 0 || bytes[1] != 0) {
    throw file_error(path, "it is not an IDX file",
                     "an IDX file begins with two zero bytes, the code of an element type, and the number of axes");
  }
  const size_t rank = static_cast<unsigned char>(bytes[3]);
  const size_t header = 4 + 4 * rank;
  if (bytes.size() < header) {
    throw file_error(
        path, fmt::format("its IDX header of {} axes has {} bytes, and the file only {}", rank, header, bytes.size()));
  }
  std::vector<int64_t> sizes;
  auto needed = static_cast<int64_t>(element->size);
  bool overflow = false, none = false;
  for (size_t axis = 0; axis < rank; ++axis) {
    sizes.push_back(big_endian<uint32_t>(bytes.data() + 4 + 4 * axis));
    none |= sizes.back() == 0;
    overflow |= __builtin_mul_overflow(needed, std::max<int64_t>(sizes.back(), 1), &needed);
  }
  if (none) needed = 0;
  if (overflow || static_cast<size_t>(needed) != bytes.size() - header) {
    throw file_error(path, fmt::format("its sizes [{}], of elements of {} bytes, do not fit the {} bytes that follow",
                                       fmt::join(sizes, ", "), element->size, bytes.size() - header));
  }
  Array array = Array::uninitialized(sizes, element->dtype);
  if (element->dtype == DType::u8) {
    if (needed > 0) std::memcpy(array.raw(), bytes.data() + header, static_cast<size_t>(needed));
  } else {
    element->convert(bytes.data() + header, array);
  }
  return array;
}

}  // namespace gradloom::inline v0::io
