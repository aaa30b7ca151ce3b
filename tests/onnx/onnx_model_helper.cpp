// Field numbers are those of onnx.proto (ONNX 1.12).
#include "onnx/onnx_model_helper.hpp"

#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace gradloom::test::onnx {

namespace {

/// The fields of one message, one after another (https://protobuf.dev/programming-guides/encoding).
class Message {
 public:
  explicit Message(std::string_view bytes) : bytes_(bytes) {}

  bool next() {
    if (bytes_.empty()) return false;
    const uint64_t key = varint();
    field = static_cast<int>(key >> 3);
    switch (key & 7) {
      case 0:
        number = varint();
        text = {};
        return true;
      case 1:
        text = take(8);
        return true;
      case 2:
        text = take(varint());
        return true;
      case 5:
        text = take(4);
        return true;
      default:
        throw std::runtime_error("protobuf: an unknown wire type");
    }
  }

  /// Repeated numbers come one by one or packed.
  template <class T>
  void append_to(std::vector<T>& numbers) const {
    if (text.empty()) {
      numbers.push_back(static_cast<T>(number));
      return;
    }
    for (Message packed(text); !packed.bytes_.empty();) numbers.push_back(static_cast<T>(packed.varint()));
  }
  /// Numbers of a fixed width.
  template <class T>
  void append_fixed_to(std::vector<T>& numbers) const {
    for (size_t at = 0; at + sizeof(T) <= text.size(); at += sizeof(T)) {
      T value;
      std::memcpy(&value, text.data() + at, sizeof(T));
      numbers.push_back(value);
    }
  }

  int field = 0;
  uint64_t number = 0;
  std::string_view text;

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<uint8_t>(take(1)[0]);
      value |= uint64_t{byte & 127U} << shift;
      if (byte < 128) break;
    }
    return value;
  }
  std::string_view take(uint64_t count) {
    if (count > bytes_.size()) throw std::runtime_error("protobuf: a message is cut off");
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }

  std::string_view bytes_;
};

template <class To, class From>
Array converted(const std::vector<From>& values, const std::vector<int64_t>& sizes, DType dtype) {
  Array array = Array::uninitialized(sizes, dtype);
  if (static_cast<size_t>(array.size()) != values.size()) throw std::runtime_error("onnx: a tensor has too few values");
  for (size_t i = 0; i < values.size(); ++i) static_cast<To*>(array.raw())[i] = static_cast<To>(values[i]);
  return array;
}

Array named_tensor(std::string_view bytes, std::string& name) {
  std::vector<int64_t> sizes, integers;
  std::vector<float> floats;
  std::vector<double> doubles;
  std::string_view raw;
  uint64_t type = 0;
  for (Message m(bytes); m.next();) {
    switch (m.field) {
      case 1:
        m.append_to(sizes);
        break;
      case 2:
        type = m.number;
        break;
      case 4:
        m.append_fixed_to(floats);
        break;
      case 5:
      case 7:
        m.append_to(integers);
        break;
      case 8:
        name = m.text;
        break;
      case 9:
        raw = m.text;
        break;
      case 10:
        m.append_fixed_to(doubles);
        break;
      default:
        break;
    }
  }
  const std::map<uint64_t, DType> dtypes = {{1, DType::f32}, {2, DType::u8},      {6, DType::i32},
                                            {7, DType::i64}, {9, DType::boolean}, {11, DType::f64}};
  const auto found = dtypes.find(type);
  if (found == dtypes.end()) throw std::runtime_error("onnx: a tensor of type " + std::to_string(type));
  const DType dtype = found->second;
  if (!raw.empty()) {
    Array array = Array::uninitialized(sizes, dtype);
    if (array.byte_size() != raw.size()) throw std::runtime_error("onnx: a tensor has too few bytes");
    std::memcpy(array.raw(), raw.data(), raw.size());
    return array;
  }
  switch (dtype) {
    case DType::f32:
      return converted<float>(floats, sizes, dtype);
    case DType::f64:
      return converted<double>(doubles, sizes, dtype);
    case DType::i32:
      return converted<int32_t>(integers, sizes, dtype);
    case DType::i64:
      return converted<int64_t>(integers, sizes, dtype);
    default:
      return converted<uint8_t>(integers, sizes, dtype);
  }
}

void parse_graph(std::string_view bytes, Model& model);

void parse_attribute(std::string_view bytes, Node& node) {
  Attribute attribute;
  std::string name;
  for (Message m(bytes); m.next();) {
    switch (m.field) {
      case 1:
        name = m.text;
        break;
      case 2:
        std::memcpy(&attribute.f, m.text.data(), sizeof(float));
        break;
      case 3:
        attribute.i = static_cast<int64_t>(m.number);
        break;
      case 4:
        attribute.s = m.text;
        break;
      case 5:
        attribute.t = parse_tensor(m.text);
        break;
      case 6:
        parse_graph(m.text, attribute.g.emplace_back());
        break;
      case 7:
        m.append_fixed_to(attribute.floats);
        break;
      case 8:
        m.append_to(attribute.ints);
        break;
      case 9:
        attribute.strings.emplace_back(m.text);
        break;
      default:
        break;
    }
  }
  node.attributes.emplace(std::move(name), std::move(attribute));
}

Node parse_node(std::string_view bytes) {
  Node node;
  for (Message m(bytes); m.next();) {
    switch (m.field) {
      case 1:
        node.inputs.emplace_back(m.text);
        break;
      case 2:
        node.outputs.emplace_back(m.text);
        break;
      case 4:
        node.op = m.text;
        break;
      case 5:
        parse_attribute(m.text, node);
        break;
      case 7:
        node.domain = m.text;
        break;
      default:
        break;
    }
  }
  return node;
}

std::string name_of(std::string_view value_info) {
  for (Message m(value_info); m.next();) {
    if (m.field == 1) return std::string(m.text);
  }
  return {};
}

void parse_graph(std::string_view bytes, Model& model) {
  for (Message m(bytes); m.next();) {
    switch (m.field) {
      case 1:
        model.nodes.push_back(parse_node(m.text));
        break;
      case 5: {
        std::string name;
        Array value = named_tensor(m.text, name);
        model.initializers.emplace(std::move(name), std::move(value));
        break;
      }
      case 11:
        model.inputs.push_back(name_of(m.text));
        break;
      case 12:
        model.outputs.push_back(name_of(m.text));
        break;
      default:
        break;
    }
  }
}

}  // namespace

Array parse_tensor(std::string_view bytes) {
  std::string name;
  return named_tensor(bytes, name);
}

Model parse_model(std::string_view bytes) {
  Model model;
  for (Message m(bytes); m.next();) {
    if (m.field == 7) parse_graph(m.text, model);
    if (m.field != 8) continue;
    std::string domain;
    int64_t version = 0;
    for (Message opset(m.text); opset.next();) {
      if (opset.field == 1) domain = opset.text;
      if (opset.field == 2) version = static_cast<int64_t>(opset.number);
    }
    if (domain.empty() || domain == "ai.onnx") model.opset = version;
  }
  return model;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace gradloom::test::onnx
