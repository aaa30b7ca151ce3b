// Reads ONNX models and tensors for tests: the protobuf wire format of the few messages that matter, without a library.
#pragma once

#include <gradloom/runtime/array.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gradloom::test::onnx {

struct Model;

struct Attribute {
  float f = 0;
  int64_t i = 0;
  std::string s;
  Array t;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<std::string> strings;
  std::vector<Model> g;  // the one body of a loop, or none
};

struct Node {
  std::string op, domain;
  std::vector<std::string> inputs, outputs;  // an empty name is one left out
  std::map<std::string, Attribute> attributes;
};

struct Model {
  int64_t opset = 0;  // of the default domain; a body has that of its model
  std::vector<Node> nodes;
  std::map<std::string, Array> initializers;
  std::vector<std::string> inputs, outputs;
};

/// Throws std::runtime_error for what is no model, and for dtypes that Arrays do not have.
Model parse_model(std::string_view bytes);
/// A TensorProto.
Array parse_tensor(std::string_view bytes);
std::string read_file(const std::string& path);

}  // namespace gradloom::test::onnx
