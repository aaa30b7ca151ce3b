#include "io/file_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/io/cifar.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::message_of;

namespace {

/// An image whose colours are `label`, 10 and 20 everywhere, but for the second pixel, which is 1, 2, 3.
std::string image(int label) {
  std::string bytes(1, static_cast<char>(label));
  for (const int colour : {label, 10, 20}) bytes += std::string(1024, static_cast<char>(colour));
  for (const size_t c : {0, 1, 2}) bytes[1 + c * 1024 + 1] = static_cast<char>(c + 1);
  return bytes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(io_cifar)

BOOST_AUTO_TEST_CASE(planes_become_pixels) {
  const test::TemporaryFolder folder;
  test::write_file(folder / "test_batch.bin", image(3) + image(9));
  for (int i = 1; i <= 5; ++i) test::write_file(folder / ("data_batch_" + std::to_string(i) + ".bin"), image(i));
  const io::ImageSet set = io::load_cifar10(folder.path(), io::Split::test);
  BOOST_TEST((set.images.sizes() == std::vector<int64_t>{2, 32, 32, 3}));
  BOOST_TEST((set.labels.to_vector<int32_t>() == std::vector<int32_t>{3, 9}));
  BOOST_TEST(int{set.images.at<uint8_t>({1, 31, 31, 0})} == 9);
  BOOST_TEST(int{set.images.at<uint8_t>({1, 0, 0, 2})} == 20);
  BOOST_TEST(int{set.images.at<uint8_t>({0, 0, 1, 1})} == 2);
  BOOST_TEST((io::load_cifar10(folder.path(), io::Split::train).labels.to_vector<int32_t>() ==
              std::vector<int32_t>{1, 2, 3, 4, 5}));
}

BOOST_AUTO_TEST_CASE(mistakes_are_errors) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "test_batch.bin";
  const auto message = [&] { return message_of([&] { (void)io::load_cifar10(folder.path(), io::Split::test); }); };
  BOOST_TEST(message() == path + ": it cannot be opened: No such file or directory");
  test::write_file(path, "short");
  BOOST_TEST(message() == path + ": it has 5 bytes, no whole number of images of 3073");
  test::write_file(path, image(1) + image(10));
  BOOST_TEST(message() == path + ": image 1 has the label 10");
}

BOOST_AUTO_TEST_SUITE_END()
