#include <gradloom/io/file_internal.hpp>
#include <gradloom/io/safetensors_header_internal.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <set>

namespace gradloom::inline v0::io {

namespace {

using Json = nlohmann::json;

constexpr std::string_view metadata_key = "__metadata__";
constexpr std::string_view format_version = "1";

// In the order of DType.
constexpr std::string_view dtype_names[dtype_count] = {"BOOL", "U8", "I32", "I64", "BF16", "F32", "F64"};

// What is wrong with the header: one place adds the path.
struct Damage {
  std::string problem, rule{};
};

Json parse_json(std::string_view text) {
  std::set<std::string> keys;
  std::string twice;
  // The parser would silently keep the last of two tensors of one name.
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::key && depth == 1 && !keys.insert(parsed.get<std::string>()).second) {
      twice = parsed.get<std::string>();
    }
    return true;
  };
  Json json = Json::parse(text, watch, /*allow_exceptions=*/false);
  if (json.is_discarded()) throw Damage{"its header is not JSON"};
  if (!json.is_object()) throw Damage{"its header is not a JSON object"};
  if (!twice.empty()) throw Damage{fmt::format("it has \"{}\" twice", twice)};
  return json;
}

// A list of integers from 0 to 2^63 - 1.
std::vector<int64_t> integers(const Json& tensor, const char* key) {
  const auto found = tensor.find(key);
  if (found == tensor.end() || !found->is_array()) throw Damage{fmt::format("has no list \"{}\"", key)};
  std::vector<int64_t> list;
  for (const Json& item : *found) {
    if (!item.is_number_unsigned() || item.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
      throw Damage{fmt::format("has {} in its \"{}\"", item.dump(-1, ' ', true, Json::error_handler_t::replace), key)};
    }
    list.push_back(item.get<int64_t>());
  }
  return list;
}

DType dtype_named(const Json& tensor) {
  const auto found = tensor.find("dtype");
  if (found == tensor.end() || !found->is_string()) throw Damage{"has no \"dtype\""};
  const auto& name = found->get_ref<const std::string&>();
  const auto* const at = std::find(std::begin(dtype_names), std::end(dtype_names), name);
  if (at == std::end(dtype_names)) {
    throw Damage{fmt::format("has the dtype {}", name), fmt::format("Gradloom reads {}", fmt::join(dtype_names, ", "))};
  }
  return static_cast<DType>(at - std::begin(dtype_names));
}

SafetensorsEntry parse_entry(const std::string& name, const Json& tensor, int64_t data_bytes) {
  if (!tensor.is_object()) throw Damage{"is not a JSON object"};
  SafetensorsEntry entry{.name = name, .dtype = dtype_named(tensor), .sizes = integers(tensor, "shape")};
  const std::vector<int64_t> offsets = integers(tensor, "data_offsets");
  if (offsets.size() != 2) throw Damage{fmt::format("has {} \"data_offsets\", not 2", offsets.size())};
  entry.begin = offsets[0];
  entry.end = offsets[1];
  if (entry.begin > entry.end || entry.end > data_bytes) {
    throw Damage{fmt::format("lies at bytes {} to {} of the {} there are", entry.begin, entry.end, data_bytes)};
  }
  auto needed = static_cast<int64_t>(size_of(entry.dtype));
  bool overflow = false, none = false;
  for (const int64_t size : entry.sizes) {
    none |= size == 0;
    overflow |= __builtin_mul_overflow(needed, std::max<int64_t>(size, 1), &needed);
  }
  if (overflow || (none ? 0 : needed) != entry.end - entry.begin) {
    throw Damage{fmt::format("is {}[{}], but has {} bytes", to_string(entry.dtype), fmt::join(entry.sizes, ", "),
                             entry.end - entry.begin)};
  }
  return entry;
}

// Files of other programs have other metadata, or none.
template <class T>
T metadata_number(const Json& metadata, const char* key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return 0;
  T value = 0;
  if (found->is_string()) {
    const auto& text = found->get_ref<const std::string&>();
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code == std::errc() && end == text.data() + text.size() && value >= T{0}) return value;
  }
  throw Damage{fmt::format("its metadata \"{}\" is no number", key)};
}

void parse_metadata(const Json& json, SafetensorsHeader& header) {
  const auto metadata = json.find(metadata_key);
  if (metadata == json.end()) return;
  if (!metadata->is_object()) throw Damage{"its metadata are not a JSON object"};
  if (metadata->value("format", Json()) != "gradloom") return;
  if (const Json version = metadata->value("version", Json()); version != format_version) {
    throw Damage{"it is of version " + version.dump(-1, ' ', true, Json::error_handler_t::replace),
                 fmt::format("this Gradloom reads version \"{}\"", format_version)};
  }
  header.seed = metadata_number<uint64_t>(*metadata, "seed");
  header.step = metadata_number<int64_t>(*metadata, "step");
}

void check_gapless(const SafetensorsHeader& header, int64_t data_bytes) {
  int64_t at = 0;
  std::string before;
  for (const SafetensorsEntry& entry : header.entries) {
    if (entry.begin < at) throw Damage{fmt::format(R"("{}" and "{}" overlap)", before, entry.name)};
    if (entry.begin > at) throw Damage{fmt::format("bytes {} to {} belong to no tensor", at, entry.begin)};
    at = entry.end;
    before = entry.name;
  }
  if (at != data_bytes) throw Damage{fmt::format("bytes {} to {} belong to no tensor", at, data_bytes)};
}

SafetensorsHeader parse(std::string_view text, int64_t data_bytes) {
  const Json json = parse_json(text);
  SafetensorsHeader header;
  parse_metadata(json, header);
  for (const auto& [name, tensor] : json.items()) {
    if (name == metadata_key) continue;
    if (name.empty()) throw Damage{"it has a tensor without a name"};
    try {
      header.entries.push_back(parse_entry(name, tensor, data_bytes));
    } catch (const Damage& damage) {
      throw Damage{fmt::format("\"{}\" {}", name, damage.problem), damage.rule};
    }
  }
  std::sort(header.entries.begin(), header.entries.end(),
            [](const auto& a, const auto& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  check_gapless(header, data_bytes);
  return header;
}

}  // namespace

std::string write_header(const SafetensorsHeader& header, const std::string& path) {
  Json json = {{metadata_key,
                {{"format", "gradloom"},
                 {"version", format_version},
                 {"seed", std::to_string(header.seed)},
                 {"step", std::to_string(header.step)}}}};
  for (const SafetensorsEntry& entry : header.entries) {
    json[entry.name] = {{"dtype", dtype_names[static_cast<size_t>(entry.dtype)]},
                        {"shape", entry.sizes},
                        {"data_offsets", {entry.begin, entry.end}}};
  }
  std::string text;
  try {
    text = json.dump();
  } catch (const Json::type_error&) {
    throw file_error(path, "it cannot be written: a name in the State is not UTF-8");
  }
  // The 8 bytes of the header's length come before it.
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

SafetensorsHeader parse_header(std::string_view text, int64_t data_bytes, const std::string& path) {
  try {
    return parse(text, data_bytes);
  } catch (const Damage& damage) {
    throw file_error(path, damage.problem, damage.rule);
  }
}

}  // namespace gradloom::inline v0::io
