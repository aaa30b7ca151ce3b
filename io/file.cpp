#include <gradloom/io/file_internal.hpp>

#include <zlib.h>

#include <cerrno>
#include <memory>
#include <system_error>

namespace gradloom::inline v0::io {

std::string errno_text(int code) { return std::generic_category().message(code); }

Error file_error(std::string_view place, std::string_view problem, std::string_view rule) {
  return Error({.problem = std::string(problem), .location = std::string(place), .rule = std::string(rule)});
}

std::string read_file(const std::string& path) {
  constexpr size_t chunk = size_t{1} << 20;
  errno = 0;
  // zlib hands plain files through as they are.
  const std::unique_ptr<gzFile_s, decltype(&gzclose_r)> file(gzopen(path.c_str(), "rb"), gzclose_r);
  if (!file) throw file_error(path, "it cannot be opened: " + errno_text(errno != 0 ? errno : ENOMEM));
  gzbuffer(file.get(), chunk / 4);
  std::string bytes;
  for (;;) {
    const size_t had = bytes.size();
    bytes.resize(had + chunk);
    const int got = gzread(file.get(), bytes.data() + had, chunk);
    int code = Z_OK;
    const char* const message = gzerror(file.get(), &code);
    // Data that end early are reported as Z_BUF_ERROR, also after a read that got some.
    if (code == Z_ERRNO) throw file_error(path, "it cannot be read: " + errno_text(errno));
    if (code == Z_BUF_ERROR) throw file_error(path, "its gzip'd data end early");
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) {
      throw file_error(path, std::string("its gzip'd data are damaged: ") + message);
    }
    bytes.resize(had + static_cast<size_t>(got));
    if (got == 0) return bytes;
  }
}

}  // namespace gradloom::inline v0::io
