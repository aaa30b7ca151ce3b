#include "io/file_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/io/fashion_mnist.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace gradloom;
using namespace std::string_literals;
using test::message_of;

namespace {

const std::string digits = GRADLOOM_SOURCE_DIR "/examples/data";

}  // namespace

BOOST_AUTO_TEST_SUITE(io_fashion_mnist)

BOOST_AUTO_TEST_CASE(images_and_labels_are_read) {
  BOOST_TEST(io::has_image_set(digits, "digits-"));
  BOOST_TEST(!io::has_image_set(digits));
  const io::ImageSet test = io::load_image_set(digits, io::Split::test, "digits-");
  BOOST_TEST((test.images.sizes() == std::vector<int64_t>{360, 8, 8}));
  const std::vector<int32_t> labels = test.labels.to_vector<int32_t>();
  BOOST_TEST(labels.size() == 360u);
  BOOST_TEST(*std::max_element(labels.begin(), labels.end()) == 9);
  BOOST_TEST(io::load_image_set(digits, io::Split::train, "digits-").labels.size() == 1437);
}

BOOST_AUTO_TEST_CASE(fashion_mnist_is_read_where_it_is_installed) {
  if (!io::has_image_set(io::fashion_mnist_folder)) return;
  const io::ImageSet test = io::load_image_set(io::fashion_mnist_folder, io::Split::test);
  BOOST_TEST((test.images.sizes() == std::vector<int64_t>{10000, 28, 28}));
  BOOST_TEST(io::fashion_mnist_classes[test.labels.at<int32_t>({0})] == "Ankle boot");
}

BOOST_AUTO_TEST_CASE(mistakes_are_errors) {
  const test::TemporaryFolder folder;
  const std::string images = folder / "t10k-images-idx3-ubyte.gz", labels = folder / "t10k-labels-idx1-ubyte.gz";
  const auto message = [&] { return message_of([&] { (void)io::load_image_set(folder.path(), io::Split::test); }); };
  BOOST_TEST(message() == images + ": it cannot be opened: No such file or directory");
  test::write_file(images, "\0\0\x08\1\0\0\0\1\5"s);
  BOOST_TEST(message() == images + ": it holds u8[1], not images, u8[count, rows, columns]");
  test::write_file(images, "\0\0\x08\3\0\0\0\2\0\0\0\1\0\0\0\1\5\5"s);
  test::write_file(labels, "\0\0\x0D\1\0\0\0\0"s);
  BOOST_TEST(message() == labels + ": it holds f32[0], not labels, u8[count]");
  test::write_file(labels, "\0\0\x08\1\0\0\0\3\1\2\3"s);
  BOOST_TEST(message() == labels + ": it holds 3 labels for 2 images");
}

BOOST_AUTO_TEST_SUITE_END()
