#pragma once

#include <gradloom/graph/dtype.hpp>
#include <gradloom/graph/export.hpp>
#include <gradloom/graph/handle.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace gradloom::inline v0 {

struct ArrayStorage;
GRADLOOM_API void retain(ArrayStorage* storage);
GRADLOOM_API void release(ArrayStorage* storage);

/// Concrete data: a dtype, sizes, and 64-byte aligned dense storage, or a view of memory that the caller keeps alive.
/// Copying an Array shares its storage, as in NumPy; `clone()` copies the data. A view of const memory is read-only,
/// and so is every Array made from it but its clones.
class GRADLOOM_API Array {
 public:
  /// An f32 array of no elements.
  Array() = default;
  /// Zeros. Throws Error for a negative size or one that does not fit in memory.
  explicit Array(std::span<const int64_t> sizes, DType dtype = DType::f32);
  // NOLINTNEXTLINE(google-explicit-constructor): the braces hold sizes, not elements, so the name is to be written
  explicit Array(std::initializer_list<int64_t> sizes, DType dtype = DType::f32)
      : Array(std::span<const int64_t>(sizes.begin(), sizes.size()), dtype) {}

  /// As above, but the elements hold anything until they are written: for results, where zeros would cost a pass over
  /// memory.
  [[nodiscard]] static Array uninitialized(std::span<const int64_t> sizes, DType dtype = DType::f32);

  /// A copy of `values`, row-major. Throws Error if their number is not that of the sizes.
  template <class T>
  [[nodiscard]] static Array from(std::span<const T> values, std::span<const int64_t> sizes) {
    return copied(values.data(), values.size(), sizes, dtype_of<T>);
  }
  template <class T>
  [[nodiscard]] static Array from(const std::vector<T>& values, std::initializer_list<int64_t> sizes) {
    return copied(values.data(), values.size(), {sizes.begin(), sizes.size()}, dtype_of<T>);
  }
  /// One axis, as many elements as there are values.
  template <class T>
  [[nodiscard]] static Array from(std::initializer_list<T> values) {
    const int64_t sizes[] = {static_cast<int64_t>(values.size())};
    return copied(values.begin(), values.size(), sizes, dtype_of<T>);
  }
  /// A scalar.
  template <class T>
  [[nodiscard]] static Array scalar(T value) {
    return copied(&value, 1, {}, dtype_of<T>);
  }
  /// The caller's memory, not copied: it must outlive the Array and be aligned for T. Read-only if T is const. Strides
  /// are in elements and may be 0 or negative; none means row-major. Throws Error for wrong sizes or strides, or no
  /// memory.
  template <class T>
  [[nodiscard]] static Array view(T* data, std::span<const int64_t> sizes, std::span<const int64_t> strides = {}) {
    return viewed(const_cast<std::remove_const_t<T>*>(data), sizes, strides, dtype_of<std::remove_const_t<T>>,
                  std::is_const_v<T>);
  }
  template <class T>
  [[nodiscard]] static Array view(T* data, std::initializer_list<int64_t> sizes) {
    return view(data, std::span<const int64_t>(sizes.begin(), sizes.size()));
  }

  /// Copies share the storage. What is moved from has no elements until it is assigned to: reading it throws Error.
  Array(const Array& other);
  Array(Array&& other) noexcept;
  Array& operator=(const Array& other);
  Array& operator=(Array&& other) noexcept;
  ~Array();

  [[nodiscard]] DType dtype() const { return dtype_; }
  [[nodiscard]] const std::vector<int64_t>& sizes() const { return sizes_; }
  /// In elements.
  [[nodiscard]] const std::vector<int64_t>& strides() const { return strides_; }
  [[nodiscard]] int rank() const { return static_cast<int>(sizes_.size()); }
  /// The number of elements.
  [[nodiscard]] int64_t size() const;
  [[nodiscard]] size_t byte_size() const { return static_cast<size_t>(size()) * size_of(dtype_); }
  /// Row-major without gaps? Arrays with storage of their own are.
  [[nodiscard]] bool contiguous() const;
  /// Does no other Array share its storage? False for a view, whose memory is the caller's.
  [[nodiscard]] bool unique() const;
  /// A view of const memory, which nothing may write to?
  [[nodiscard]] bool read_only() const { return read_only_; }

  /// The bytes of the first element, unchecked: whoever writes there looks at read_only() first.
  [[nodiscard]] void* raw() const { return data_; }
  /// The elements, as `data<float>()` or `data<const float>()`. Throws Error if the dtype is not T's, the array is not
  /// contiguous, or it is read-only and T is not const.
  template <class T>
  [[nodiscard]] std::span<T> data() const {
    return {static_cast<T*>(checked(dtype_of<std::remove_const_t<T>>, !std::is_const_v<T>)),
            static_cast<size_t>(size())};
  }
  template <class T>
  [[nodiscard]] std::vector<T> to_vector() const {
    const Array dense = contiguous() ? *this : clone();
    const std::span<const T> values = dense.data<const T>();
    return {values.begin(), values.end()};
  }
  /// One element, as `at<float>({i, j})` or `at<const float>({i, j})`. Throws Error if the dtype, the number of indices
  /// or an index is wrong, or the array is read-only and T is not const.
  template <class T>
  [[nodiscard]] T& at(std::initializer_list<int64_t> indices) const {
    return *static_cast<T*>(element(indices, dtype_of<std::remove_const_t<T>>, !std::is_const_v<T>));
  }
  /// The only element. Throws Error if there is not exactly one, or the dtype is not T's.
  template <class T>
  [[nodiscard]] T item() const {
    return *static_cast<const T*>(only_element(dtype_of<T>));
  }

  /// A dense copy with storage of its own.
  [[nodiscard]] Array clone() const;
  /// The same elements with other sizes; shares the storage. Throws Error if the counts differ or it is not contiguous.
  [[nodiscard]] Array reshaped(std::initializer_list<int64_t> sizes) const;
  /// Rows [begin, end) of the first axis; shares the storage. Throws Error if they are out of range.
  [[nodiscard]] Array rows(int64_t begin, int64_t end) const;
  /// Copies the elements of another array of the same dtype and sizes into this one; the two may overlap. Throws Error
  /// if they differ or this one is read-only.
  void assign(const Array& other) const;

  /// "f32[2, 3]" and the elements in nested brackets, floats with 6 significant digits. Of more than 1000 elements,
  /// only the first and last three along each axis are shown.
  [[nodiscard]] std::string to_string() const;

 private:
  static Array copied(const void* values, size_t count, std::span<const int64_t> sizes, DType dtype);
  static Array viewed(void* data, std::span<const int64_t> sizes, std::span<const int64_t> strides, DType dtype,
                      bool read_only);
  void check_access(DType dtype, bool write) const;
  [[nodiscard]] void* checked(DType dtype, bool write) const;
  [[nodiscard]] void* element(std::initializer_list<int64_t> indices, DType dtype, bool write) const;
  [[nodiscard]] const void* only_element(DType dtype) const;

  DType dtype_ = DType::f32;
  bool read_only_ = false;
  std::vector<int64_t> sizes_ = {0};
  std::vector<int64_t> strides_ = {1};
  void* data_ = nullptr;
  Handle<ArrayStorage> storage_;
};

/// Same dtype, sizes and elements; a nan equals a nan, and 0 equals -0.
[[nodiscard]] GRADLOOM_API bool array_equal(const Array& a, const Array& b);
/// Same dtype and sizes, and |a - b| <= absolute + relative * |b| everywhere; a nan is close to a nan, an infinity to
/// itself.
[[nodiscard]] GRADLOOM_API bool all_close(const Array& a, const Array& b, double relative = 1e-5,
                                          double absolute = 1e-8);
/// Same dtype, sizes and bytes.
[[nodiscard]] GRADLOOM_API bool same_bits(const Array& a, const Array& b);

}  // namespace gradloom::inline v0
