#include <gradloom/io/file_internal.hpp>
#include <gradloom/io/safetensors.hpp>
#include <gradloom/io/safetensors_header_internal.hpp>
#include <gradloom/runtime/state_internal.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace gradloom::inline v0::io {

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian");

namespace {

class File {
 public:
  File(const std::string& path, int flags) : path_(path), descriptor_(open(path.c_str(), flags | O_CLOEXEC)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }

  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
  [[nodiscard]] int descriptor() const { return descriptor_; }

  void write(const void* bytes, size_t size) const {
    const auto* at = static_cast<const std::byte*>(bytes);
    while (size > 0) {
      const ssize_t done = ::write(descriptor_, at, size);
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) throw file_error(path_, "it cannot be written: " + errno_text(errno));
      at += done;
      size -= static_cast<size_t>(done);
    }
  }

  void read(void* bytes, size_t size) const {
    auto* at = static_cast<std::byte*>(bytes);
    while (size > 0) {
      const ssize_t done = ::read(descriptor_, at, size);
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) throw file_error(path_, "it cannot be read: " + errno_text(errno));
      if (done == 0) throw file_error(path_, "it became shorter while it was read");
      at += done;
      size -= static_cast<size_t>(done);
    }
  }

  void synchronize() const {
    if (fsync(descriptor_) != 0) throw file_error(path_, "it cannot be written: " + errno_text(errno));
  }

 private:
  std::string path_;
  int descriptor_;
};

// A name beside `path` that no file has: another thread may be saving, or a crash may have left one.
std::string unused_name(const std::string& path) {
  for (int i = 0;; ++i) {
    std::string name = fmt::format("{}.{}-{}.tmp", path, getpid(), i);
    if (const int made = open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); made >= 0) {
      close(made);
      return name;
    }
    if (errno != EEXIST) throw file_error(path, "it cannot be written: " + errno_text(errno));
  }
}

// A file beside `path` that takes its name by commit(), or vanishes.
class Replacement {
 public:
  explicit Replacement(const std::string& path)
      : path_(path), temporary_(unused_name(path)), file_(temporary_, O_WRONLY) {
    if (!file_.is_open()) throw file_error(path_, "it cannot be written: " + errno_text(errno));
  }
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;
  ~Replacement() {
    if (!committed_) unlink(temporary_.c_str());
  }

  [[nodiscard]] const File& file() const { return file_; }

  void commit() {
    file_.synchronize();
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) {
      throw file_error(path_, "it cannot be replaced: " + errno_text(errno));
    }
    committed_ = true;
    // The new name, too, must survive a crash. Some file systems cannot synchronise a folder; then this does nothing.
    const std::string folder = std::filesystem::path(path_).parent_path().string();
    const File entry(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
    if (entry.is_open()) fsync(entry.descriptor());
  }

 private:
  std::string path_, temporary_;
  File file_;
  bool committed_ = false;
};

int64_t file_size(const File& file, const std::string& path) {
  struct stat status {};
  if (fstat(file.descriptor(), &status) != 0) throw file_error(path, "it cannot be read: " + errno_text(errno));
  if (!S_ISREG(status.st_mode)) throw file_error(path, "it is not a file");
  return status.st_size;
}

// A byte that is neither 0 nor 1 would be undefined behaviour as soon as it is read as a bool.
bool booleans_valid(const Array& array) {
  const auto* const bytes = static_cast<const uint8_t*>(array.raw());
  return std::all_of(bytes, bytes + array.byte_size(), [](uint8_t byte) { return byte <= 1; });
}

}  // namespace

void save(const State& state, const std::string& path) {
  const StateData& data = StateAccess::data(state);
  check_unchanging(data);
  SafetensorsHeader header{.seed = data.seed, .step = data.step};
  for (const auto& [name, value] : data.values) {
    header.entries.push_back({.name = name, .dtype = value.dtype(), .sizes = value.sizes()});
  }
  // The format allows no gaps: with the widest elements first, all are aligned to their size.
  std::stable_sort(header.entries.begin(), header.entries.end(),
                   [](const auto& a, const auto& b) { return size_of(a.dtype) > size_of(b.dtype); });
  int64_t at = 0;
  for (SafetensorsEntry& entry : header.entries) {
    entry.begin = at;
    at += static_cast<int64_t>(data.values.find(entry.name)->second.byte_size());
    entry.end = at;
  }
  const std::string text = write_header(header, path);
  Replacement replacement(path);
  const uint64_t length = text.size();
  replacement.file().write(&length, sizeof length);
  replacement.file().write(text.data(), text.size());
  for (const SafetensorsEntry& entry : header.entries) {
    const Array& value = data.values.find(entry.name)->second;  // dense: a State copies what it is given
    replacement.file().write(value.raw(), value.byte_size());
  }
  replacement.commit();
}

State load(const std::string& path) {
  constexpr int64_t longest_header = 100'000'000;  // the reference implementation's limit
  const File file(path, O_RDONLY);
  if (!file.is_open()) throw file_error(path, "it cannot be opened: " + errno_text(errno));
  const int64_t size = file_size(file, path);
  uint64_t length = 0;
  if (size < static_cast<int64_t>(sizeof length)) {
    throw file_error(path, fmt::format("it is not a safetensors file: it has only {} bytes", size));
  }
  file.read(&length, sizeof length);
  const int64_t rest = size - static_cast<int64_t>(sizeof length);
  if (length > static_cast<uint64_t>(std::min(rest, longest_header))) {
    throw file_error(
        path, fmt::format("it is not a safetensors file, or cut off: its header would be of {} bytes, and {} follow",
                          length, rest));
  }
  std::string text(length, '\0');
  file.read(text.data(), text.size());
  const SafetensorsHeader header = parse_header(text, rest - static_cast<int64_t>(length), path);
  State state({.seed = header.seed});
  state.set_step(header.step);
  for (const SafetensorsEntry& entry : header.entries) {
    const Array value = Array::uninitialized(entry.sizes, entry.dtype);
    file.read(value.raw(), value.byte_size());
    if (entry.dtype == DType::boolean && !booleans_valid(value)) {
      throw file_error(path, fmt::format("\"{}\" has a boolean that is neither 0 nor 1", entry.name));
    }
    // Put there directly: set() would copy it. No run has seen this State's version yet.
    StateAccess::data(state).values.emplace(entry.name, value);
  }
  return state;
}

}  // namespace gradloom::inline v0::io
