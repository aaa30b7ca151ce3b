// The parts of the library use each other in one direction, and public headers stay cheap.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const std::map<std::string, std::set<std::string>> allowed = {
    {"graph", {"graph"}},
    {"ops", {"graph", "ops"}},
    {"autodiff", {"graph", "ops", "autodiff"}},
    {"runtime", {"graph", "ops", "runtime"}},
    {"io", {"graph", "ops", "runtime", "io"}},
    {"nn", {"graph", "ops", "autodiff", "runtime", "io", "nn"}},
};

struct Source {
  std::string path;                   // "ops/tanh.cpp"
  std::vector<std::string> includes;  // as written: "<gradloom/graph/node.hpp>"
};

std::vector<std::string> includes_of(const fs::path& file) {
  static const std::regex line(R"re(^\s*#\s*include\s*([<"][^>"]+[>"]))re");
  std::vector<std::string> found;
  std::ifstream in(file);
  std::smatch match;
  for (std::string text; std::getline(in, text);) {
    if (std::regex_search(text, match, line)) found.push_back(match[1]);
  }
  return found;
}

std::vector<Source> sources_of(const std::string& part) {
  std::vector<Source> sources;
  const fs::path root = GRADLOOM_SOURCE_DIR;
  for (const auto& entry : fs::recursive_directory_iterator(root / part)) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".hpp" && extension != ".cpp") continue;
    sources.push_back({fs::relative(entry.path(), root).string(), includes_of(entry.path())});
  }
  std::sort(sources.begin(), sources.end(), [](const Source& a, const Source& b) { return a.path < b.path; });
  return sources;
}

std::string part_of(const std::string& include) {
  static const std::regex ours("<gradloom/([a-z]+)/.*>");
  std::smatch match;
  return std::regex_match(include, match, ours) ? match[1].str() : "";
}

/// Only gradcheck evaluates.
bool is_gradcheck(const std::string& path) { return path.starts_with("autodiff/gradcheck."); }

}  // namespace

BOOST_AUTO_TEST_SUITE(layers)

BOOST_AUTO_TEST_CASE(dependencies_point_one_way) {
  for (const auto& [part, parts] : allowed) {
    const std::vector<Source> sources = sources_of(part);
    for (const Source& source : sources) {
      for (const std::string& include : source.includes) {
        BOOST_TEST(!include.starts_with("\""), source.path + " includes " + include + ": write <gradloom/...>");
        const std::string used = part_of(include);
        if (used.empty() || parts.contains(used) || (used == "runtime" && is_gradcheck(source.path))) continue;
        BOOST_TEST(false, source.path + " includes " + include + ", but " + part + " must not use " + used);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(no_part_was_forgotten) {
  for (const auto& [part, parts] : allowed) BOOST_TEST(!sources_of(part).empty(), part + " has no sources");
}

// What <gradloom/gradloom.hpp> leads to is compiled into every user's program.
BOOST_AUTO_TEST_CASE(the_umbrella_leads_to_light_headers_only) {
  const std::set<std::string> light = {"<algorithm>",        "<array>",       "<bit>",     "<cassert>",
                                       "<charconv>",         "<climits>",     "<cmath>",   "<cstddef>",
                                       "<cstdint>",          "<cstdio>",      "<cstring>", "<exception>",
                                       "<initializer_list>", "<limits>",      "<span>",    "<string>",
                                       "<string_view>",      "<type_traits>", "<utility>", "<vector>"};
  const fs::path root = GRADLOOM_SOURCE_DIR;
  std::map<std::string, std::string> included_by = {{"nn/gradloom.hpp", "the user"}};
  std::vector<std::string> todo = {"nn/gradloom.hpp"};
  while (!todo.empty()) {
    const std::string path = todo.back();
    todo.pop_back();
    BOOST_TEST(path.find("_internal") == std::string::npos, included_by[path] + " includes " + path);
    for (const std::string& include : includes_of(root / path)) {
      if (include.starts_with("<gradloom/")) {
        const std::string next = include.substr(10, include.size() - 11);
        if (included_by.emplace(next, path).second) todo.push_back(next);
      } else {
        BOOST_TEST(light.contains(include), path + " (included by " + included_by[path] + ") includes " + include);
      }
    }
  }
}

// Any header may be the only one that a user needs: none of them may drag in the heavy libraries. The one exception is
// for users who have oneTBB in their hands already.
BOOST_AUTO_TEST_CASE(installed_headers_hide_the_libraries_behind_them) {
  const std::regex heavy("<(oneapi/|tbb/|xsimd|fmt/|nlohmann/|boost/|zlib|functional|iostream|regex|thread|future).*>");
  for (const auto& [part, parts] : allowed) {
    for (const Source& source : sources_of(part)) {
      const bool installed = source.path.ends_with(".hpp") && source.path.find("_internal") == std::string::npos;
      if (!installed || source.path == "runtime/executor_tbb.hpp") continue;
      for (const std::string& include : source.includes) {
        BOOST_TEST(!std::regex_match(include, heavy), source.path + " includes " + include);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
