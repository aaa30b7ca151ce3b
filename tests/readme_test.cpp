// What the README says can be checked: its program is the one that is compiled, its links lead somewhere.
#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>

namespace {

const std::filesystem::path root = GRADLOOM_SOURCE_DIR;

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path);
  BOOST_REQUIRE_MESSAGE(file, path << " cannot be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(readme)

BOOST_AUTO_TEST_CASE(shows_the_program_that_is_compiled) {
  const std::string text = contents(root / "README.md"), fence = "```cpp\n";
  const size_t begin = text.find(fence) + fence.size(), end = text.find("```", begin);
  BOOST_REQUIRE(text.find(fence) != std::string::npos);
  BOOST_TEST(text.substr(begin, end - begin) == contents(root / "examples/readme.cpp"));
}

BOOST_AUTO_TEST_CASE(links_to_files_that_exist) {
  for (const std::string page : {"README.md", "docs/semantics.md"}) {
    const std::string text = contents(root / page);
    const std::regex link(R"(\]\(([^)#:]+)\))");
    for (std::sregex_iterator match(text.begin(), text.end(), link), none; match != none; ++match) {
      const std::string target = (*match)[1];
      BOOST_TEST(std::filesystem::exists((root / page).parent_path() / target), page << " links to " << target);
    }
  }
}

BOOST_AUTO_TEST_CASE(links_to_every_example) {
  const std::string text = contents(root / "README.md");
  for (const auto& entry : std::filesystem::directory_iterator(root / "examples")) {
    if (entry.path().extension() != ".cpp") continue;
    const std::string link = "(examples/" + entry.path().filename().string() + ")";
    BOOST_TEST(text.find(link) != std::string::npos, "README.md has no link " << link);
  }
}

BOOST_AUTO_TEST_SUITE_END()
