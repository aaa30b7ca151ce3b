// Every pointwise op, on every instruction set of this machine and every dtype it supports, against its own reference
// in double. A new op is tested by being there: what is asked of it, its OpDef says.
#include "pointwise_conformance_helper.hpp"
#include <gradloom/ops/op_table.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::Loop;

namespace {

/// Calls check(loop, samples) for all there are.
template <class Check>
void check_all_loops(Check check) {
  for (const OpDef* op : all_ops()) {
    if (op->pointwise == nullptr) continue;
    const std::vector<Sample> samples = op->samples();
    for (const Isa isa : supported_isas()) {
      for (int dtype = 0; dtype < dtype_count; ++dtype) {
        if (op->pointwise->isa[static_cast<size_t>(isa)]->loops[dtype] == nullptr) continue;
        try {
          check(test::make_loop(*op, isa, static_cast<DType>(dtype), samples.at(0).attributes), samples);
        } catch (const test::Disagreement& found) {
          BOOST_ERROR(found.what());
        }
      }
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_pointwise_conformance)

BOOST_AUTO_TEST_CASE(every_op_says_what_the_tests_and_passes_ask_for) {
  for (const OpDef* op : all_ops()) {
    if (op->pointwise == nullptr) continue;
    BOOST_TEST_CONTEXT(op->name) {
      BOOST_TEST((op->reference != nullptr));
      BOOST_TEST((op->samples != nullptr));
      BOOST_TEST((op->vjp == nullptr) == !op->no_gradient.empty());
      for (const PointwiseKernels* kernels : op->pointwise->isa) {
        for (int dtype = 0; dtype < dtype_count; ++dtype) {
          BOOST_TEST((kernels->loops[dtype] == nullptr) == (op->pointwise->isa[0]->loops[dtype] == nullptr));
        }
      }
      for (const Sample& sample : op->samples()) BOOST_TEST(sample.inputs.size() == op->inputs.size());
    }
  }
}

BOOST_AUTO_TEST_CASE(values_agree_with_the_reference) {
  check_all_loops([](const Loop& loop, const std::vector<Sample>& samples) {
    check_values(loop, special_columns(loop));
    for (const Sample& sample : samples) check_values(loop, random_columns(loop, sample, 500));
  });
}

BOOST_AUTO_TEST_CASE(a_result_does_not_depend_on_its_place_or_on_the_length) { check_all_loops(test::check_places); }

BOOST_AUTO_TEST_CASE(commutative_ops_may_swap_their_operands) { check_all_loops(test::check_swapped); }

BOOST_AUTO_TEST_SUITE_END()
