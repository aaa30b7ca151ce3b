#include <gradloom/graph/error.hpp>
#include <gradloom/runtime/missing_name_internal.hpp>
#include <gradloom/runtime/state.hpp>
#include <gradloom/runtime/state_internal.hpp>

#include <fmt/format.h>

#include <utility>

namespace gradloom::inline v0 {

uint64_t next_state_version() {
  // Process-wide, but nothing a user can observe: versions are only ever compared for equality, never ordered or shown.
  static std::atomic<uint64_t> latest{0};
  return latest.fetch_add(1, std::memory_order_relaxed) + 1;
}

namespace {

[[noreturn]] void refuse(const char* how) {
  throw Error({.problem = fmt::format("the State is being {} by a run", how),
               .rule = "what changes a State, an updating run or its owner, has it alone"});
}

}  // namespace

void check_unchanging(const StateData& data) {
  if (data.runs.load(std::memory_order_acquire) < 0) refuse("updated");
}

void check_unused(const StateData& data) {
  check_unchanging(data);
  if (data.runs.load(std::memory_order_acquire) > 0) refuse("read");
}

namespace {

using Values = std::map<std::string, Array, std::less<>>;

Values deep_copy(const Values& values, std::string_view prefix = {}) {
  Values copy;
  for (auto at = values.lower_bound(prefix); at != values.end() && at->first.starts_with(prefix); ++at) {
    copy.emplace_hint(copy.end(), at->first, at->second.clone());
  }
  return copy;
}

}  // namespace

State::State(StateOptions options) : data_(new StateData{.seed = options.seed, .version = next_state_version()}) {}

State::State(const State& other) : State(StateOptions{other.seed()}) {
  check_unchanging(*other.data_);
  data_->step = other.data_->step;
  data_->values = deep_copy(other.data_->values);
}

State::State(State&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}

State& State::operator=(const State& other) { return *this = State(other); }

State& State::operator=(State&& other) noexcept {
  std::swap(data_, other.data_);
  return *this;
}

State::~State() { delete data_; }

uint64_t State::seed() const { return data_->seed; }

int64_t State::step() const { return data_->step; }

void State::set_step(int64_t step) {
  if (step < 0) throw Error("the step of a State cannot be " + std::to_string(step));
  check_unused(*data_);
  data_->step = step;
}

std::vector<std::string> State::names() const {
  std::vector<std::string> names;
  names.reserve(data_->values.size());
  for (const auto& [name, value] : data_->values) names.push_back(name);
  return names;
}

bool State::has(std::string_view name) const { return data_->values.contains(name); }

Array State::get(std::string_view name) const {
  const auto found = data_->values.find(name);
  if (found == data_->values.end()) throw missing_name("the State", name, names());
  check_unchanging(*data_);
  return found->second.clone();
}

void State::set(std::string_view name, const Array& value) {
  if (name.empty()) throw Error("a value of a State needs a name");
  check_unused(*data_);
  const auto found = data_->values.find(name);
  if (found == data_->values.end()) {
    data_->values.emplace(name, value.clone());
  } else if (found->second.dtype() == value.dtype() && found->second.sizes() == value.sizes()) {
    found->second.assign(value);  // in place: a run keeps the pointers it looked up
    return;
  } else {
    found->second = value.clone();
  }
  data_->version = next_state_version();
}

bool State::erase(std::string_view name) {
  check_unused(*data_);
  const auto found = data_->values.find(name);
  if (found == data_->values.end()) return false;
  data_->values.erase(found);
  data_->version = next_state_version();
  return true;
}

void State::merge(const State& other, std::string_view prefix) {
  if (&other == this) return;
  check_unused(*data_);
  check_unchanging(*other.data_);
  Values taken = deep_copy(other.data_->values, prefix);
  if (prefix.empty()) {
    data_->seed = other.data_->seed;
    data_->step = other.data_->step;
  }
  taken.merge(data_->values);  // keeps what is taken where both have a name
  data_->values = std::move(taken);
  data_->version = next_state_version();
}

}  // namespace gradloom::inline v0
