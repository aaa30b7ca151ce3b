#include <gradloom/nn/progress_line.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cmath>

namespace gradloom::inline v0::nn {

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::string per_second(int64_t examples, double seconds, const std::string& name) {
  return fmt::format("{:.0f} {}/s", seconds > 0 ? static_cast<double>(examples) / seconds : 0, name);
}

/// "1:07", "1:02:07"
std::string duration(double seconds) {
  const auto s = static_cast<int64_t>(std::ceil(seconds));
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string named(const std::string& prefix, double loss, const std::vector<double>& metrics,
                  const std::vector<std::string>& names) {
  std::string text = fmt::format("  {}loss {:.4f}", prefix, loss);
  for (size_t i = 0; i < metrics.size(); ++i) {
    text +=
        fmt::format("  {}{} {:.4f}", prefix, i < names.size() ? names[i] : fmt::format("metric {}", i + 1), metrics[i]);
  }
  return text;
}

void write(std::FILE* out, const std::string& text) {
  std::fputs(text.c_str(), out);
  std::fflush(out);
}

constexpr const char* clear_line = "\r\x1b[K";

}  // namespace

ProgressLine::ProgressLine(ProgressLineOptions options) : options_(std::move(options)) {
  using Rewrite = ProgressLineOptions::Rewrite;
  rewrite_ = options_.rewrite == Rewrite::always ||
             (options_.rewrite == Rewrite::on_terminals && isatty(fileno(options_.out)) != 0);
}

void ProgressLine::show(const StepReport& report) {
  const double time = now();
  if (!rewrite_ || time < next_) return;
  next_ = time + options_.interval;
  std::string text = fmt::format("{}epoch {}/{}  step {}", clear_line, report.epoch, report.epochs, report.step);
  if (report.steps > 0) text += fmt::format("/{}", report.steps);
  text += fmt::format("  loss {:.4f}  {}", report.mean_loss,
                      per_second(report.examples, report.seconds, options_.examples));
  if (report.seconds_left >= 0) text += fmt::format("  {} left", duration(report.seconds_left));
  write(options_.out, text);
}

void ProgressLine::show(const EpochReport& report) {
  std::string text = fmt::format("{}epoch {}/{}", rewrite_ ? clear_line : "", report.epoch, report.epochs);
  text += named("", report.loss, report.metrics, options_.metrics);
  if (report.validated)
    text += named("validation ", report.validation_loss, report.validation_metrics, options_.metrics);
  text +=
      fmt::format("  {:.1f} s  {}\n", report.seconds, per_second(report.examples, report.seconds, options_.examples));
  write(options_.out, text);
}

}  // namespace gradloom::inline v0::nn
