#include "message_helper.hpp"
#include <gradloom/runtime/state.hpp>
#include <gradloom/runtime/state_internal.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::message_of;

namespace {

uint64_t version_of(const State& state) { return StateAccess::data(state).version; }

State example() {
  State state({.seed = 7});
  state.set_step(3);
  state.set("dense_1/weight", Array::from({1.0f, 2.0f}));
  state.set("dense_1/bias", Array::from({3.0f}));
  state.set("count", Array::scalar(int64_t{4}));
  return state;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_state)

BOOST_AUTO_TEST_CASE(values_are_kept_by_name) {
  const State state = example();
  BOOST_TEST(state.seed() == 7u);
  BOOST_TEST(state.step() == 3);
  BOOST_TEST((state.names() == std::vector<std::string>{"count", "dense_1/bias", "dense_1/weight"}));
  BOOST_TEST(state.has("count"));
  BOOST_TEST(!state.has("dense_1"));
  BOOST_TEST(state.get("count").item<int64_t>() == 4);
}

BOOST_AUTO_TEST_CASE(values_come_and_go_by_copy) {
  State state = example();
  const Array mine = Array::from({5.0f});
  state.set("dense_1/bias", mine);
  mine.data<float>()[0] = 6;
  state.get("dense_1/bias").data<float>()[0] = 7;
  BOOST_TEST(state.get("dense_1/bias").item<float>() == 5);

  State copy = state;
  copy.set("dense_1/bias", Array::from({8.0f}));
  BOOST_TEST(copy.erase("count"));
  BOOST_TEST(!copy.erase("count"));
  BOOST_TEST(state.get("dense_1/bias").item<float>() == 5);
  BOOST_TEST(state.has("count"));
  BOOST_TEST(copy.seed() == 7u);
  BOOST_TEST(copy.step() == 3);

  const State& same = copy;
  copy = same;
  BOOST_TEST(copy.names().size() == 2u);
  State moved = std::move(copy);
  copy = moved;
  BOOST_TEST(copy.names().size() == 2u);
}

BOOST_AUTO_TEST_CASE(merge_takes_all_or_what_begins_with_a_prefix) {
  State all({.seed = 1}), some({.seed = 1});
  for (State* state : {&all, &some}) {
    state->set("count", Array::scalar(int64_t{-1}));
    state->set("head/bias", Array({2}));
    state->set("dense_1/bias", Array({2}, DType::f64));
  }
  const State other = example();
  all.merge(other);
  BOOST_TEST(all.seed() == 7u);
  BOOST_TEST(all.step() == 3);
  BOOST_TEST((all.names() == std::vector<std::string>{"count", "dense_1/bias", "dense_1/weight", "head/bias"}));
  BOOST_TEST(all.get("count").item<int64_t>() == 4);
  some.merge(other, "dense_1/");
  BOOST_TEST(some.seed() == 1u);
  BOOST_TEST(some.step() == 0);
  BOOST_TEST(some.get("count").item<int64_t>() == -1);
  BOOST_TEST(some.get("dense_1/bias").item<float>() == 3);
  some.set("dense_1/bias", Array::from({9.0f}));
  BOOST_TEST(other.get("dense_1/bias").item<float>() == 3);
  const State& itself = all;
  all.merge(itself);
  BOOST_TEST(all.names().size() == 4u);
}

BOOST_AUTO_TEST_CASE(the_version_tells_whether_pointers_still_hold) {
  State state = example();
  uint64_t version = version_of(state);
  const void* const bias = StateAccess::data(state).values.find("dense_1/bias")->second.raw();
  state.set("dense_1/bias", Array::from({9.0f}));
  state.set_step(8);
  BOOST_TEST(version_of(state) == version);
  BOOST_TEST(StateAccess::data(state).values.find("dense_1/bias")->second.raw() == bias);

  const auto changed = [&] { return std::exchange(version, version_of(state)) != version_of(state); };
  state.set("dense_1/bias", Array({2}));
  BOOST_TEST(changed());
  state.set("new", Array({2}));
  BOOST_TEST(changed());
  state.erase("new");
  BOOST_TEST(changed());
  state.merge(example(), "dense");
  BOOST_TEST(changed());
  State copy = state;
  BOOST_TEST(version_of(copy) != version);
  state = copy;
  BOOST_TEST(changed());
  const uint64_t copied = version_of(copy);
  state = std::move(copy);
  BOOST_TEST(version_of(state) == copied);
}

BOOST_AUTO_TEST_CASE(mistakes_are_errors) {
  State state = example();
  BOOST_TEST(message_of([&] { (void)state.get("dense_1/wieght"); }) ==
             "the State has no \"dense_1/wieght\"\n"
             "  did you mean \"dense_1/weight\"?");
  BOOST_TEST(message_of([&] { (void)state.get("momentum"); }) ==
             "the State has no \"momentum\"\n"
             "  it has count, dense_1/bias, dense_1/weight");
  for (int i = 0; i < 6; ++i) state.set("x" + std::to_string(i), Array({1}));
  BOOST_TEST(message_of([&] { (void)state.get("momentum"); }) ==
             "the State has no \"momentum\"\n"
             "  it has count, dense_1/bias, dense_1/weight, x0, x1, x2, x3, x4, ... (9 in all)");
  BOOST_TEST(message_of([&] { state.set("", Array({1})); }) == "a value of a State needs a name");
  BOOST_TEST(message_of([&] { state.set_step(-1); }) == "the step of a State cannot be -1");
}

BOOST_AUTO_TEST_CASE(a_state_in_an_updating_run_refuses_to_be_touched) {
  State state = example(), other;
  StateAccess::data(state).runs = -1;
  const std::string rule = "  what changes a State, an updating run or its owner, has it alone";
  const std::string refused = "the State is being updated by a run\n" + rule;
  BOOST_TEST(message_of([&] { (void)state.get("count"); }) == refused);
  BOOST_TEST(message_of([&] { state.set("count", Array({1})); }) == refused);
  BOOST_TEST(message_of([&] { state.set_step(1); }) == refused);
  BOOST_TEST(message_of([&] { state.erase("count"); }) == refused);
  BOOST_TEST(message_of([&] { state.merge(other); }) == refused);
  BOOST_TEST(message_of([&] { other.merge(state); }) == refused);
  BOOST_TEST(message_of([&] { const State copy = state; }) == refused);

  StateAccess::data(state).runs = 2;
  const std::string read = "the State is being read by a run\n" + rule;
  BOOST_TEST(message_of([&] { state.set("count", Array({1})); }) == read);
  BOOST_TEST(message_of([&] { state.erase("count"); }) == read);
  BOOST_TEST(state.get("count").size() > 0);
  other.merge(state);
}

BOOST_AUTO_TEST_SUITE_END()
