// Passes go into the bodies that nodes run.
#pragma once

#include <gradloom/graph/function_ref.hpp>
#include <gradloom/graph/subgraph.hpp>
#include <gradloom/runtime/module_internal.hpp>

#include <memory>

namespace gradloom::inline v0 {

using Pass = FunctionRef<Module(const Module&)>;

[[nodiscard]] bool runs_bodies(const Graph& graph);

/// A body after a pass, with the inputs that it had, used or not.
[[nodiscard]] std::shared_ptr<const Subgraph> transformed(const Subgraph& body, Pass pass);

/// The attributes of a node with each body that it runs after a pass.
[[nodiscard]] Attributes with_transformed_bodies(const Node& node, Pass pass);

/// A pass over the bodies that the nodes of a module run. For passes that change no shape and no dtype.
[[nodiscard]] Module in_bodies(const Module& module, Pass pass);

/// A pass over the bodies of a module, innermost first, and then over the module itself. For passes that change no
/// shape and no dtype.
[[nodiscard]] Module everywhere(const Module& module, Pass pass);

}  // namespace gradloom::inline v0
