#include "io/file_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/io/csv.hpp>

#include <boost/test/unit_test.hpp>

#include <limits>

using namespace gradloom;
using io::CsvOptions;
using io::CsvTable;
using io::read_csv;
using test::message_of;

namespace {

struct File {
  test::TemporaryFolder folder;
  std::string path = folder / "table.csv";

  CsvTable read(std::string_view text, const CsvOptions& options = {}) const {
    test::write_file(path, text);
    return read_csv(path, options);
  }
  std::string message(std::string_view text, const CsvOptions& options = {}) const {
    return message_of([&] { (void)read(text, options); });
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(io_csv)

BOOST_AUTO_TEST_CASE(numbers_and_text_come_by_column_name) {
  const File file;
  const CsvTable table = file.read("name,x,y\nfirst,1,2.5\nsecond,-3e2, +4 \n");
  BOOST_TEST((table.names() == std::vector<std::string>{"name", "x", "y"}));
  BOOST_TEST(table.rows() == 2);
  BOOST_TEST((table.text("name") == std::vector<std::string>{"first", "second"}));
  const Array numbers = table.numbers({"y", "x"});
  BOOST_TEST((numbers.sizes() == std::vector<int64_t>{2, 2}));
  BOOST_TEST((numbers.to_vector<float>() == std::vector<float>{2.5f, 1, 4, -300}));
  BOOST_TEST((table.numbers({"x"}, DType::f64).to_vector<double>() == std::vector<double>{1, -300}));
  BOOST_TEST((table.numbers({}).sizes() == std::vector<int64_t>{2, 0}));
}

BOOST_AUTO_TEST_CASE(quotes_line_ends_and_separators) {
  const File file;
  const CsvTable table =
      file.read("\xEF\xBB\xBF\"a;b\";c\r\n\r\n\"say \"\"hi\"\"\r\nthere\";\"\"\r\n;x\"y", {.separator = ';'});
  BOOST_TEST((table.names() == std::vector<std::string>{"a;b", "c"}));
  BOOST_TEST((table.text("a;b") == std::vector<std::string>{"say \"hi\"\r\nthere", ""}));
  BOOST_TEST((table.text("c") == std::vector<std::string>{"", "x\"y"}));
  BOOST_TEST((file.read("a,b\n1,").text("b") == std::vector<std::string>{""}));
}

BOOST_AUTO_TEST_CASE(a_file_without_header_is_given_names) {
  const File file;
  const CsvTable table = file.read("1,2\n3,4\n", {.names = {"a", "b"}});
  BOOST_TEST((table.numbers({"b"}).to_vector<float>() == std::vector<float>{2, 4}));
  BOOST_TEST(file.read("a,b\n").rows() == 0);
  BOOST_TEST(file.read("", {.names = {"a"}}).rows() == 0);
}

BOOST_AUTO_TEST_CASE(infinity_and_nan_are_numbers) {
  const File file;
  const auto values = file.read("x\ninf\n-inf\nnan\n").numbers({"x"}).to_vector<float>();
  BOOST_TEST(values[0] == std::numeric_limits<float>::infinity());
  BOOST_TEST(values[1] == -std::numeric_limits<float>::infinity());
  BOOST_TEST(values[2] != values[2]);
}

BOOST_AUTO_TEST_CASE(real_data_are_read) {
  const CsvTable cars = read_csv(GRADLOOM_SOURCE_DIR "/examples/data/cars.csv");
  BOOST_TEST(cars.rows() == 392);
  BOOST_TEST(cars.numbers(std::span<const std::string>(cars.names())).at<float>({1, 2}) == 350);
}

BOOST_AUTO_TEST_CASE(mistakes_are_errors) {
  const File file;
  const std::string& path = file.path;
  BOOST_TEST(file.message("") == path + ": it has no header row");
  BOOST_TEST(file.message("\n\r\n") == path + ": it has no header row");
  BOOST_TEST(file.message("\na,b,a\n") == path + ":2: two columns are named \"a\"");
  BOOST_TEST(file.message("1,2\n", {.names = {"a", "a"}}) == path + ": two columns are named \"a\"");
  BOOST_TEST(file.message("a,b\n1,2\n3\n") == path + ":3: the row has 1 fields, and the table 2 columns");
  BOOST_TEST(file.message("a,b\n\"1\n2\",2\n3,4,5\n") == path + ":4: the row has 3 fields, and the table 2 columns");
  BOOST_TEST(file.message("a,b\n1,\"2\n3,4\n") == path + ":2: the quote of column 2 is never closed");
  BOOST_TEST(file.message("a,b\n\"1\"2,3\n") == path + ":2: column 1 goes on after its closing quote");

  const CsvTable table = file.read("weight,height\n\n1,2\n1e60,?\n");
  BOOST_TEST(message_of([&] {
               (void)table.numbers({"weight", "height"}, DType::f64);
             }) == path + ":4: \"?\", in column 2 \"height\", is no f64 number");
  BOOST_TEST(message_of([&] { (void)table.numbers({"weight"}); }) ==
             path + ":4: \"1e60\", in column 1 \"weight\", is no f32 number");
  BOOST_TEST(message_of([&] { (void)table.text("hieght"); }) ==
             path + " has no \"hieght\"\n  did you mean \"height\"?");
  BOOST_TEST(message_of([&] { (void)table.numbers({"weight"}, DType::i32); }) ==
             "numbers of a CSV table are f32 or f64, not i32");
  for (const char* bad : {"x", "1x", "", "+", "+-1", "0x10", "1e999", "- 1"}) {
    const CsvTable one = file.read(std::string("a,b\n1,") + bad + "\n");
    BOOST_TEST(message_of([&] { (void)one.numbers({"b"}); }) ==
               path + ":2: \"" + bad + "\", in column 2 \"b\", is no f32 number");
  }
}

BOOST_AUTO_TEST_SUITE_END()
