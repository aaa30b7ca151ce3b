#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/error.hpp>

namespace gradloom::inline v0 {

namespace {

std::vector<TensorType> declared(const ShapeContext& context) {
  const Attributes& attributes = context.attributes();
  return {{attributes.get<DType>("dtype"), attributes.get<Shape>("shape")}};
}

std::vector<TensorType> declared_known(const ShapeContext& context) {
  const Shape& shape = context.attributes().get<Shape>("shape");
  if (!shape.known()) context.fail("the shape " + shape.to_string() + " has a symbol");
  for (const Dim& dim : shape) {
    if (dim.value() < 0) context.fail("the shape " + shape.to_string() + " has a negative size");
  }
  (void)shape.element_count();
  return declared(context);
}

}  // namespace

const OpDef input_def{.name = "input",
                      .rule = "input needs a shape",
                      .shape = declared,
                      .no_gradient = "an input has no inputs of its own"};

const OpDef parameter_def{.name = "parameter",
                          .rule = "parameter needs a shape of non-negative numbers",
                          .shape = declared_known,
                          .no_gradient = "a parameter has no inputs of its own"};

bool is_trainable(const Node& parameter) { return parameter.attributes.get<bool>("trainable"); }

Initializer initializer_of(const Node& parameter) {
  const Attributes& attributes = parameter.attributes;
  return {.distribution = static_cast<Initializer::Distribution>(attributes.get<int64_t>("distribution")),
          .a = attributes.get<double>("a"),
          .b = attributes.get<double>("b"),
          .scaling = static_cast<Initializer::Scaling>(attributes.get<int64_t>("scaling"))};
}

}  // namespace gradloom::inline v0
