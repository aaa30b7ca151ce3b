#include "io/file_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/io/safetensors.hpp>

#include <boost/test/unit_test.hpp>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <limits>

using namespace gradloom;
using namespace std::string_literals;
using test::message_of;

namespace {

State example() {
  State state({.seed = 0xFFFFFFFFFFFFFFFF});
  state.set_step(123456789012);
  state.set("mask", Array::from({true, false, true}));
  state.set("bytes", Array::from(std::vector<uint8_t>{1, 2, 3}, {3, 1}));
  state.set("i32", Array::scalar(int32_t{-4}));
  state.set("i64", Array::from({INT64_MIN, INT64_MAX}));
  state.set("dense_1/weight", Array::from({1.5f, -0.0f, std::numeric_limits<float>::quiet_NaN()}));
  state.set("bf16", Array::from({BFloat16(1.5F), BFloat16(-3e38F), BFloat16(0x1p-133F)}));
  state.set("f64", Array::from({0.1, std::numeric_limits<double>::denorm_min()}));
  state.set("nothing", Array({0, 5}));
  state.set("größe \"\n", Array({2}));
  return state;
}

// Files of a few hundred bytes, for tests that write one for each.
State small() {
  State state({.seed = 1});
  state.set("w", Array::from({1.5f, 2.5f}));
  state.set("b", Array::from({true}));
  return state;
}

// A file of this header and this many bytes of data, all 1.
std::string file_of(const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(data_bytes, '\1');
}

struct File {
  test::TemporaryFolder folder;
  std::string path = folder / "model.safetensors";

  State load(std::string_view bytes) const {
    test::write_file(path, bytes);
    return io::load(path);
  }
  std::string message(std::string_view bytes) const {
    return message_of([&] { (void)load(bytes); });
  }
  size_t count() const {
    const std::filesystem::directory_iterator files(folder.path());
    return static_cast<size_t>(std::distance(begin(files), end(files)));
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(io_safetensors)

BOOST_AUTO_TEST_CASE(every_bit_comes_back) {
  const File file;
  const State state = example();
  for (int i = 0; i < 2; ++i) {  // the second time it replaces the file
    io::save(state, file.path);
    const State loaded = io::load(file.path);
    BOOST_TEST(loaded.seed() == state.seed());
    BOOST_TEST(loaded.step() == state.step());
    BOOST_TEST((loaded.names() == state.names()));
    for (const std::string& name : state.names()) BOOST_TEST(same_bits(loaded.get(name), state.get(name)), name);
  }
  BOOST_TEST(file.count() == 1u);
  io::save(State(), file.path);
  BOOST_TEST(io::load(file.path).names().empty());
}

BOOST_AUTO_TEST_CASE(the_file_is_as_the_format_says) {
  const File file;
  State state({.seed = 1});
  state.set("b", Array::from({true}));
  state.set("w", Array::from({1.0f, 2.0f}));
  io::save(state, file.path);
  const std::string header = R"({"__metadata__":{"format":"gradloom","seed":"1","step":"0","version":"1"},)"
                             R"("b":{"data_offsets":[8,9],"dtype":"BOOL","shape":[1]},)"
                             R"("w":{"data_offsets":[0,8],"dtype":"F32","shape":[2]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  BOOST_TEST(test::file_bytes(file.path) == file_of(padded, 0) + "\0\0\x80\x3F\0\0\0\x40\1"s);
}

BOOST_AUTO_TEST_CASE(files_of_other_programs_are_read) {
  const File file;
  const State state = file.load(file_of(R"({"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                                        R"("__metadata__":{"format":"pt","step":"many"}}   )",
                                        2));
  BOOST_TEST(state.step() == 0);
  BOOST_TEST((state.get("x").to_vector<uint8_t>() == std::vector<uint8_t>{1, 1}));
  BOOST_TEST(file.load(file_of("{}", 0)).names().empty());
}

BOOST_AUTO_TEST_CASE(a_file_cut_anywhere_is_an_error) {
  const File file;
  io::save(small(), file.path);
  const std::string whole = test::file_bytes(file.path);
  for (size_t length = 0; length < whole.size(); ++length) {
    BOOST_TEST(file.message(whole.substr(0, length)).starts_with(file.path + ": "), length);
  }
}

BOOST_AUTO_TEST_CASE(a_changed_byte_of_the_header_is_an_error_or_another_state) {
  const File file;
  io::save(small(), file.path);
  const std::string whole = test::file_bytes(file.path);
  uint64_t length = 0;
  std::memcpy(&length, whole.data(), 8);
  for (size_t at = 0; at < 8 + length; ++at) {
    for (const char other : {'9', '"', '\xFF'}) {
      std::string changed = whole;
      changed[at] = other;
      const std::string message = file.message(changed);
      BOOST_TEST((message == "nothing was thrown" || message.starts_with(file.path + ": ")), message);
    }
  }
}

BOOST_AUTO_TEST_CASE(damaged_files_are_errors) {
  const File file;
  const std::string at = file.path + ": ";
  const auto tensor = [](const char* dtype, const char* shape, const char* offsets) {
    return R"("x":{"dtype":")"s + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  };
  const auto message = [&](const std::string& json, size_t data_bytes) {
    return file.message(file_of(json, data_bytes));
  };

  BOOST_TEST(file.message("1234567") == at + "it is not a safetensors file: it has only 7 bytes");
  BOOST_TEST(
      file.message(std::string(8, '\xFF') + "{}") ==
      at + "it is not a safetensors file, or cut off: its header would be of 18446744073709551615 bytes, and 2 follow");
  BOOST_TEST(message("{", 0) == at + "its header is not JSON");
  BOOST_TEST(message("", 0) == at + "its header is not JSON");
  BOOST_TEST(message("{} x", 0) == at + "its header is not JSON");
  BOOST_TEST(message("{\"\xFF\": 1}", 0) == at + "its header is not JSON");
  BOOST_TEST(message(std::string(100'000, '['), 0) == at + "its header is not JSON");
  BOOST_TEST(message("[]", 0) == at + "its header is not a JSON object");
  BOOST_TEST(message("{" + tensor("U8", "[1]", "[0,1]") + "," + tensor("U8", "[1]", "[0,1]") + "}", 1) ==
             at + "it has \"x\" twice");
  BOOST_TEST(message(R"({"x":1})", 0) == at + "\"x\" is not a JSON object");
  BOOST_TEST(message(R"({"":1})", 0) == at + "it has a tensor without a name");
  BOOST_TEST(message(R"({"x":{}})", 0) == at + "\"x\" has no \"dtype\"");
  BOOST_TEST(message(R"({"x":{"dtype":3}})", 0) == at + "\"x\" has no \"dtype\"");
  BOOST_TEST(message("{" + tensor("F16", "[1]", "[0,2]") + "}", 2) ==
             at + "\"x\" has the dtype F16\n  Gradloom reads BOOL, U8, I32, I64, BF16, F32, F64");
  BOOST_TEST(message(R"({"x":{"dtype":"U8"}})", 0) == at + "\"x\" has no list \"shape\"");
  BOOST_TEST(message("{" + tensor("U8", "3", "[0,3]") + "}", 3) == at + "\"x\" has no list \"shape\"");
  BOOST_TEST(message(R"({"x":{"dtype":"U8","shape":[1]}})", 1) == at + "\"x\" has no list \"data_offsets\"");
  for (const char* bad : {"-1", "1.0", "null", "9223372036854775808", "\"1\""}) {
    BOOST_TEST(message("{" + tensor("U8", ("["s + bad + "]").c_str(), "[0,1]") + "}", 1) ==
               at + "\"x\" has " + bad + " in its \"shape\"");
  }
  BOOST_TEST(message("{" + tensor("U8", "[1]", "[0,1,2]") + "}", 1) == at + "\"x\" has 3 \"data_offsets\", not 2");
  BOOST_TEST(message("{" + tensor("U8", "[1]", "[1,0]") + "}", 1) ==
             at + "\"x\" lies at bytes 1 to 0 of the 1 there are");
  BOOST_TEST(message("{" + tensor("U8", "[2]", "[0,2]") + "}", 1) ==
             at + "\"x\" lies at bytes 0 to 2 of the 1 there are");
  BOOST_TEST(message("{" + tensor("F32", "[1,2]", "[0,4]") + "}", 4) == at + "\"x\" is f32[1, 2], but has 4 bytes");
  BOOST_TEST(message("{" + tensor("F64", "[4294967296,4294967296]", "[0,0]") + "}", 0) ==
             at + "\"x\" is f64[4294967296, 4294967296], but has 0 bytes");
  BOOST_TEST(message("{" + tensor("F64", "[0,4294967296,4294967296]", "[0,0]") + "}", 0) ==
             at + "\"x\" is f64[0, 4294967296, 4294967296], but has 0 bytes");
  BOOST_TEST(message("{" + tensor("U8", "[1]", "[1,2]") + "}", 2) == at + "bytes 0 to 1 belong to no tensor");
  BOOST_TEST(message("{" + tensor("U8", "[1]", "[0,1]") + "}", 3) == at + "bytes 1 to 3 belong to no tensor");
  BOOST_TEST(message("{" + tensor("U8", "[2]", "[0,2]") + R"(,"y":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                     3) == at + "\"x\" and \"y\" overlap");
  BOOST_TEST(file.message(file_of("{" + tensor("BOOL", "[1]", "[0,1]") + "}", 0) + "\2") ==
             at + "\"x\" has a boolean that is neither 0 nor 1");
  BOOST_TEST(message(R"({"__metadata__":3})", 0) == at + "its metadata are not a JSON object");
  BOOST_TEST(message(R"({"__metadata__":{"format":"gradloom","version":"2"}})", 0) ==
             at + "it is of version \"2\"\n  this Gradloom reads version \"1\"");
  for (const char* bad : {"\"-1\"", "\"9223372036854775808\"", "\"\"", "\"1x\"", "1"}) {
    BOOST_TEST(message(R"({"__metadata__":{"format":"gradloom","version":"1","step":)"s + bad + "}}", 0) ==
               at + "its metadata \"step\" is no number");
  }
}

BOOST_AUTO_TEST_CASE(files_that_cannot_be_had_are_errors) {
  const File file;
  BOOST_TEST(message_of([&] { (void)io::load(file.path); }) ==
             file.path + ": it cannot be opened: No such file or directory");
  BOOST_TEST(message_of([&] { (void)io::load(file.folder.path()); }) == file.folder.path() + ": it is not a file");
  const std::string nowhere = file.folder / "none/model";
  BOOST_TEST(message_of([&] { io::save(example(), nowhere); }) ==
             nowhere + ": it cannot be written: No such file or directory");
  const std::string folder = file.folder / "folder";
  std::filesystem::create_directory(folder);
  BOOST_TEST(message_of([&] { io::save(example(), folder); }) == folder + ": it cannot be replaced: Is a directory");
  State state;
  state.set("\xFF", Array({1}));
  BOOST_TEST(message_of([&] { io::save(state, file.path); }) ==
             file.path + ": it cannot be written: a name in the State is not UTF-8");
  BOOST_TEST(file.count() == 1u);  // the folder: no attempt left anything
}

BOOST_AUTO_TEST_CASE(a_save_that_fails_leaves_the_old_file) {
  const File file;
  io::save(example(), file.path);
  const std::string before = test::file_bytes(file.path);
  State large;
  large.set("x", Array({1 << 20}));
  // A limit of the file's size stands in for a full disk.
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{.rlim_cur = 1 << 20, .rlim_max = old.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = message_of([&] { io::save(large, file.path); });
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  BOOST_TEST(message.ends_with(".tmp: it cannot be written: File too large"), message);
  BOOST_TEST(test::file_bytes(file.path) == before);
  BOOST_TEST(file.count() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
