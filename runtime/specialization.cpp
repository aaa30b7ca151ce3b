// A Program's specialisations: the graph after all passes and its plan, for the sizes that a run's inputs have.
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/ops/packed_product_internal.hpp>
#include <gradloom/runtime/bodies_internal.hpp>
#include <gradloom/runtime/program_internal.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace gradloom::inline v0 {

bool ProgramData::fits(const Specialization& specialization, const Batch& inputs,
                       std::vector<const Array*>& arrays) const {
  if (inputs.size() != inputs_.size()) return false;  // the long way sorts out what is superfluous
  arrays.clear();
  auto item = inputs.begin();
  for (size_t i = 0; i < inputs_.size(); ++i, ++item) {
    const Array* const array = item->first == inputs_[i].name ? &item->second : inputs.find(inputs_[i].name);
    if (array == nullptr || array->dtype() != inputs_[i].type.dtype || array->sizes() != specialization.input_sizes[i])
      return false;
    arrays.push_back(array);
  }
  return true;
}

std::vector<SymbolBinding> ProgramData::solve(const Batch& inputs) const {
  std::vector<std::string> problems;
  std::vector<SymbolBinding> bindings;
  std::vector<std::string> bound_by;
  const auto binding_of = [&](const std::string& symbol) {
    return std::find_if(bindings.begin(), bindings.end(), [&](const SymbolBinding& b) { return b.name == symbol; });
  };
  for (const auto& [name, array] : inputs) {
    if (known_inputs_.contains(name)) continue;
    const std::vector<std::string> names(known_inputs_.begin(), known_inputs_.end());
    const std::string nearest = nearest_name(name, names);
    problems.push_back(fmt::format("\"{}\" is no input{}", name,
                                   nearest.empty() ? "" : fmt::format("; did you mean \"{}\"?", nearest)));
  }
  // Plain symbols first: they give values to the expressions.
  for (const bool expressions : {false, true}) {
    for (const DeclaredInput& input : inputs_) {
      const Array* const array = inputs.find(input.name);
      const std::string declared = fmt::format("{}, declared at {}", to_string(input.type), input.location);
      if (array == nullptr) {
        if (!expressions) problems.push_back(fmt::format("\"{}\" is missing: {}", input.name, declared));
        continue;
      }
      if (array->dtype() != input.type.dtype || array->rank() != input.type.shape.rank()) {
        if (!expressions)
          problems.push_back(fmt::format("\"{}\" is {}, not {}", input.name, type_of(*array), declared));
        continue;
      }
      for (int axis = 0; axis < array->rank(); ++axis) {
        const Dim& dim = input.type.shape[axis];
        const int64_t size = array->sizes()[static_cast<size_t>(axis)];
        const std::vector<std::string> symbols = dim.symbols();
        const bool plain = symbols.size() == 1 && dim == Dim(symbols[0]);
        if ((!dim.known() && !plain) != expressions) continue;
        if (plain) {
          const auto bound = binding_of(symbols[0]);
          if (bound == bindings.end()) {
            bindings.push_back({symbols[0], size});
            bound_by.push_back(input.name);
          } else if (bound->value != size) {
            problems.push_back(fmt::format("{} is {} in \"{}\" and {} in \"{}\"", symbols[0], bound->value,
                                           bound_by[static_cast<size_t>(bound - bindings.begin())], size, input.name));
          }
          continue;
        }
        const Dim wanted = dim.bind(bindings);
        if (!wanted.known()) {
          problems.push_back(
              fmt::format("{} of \"{}\" has no value: no input has the plain size", dim.to_string(), input.name));
        } else if (wanted != Dim(size)) {
          problems.push_back(fmt::format("\"{}\" is {}, not {}", input.name, type_of(*array), declared));
        }
      }
    }
  }
  if (!problems.empty()) {
    throw Error({.problem = problems.size() == 1 ? "an input does not fit"
                                                 : fmt::format("{} inputs do not fit", problems.size()),
                 .op = "run",
                 .details = fmt::format("{}", fmt::join(problems, "\n  ")),
                 .rule = "a run is given every input of its Program by name, of the declared dtype and shape"});
  }
  return bindings;
}

ProgramData::SpecializationPtr ProgramData::make(std::vector<SymbolBinding> bindings) {
  auto made = std::make_shared<Specialization>();
  std::string log = log_;
  Module module = specialize(module_, bindings);
  const auto add_to_log = [&](const char* pass) { log += fmt::format("---- {}\n{}", pass, text_of(module)); };
  add_to_log("specialize");
  const auto leaves_out = [&](std::string_view name) {
    return std::find(without_passes_.begin(), without_passes_.end(), name) != without_passes_.end();
  };
  if (optimize_ == Optimize::all) {
    const auto pass = [&](const char* name, auto apply) {
      if (leaves_out(name)) return;
      module = apply();
      add_to_log(name);
    };
    const PassOptions options{
        .isa = isa_, .narrow = narrow_, .pairs = narrow_ && multiplies_bf16(isa_) && !leaves_out("halve")};
    const bool loops = runs_bodies(module.graph);
    if (loops) pass("prune", [&] { return prune(module); });
    pass("stabilize", [&] { return stabilize(module); });
    pass("simplify", [&] { return simplify(module, options); });
    if (loops) {
      pass("hoist", [&] { return hoist(module); });
      pass("simplify", [&] { return simplify(module, options); });
    }
    if (fixed_weights_) pass("fold", [&] { return fold(module); });
    if (fast_convolution_) pass("winograd", [&] { return choose_winograd(module, options); });
    if (options.pairs) {
      pass("halve", [&] { return halve(module, options); });
      pass("simplify", [&] { return simplify(module, options); });
    }
    pass("pack", [&] { return pack(module, options); });
    pass("recompute", [&] { return recompute(module, options); });
    pass("fuse", [&] { return fuse(module); });
  }
  std::optional<Plan> narrowed;
  std::string narrowed_text;
  if (narrow_ && optimize_ == Optimize::all && !leaves_out("narrow")) {
    Module narrow_module = narrow(module);
    narrowed_text = text_of(narrow_module);
    narrowed = make_plan(std::move(narrow_module), isa_);
  }
  made->plan = make_plan(std::move(module), isa_);
  // In a small network, or one whose kernels all want f32, copies may take more than is saved.
  if (narrowed && narrowed->arena_bytes < made->plan.arena_bytes) {
    made->plan = *std::move(narrowed);
    log += "---- narrow\n" + narrowed_text;
  }
  made->plan.log = std::move(log);
  made->plan.bindings = bindings;
  for (const DeclaredInput& input : inputs_) made->input_sizes.push_back(input.type.shape.bind(bindings).sizes());
  for (const Slot& slot : made->plan.inputs) {
    const auto declared =
        std::find_if(inputs_.begin(), inputs_.end(), [&](const DeclaredInput& i) { return i.name == slot.name; });
    made->declared.push_back(static_cast<int>(declared - inputs_.begin()));
  }
  const auto needed = static_cast<int64_t>(made->plan.arena_bytes + made->plan.scratch_bytes);
  if (memory_budget_ > 0 && needed > memory_budget_) {
    throw Error({.problem = fmt::format("the plan needs {} bytes, the budget is {}", needed, memory_budget_),
                 .op = "compile",
                 .rule = "memory_budget bounds the arena and the scratch of a worker"});
  }
  specializations_.push_front(made);
  latest_.store(made.get(), std::memory_order_release);
  if (specializations_.size() > most_specializations_) specializations_.pop_back();
  // Without symbols there is no other to come: nobody needs the constants as they were before they were packed.
  if (bindings.empty()) module_ = Module();
  ++made_;
  return made;
}

ProgramData::SpecializationPtr ProgramData::to_front(std::list<SpecializationPtr>::iterator specialization) {
  specializations_.splice(specializations_.begin(), specializations_, specialization);
  latest_.store(specializations_.front().get(), std::memory_order_release);
  return specializations_.front();
}

const Specialization& ProgramData::specialization_for(const Batch& inputs, Workspace& workspace) {
  const Specialization* const kept = workspace.keeps.get();
  const bool again = kept != nullptr && kept == latest_.load(std::memory_order_acquire);
  if (!again || !fits(*kept, inputs, workspace.arrays)) {
    workspace.bound = nullptr;
    workspace.keeps = specialization_for(inputs, workspace.arrays);
  }
  return *workspace.keeps;
}

ProgramData::SpecializationPtr ProgramData::specialization_for(const Batch& inputs, std::vector<const Array*>& arrays) {
  const std::lock_guard guard(mutex_);
  for (auto it = specializations_.begin(); it != specializations_.end(); ++it) {
    if (fits(**it, inputs, arrays)) return to_front(it);
  }
  std::vector<SymbolBinding> bindings = solve(inputs);
  arrays.clear();
  for (const DeclaredInput& input : inputs_) arrays.push_back(inputs.find(input.name));
  for (auto it = specializations_.begin(); it != specializations_.end(); ++it) {  // with superfluous inputs
    const bool same = std::equal(
        inputs_.begin(), inputs_.end(), (*it)->input_sizes.begin(),
        [&](const DeclaredInput& input, const auto& sizes) { return inputs.find(input.name)->sizes() == sizes; });
    if (same) return to_front(it);
  }
  return make(std::move(bindings));
}

ProgramData::SpecializationPtr ProgramData::specialization_for(std::span<const SymbolBinding> bindings) {
  const std::lock_guard guard(mutex_);
  for (const SpecializationPtr& specialization : specializations_) {
    const bool same = std::equal(inputs_.begin(), inputs_.end(), specialization->input_sizes.begin(),
                                 [&](const DeclaredInput& input, const auto& sizes) {
                                   const Shape bound = input.type.shape.bind(bindings);
                                   return bound.known() && bound.sizes() == sizes;
                                 });
    if (same) return specialization;
  }
  for (const DeclaredInput& input : inputs_) {
    for (const std::string& symbol : [&] {
           std::vector<std::string> left;
           for (const Dim& dim : input.type.shape.bind(bindings)) {
             for (std::string& name : dim.symbols()) left.push_back(std::move(name));
           }
           return left;
         }()) {
      throw Error({.problem = fmt::format("no value is given for \"{}\", of input \"{}\"", symbol, input.name),
                   .op = "specialize",
                   .location = input.location,
                   .rule = "a Program is specialised to values for all of its symbols"});
    }
  }
  return make({bindings.begin(), bindings.end()});
}

}  // namespace gradloom::inline v0
