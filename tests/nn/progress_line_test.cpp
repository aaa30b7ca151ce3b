#include <gradloom/nn/progress_line.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using Rewrite = nn::ProgressLineOptions::Rewrite;

namespace {

/// What a ProgressLine prints into a file during two steps and the end of an epoch.
std::string printed(nn::ProgressLineOptions options) {
  std::FILE* const file = std::tmpfile();
  options.out = file;
  nn::ProgressLine progress(options);
  progress.show(
      nn::StepReport{.epoch = 1, .epochs = 2, .step = 1, .steps = 0, .mean_loss = 2, .examples = 10, .seconds = 0.5});
  progress.show(nn::StepReport{.epoch = 1,
                               .epochs = 2,
                               .step = 2,
                               .steps = 40,
                               .mean_loss = 0.5,
                               .examples = 20,
                               .seconds = 2,
                               .seconds_left = 3661});
  progress.show(
      nn::EpochReport{.epoch = 1, .epochs = 2, .loss = 0.25, .metrics = {0.75}, .examples = 400, .seconds = 4});
  progress.show(nn::EpochReport{.epoch = 2,
                                .epochs = 2,
                                .loss = 0.125,
                                .metrics = {0.5, 7},
                                .validated = true,
                                .validation_loss = 1,
                                .validation_metrics = {0.25, 8},
                                .examples = 400,
                                .seconds = 4});
  std::rewind(file);
  std::string text;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  std::fclose(file);
  return text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_progress_line)

BOOST_AUTO_TEST_CASE(a_file_gets_one_line_per_epoch) {
  BOOST_TEST(
      printed({.examples = "images", .metrics = {"accuracy"}}) ==
      "epoch 1/2  loss 0.2500  accuracy 0.7500  4.0 s  100 images/s\n"
      "epoch 2/2  loss 0.1250  accuracy 0.5000  metric 2 7.0000  validation loss 1.0000  validation accuracy 0.2500  "
      "validation metric 2 8.0000  4.0 s  100 images/s\n");
}

BOOST_AUTO_TEST_CASE(a_terminal_gets_a_line_that_is_rewritten) {
  const std::string text = printed({.metrics = {"a", "b"}, .rewrite = Rewrite::always, .interval = 0});
  BOOST_TEST(text.starts_with("\r\x1b[Kepoch 1/2  step 1  loss 2.0000  20 examples/s"
                              "\r\x1b[Kepoch 1/2  step 2/40  loss 0.5000  10 examples/s  1:01:01 left"
                              "\r\x1b[Kepoch 1/2  loss 0.2500  a 0.7500  4.0 s  100 examples/s\n"),
             text);
}

BOOST_AUTO_TEST_CASE(steps_in_quick_succession_print_once) {
  const std::string text = printed({.rewrite = Rewrite::always, .interval = 3600});
  BOOST_TEST(text.find("step 1") != std::string::npos);
  BOOST_TEST(text.find("step 2") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
