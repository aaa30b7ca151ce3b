#include "io/file_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/io/idx.hpp>

#include <boost/test/unit_test.hpp>
#include <zlib.h>

using namespace gradloom;
using namespace std::string_literals;
using io::read_idx;
using test::message_of;
using test::write_file;

namespace {

void write_gzip(const std::string& path, const std::string& bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}

const std::string small = "\0\0\x08\x02\0\0\0\x02\0\0\0\x03"s + "\1\2\3\4\5\6";

}  // namespace

BOOST_AUTO_TEST_SUITE(io_idx)

BOOST_AUTO_TEST_CASE(plain_and_gzipped_files_read_alike) {
  const test::TemporaryFolder folder;
  write_file(folder / "plain", small);
  write_gzip(folder / "packed", small);
  for (const char* name : {"plain", "packed"}) {
    const Array array = read_idx(folder / name);
    BOOST_TEST((array.sizes() == std::vector<int64_t>{2, 3}));
    BOOST_TEST((array.to_vector<uint8_t>() == std::vector<uint8_t>{1, 2, 3, 4, 5, 6}));
  }
}

BOOST_AUTO_TEST_CASE(every_element_type_is_big_endian) {
  const test::TemporaryFolder folder;
  const auto read = [&](const std::string& bytes) {
    write_file(folder / "x", bytes);
    return read_idx(folder / "x");
  };
  const std::string two = "\1\0\0\0\2"s;
  BOOST_TEST((read("\0\0\x09"s + two + "\xFF\x7F").to_vector<int32_t>() == std::vector<int32_t>{-1, 127}));
  BOOST_TEST((read("\0\0\x0B"s + two + "\xFF\xFE\x01\x02").to_vector<int32_t>() == std::vector<int32_t>{-2, 258}));
  BOOST_TEST((read("\0\0\x0C"s + two + "\x80\0\0\0\1\2\3\4"s).to_vector<int32_t>() ==
              std::vector<int32_t>{INT32_MIN, 0x01020304}));
  BOOST_TEST(
      (read("\0\0\x0D"s + two + "\x3F\x80\0\0\xC0\x20\0\0"s).to_vector<float>() == std::vector<float>{1, -2.5f}));
  BOOST_TEST((read("\0\0\x0E"s + two + "\x3F\xF0\0\0\0\0\0\0\xC0\x04\0\0\0\0\0\0"s).to_vector<double>() ==
              std::vector<double>{1, -2.5}));
  BOOST_TEST(read("\0\0\x08\0\7"s).item<uint8_t>() == 7);
  BOOST_TEST(read("\0\0\x0D\2\0\0\0\0\0\0\0\3"s).size() == 0);
}

BOOST_AUTO_TEST_CASE(real_data_are_read) {
  const std::string folder = GRADLOOM_SOURCE_DIR "/examples/data/";
  const Array images = read_idx(folder + "digits-train-images-idx3-ubyte.gz");
  BOOST_TEST((images.sizes() == std::vector<int64_t>{1437, 8, 8}));
  BOOST_TEST(read_idx(folder + "digits-t10k-labels-idx1-ubyte.gz").size() == 360);
}

BOOST_AUTO_TEST_CASE(a_file_cut_anywhere_is_an_error) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "cut";
  write_gzip(folder / "packed", small);
  const std::string packed = test::file_bytes(folder / "packed");
  for (const std::string& whole : {small, packed}) {
    for (size_t length = 0; length < whole.size(); ++length) {
      write_file(path, whole.substr(0, length));
      BOOST_TEST(message_of([&] { (void)read_idx(path); }).starts_with(path + ": it"), length);
    }
  }
}

BOOST_AUTO_TEST_CASE(mistakes_are_errors) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "x";
  const auto message = [&](const std::string& bytes) {
    write_file(path, bytes);
    return message_of([&] { (void)read_idx(path); });
  };
  const std::string not_idx =
      path +
      ": it is not an IDX file\n"
      "  an IDX file begins with two zero bytes, the code of an element type, and the number of axes";
  BOOST_TEST(message("") == not_idx);
  BOOST_TEST(message("\0\0\x07\1\0\0\0\0"s) == not_idx);
  BOOST_TEST(message("\0\1\x08\1\0\0\0\0"s) == not_idx);
  BOOST_TEST(message("\0\0\x08\2\0\0\0\0"s) == path + ": its IDX header of 2 axes has 12 bytes, and the file only 8");
  BOOST_TEST(message(small + "\7") ==
             path + ": its sizes [2, 3], of elements of 1 bytes, do not fit the 7 bytes that follow");
  BOOST_TEST(message("\0\0\x0E\3\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0"s) ==
             path +
                 ": its sizes [4294967295, 4294967295, 0], of elements of 8 bytes, do not fit the 0 bytes that follow");
  write_gzip(path, small);
  std::string packed = test::file_bytes(path);
  packed[packed.size() - 6] = static_cast<char>(packed[packed.size() - 6] + 1);  // of the checksum
  BOOST_TEST(message(packed) == path + ": its gzip'd data are damaged: " + path + ": incorrect data check");
  BOOST_TEST(message(packed.substr(0, packed.size() - 9)) == path + ": its gzip'd data end early");
  BOOST_TEST(message_of([&] { (void)read_idx(folder / "none"); }) ==
             folder.path() + "/none: it cannot be opened: No such file or directory");
  BOOST_TEST(message_of([&] { (void)read_idx(folder.path()); }) ==
             folder.path() + ": it cannot be read: Is a directory");
}

BOOST_AUTO_TEST_SUITE_END()
