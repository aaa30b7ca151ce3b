// Spam that no single line tells from the rest. A single neuron draws one line and fails; a hidden layer of two neurons
// finds the two lines; a deeper network may bend. The picture shows what each of them learned.
#include "plot.hpp"
#include <gradloom/gradloom.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace gl = gradloom;

namespace {

struct Mails {
  gl::Array points;  // [n, 2]: how many links and how many capitals, both scaled to -1..1
  gl::Array spam;    // [n, 1]
};

// Honest mail lies between two lines, spam on either side. A narrow gap along the lines keeps the two kinds apart.
Mails make_mails(int64_t count) {
  std::mt19937 random(7);
  const auto uniform = [&] { return static_cast<float>(random()) * 0x1p-31F - 1; };
  std::vector<float> points, spam;
  while (static_cast<int64_t>(spam.size()) < count) {
    const float links = uniform(), capitals = uniform();
    const float above = capitals - (0.9F * links + 0.45F), below = capitals - (0.2F * links - 0.4F);
    if (std::min(std::abs(above), std::abs(below)) < 0.06F) continue;
    points.insert(points.end(), {links, capitals});
    spam.push_back(above > 0 || below < 0 ? 1.0F : 0.0F);
  }
  return {gl::Array::from(points, {count, 2}), gl::Array::from(spam, {count, 1})};
}

// A network of dense layers with tanh between them; its one output is above 0 for spam.
struct Network {
  gl::Graph graph;
  gl::Program train, predict;
  gl::State state;

  Network(const std::vector<int64_t>& hidden, uint64_t seed) : state({.seed = seed}) {
    const gl::Tensor x = graph.input("x", {"mails", 2}), spam = graph.input("spam", {"mails", 1});
    gl::Tensor h = x;
    for (const int64_t units : hidden) h = tanh(gl::nn::dense(h, units));
    const gl::Tensor logit = gl::nn::dense(h, 1);
    const gl::Tensor loss = gl::nn::binary_cross_entropy(logit, spam);
    train = gl::compile({.outputs = {loss}, .updates = gl::nn::adam(loss, {.learning_rate = 0.03})});
    predict = gl::compile({.outputs = {sigmoid(logit)}});
  }

  std::vector<float> probabilities(const gl::Array& points) {
    return predict.run(state, {{"x", points}})[0].to_vector<float>();
  }

  double accuracy(const Mails& mails) {
    const std::vector<float> p = probabilities(mails.points), spam = mails.spam.to_vector<float>();
    int right = 0;
    for (size_t i = 0; i < p.size(); ++i) right += (p[i] > 0.5F) == (spam[i] > 0.5F) ? 1 : 0;
    return right / static_cast<double>(p.size());
  }
};

// Trains from several starts and keeps the best: so few neurons may get stuck. `solved` counts the starts that did not.
Network best_of(int starts, int steps, const std::vector<int64_t>& hidden, const Mails& mails, int& solved) {
  Network best(hidden, 0);
  float least = INFINITY;
  solved = 0;
  for (int start = 1; start <= starts; ++start) {
    Network network(hidden, static_cast<uint64_t>(start));
    float loss = 0;
    for (int step = 0; step < steps; ++step) {
      loss = network.train.run(network.state, {{"x", mails.points}, {"spam", mails.spam}})[0].item<float>();
    }
    solved += network.accuracy(mails) > 0.99 ? 1 : 0;
    if (loss < least) {
      least = loss;
      best = std::move(network);
    }
  }
  return best;
}

// capitals = slope * links + offset: where a neuron of the first layer is at its turning point.
struct Line {
  double slope, offset;
};

std::vector<Line> lines_of(const Network& network) {
  const gl::Array w = network.state.get("dense_1/weight"), b = network.state.get("dense_1/bias");
  std::vector<Line> lines;
  for (int64_t i = 0; i < b.size(); ++i) {
    const double across = w.at<float>({0, i}), up = w.at<float>({1, i});
    lines.push_back({-across / up, -b.at<float>({i}) / up});
  }
  return lines;
}

// One panel: the network's probability of spam as colour, where it is one half as a black line, lines, points.
std::string panel(Network& network, const std::string& id, const std::string& title, const std::vector<Line>& lines) {
  constexpr int cells = 100;
  std::vector<float> grid;
  for (int row = 0; row <= cells; ++row) {
    for (int column = 0; column <= cells; ++column) {
      grid.insert(grid.end(),
                  {2.0F * static_cast<float>(column) / cells - 1, 2.0F * static_cast<float>(row) / cells - 1});
    }
  }
  const std::vector<float> p = network.probabilities(gl::Array::from(grid, {(cells + 1) * (cells + 1), 2}));
  std::vector<std::vector<double>> rows;
  for (size_t i = 0; i < p.size(); ++i) {
    if (i > 0 && i % (cells + 1) == 0) rows.emplace_back();
    rows.push_back({grid[2 * i], grid[2 * i + 1], p[i]});
  }
  std::string script = example::plot_data(id, rows);
  // The contour at one half is computed first, as a table of its own, and drawn on top.
  script += fmt::format(
      "set contour; set cntrparam levels discrete 0.5; unset surface; set table $edge_{0}\n"
      "splot ${0} using 1:2:3\nunset table; unset contour; set surface\nset title '{1}'\n"
      "plot ${0} using 1:2:3 with image notitle, $edge_{0} using 1:2 with lines lc 'black' lw 2.5 notitle",
      id, title);
  for (const Line& line : lines) {
    script += fmt::format(", {:.5f} * x + {:.5f} with lines lc '#00b050' dt 2 lw 3 notitle", line.slope, line.offset);
  }
  return script +
         ", $honest using 1:2 with points pt 7 ps 0.6 lc '#1f4e9c' notitle"
         ", $spam using 1:2 with points pt 9 ps 0.7 lc '#b3200f' notitle\n";
}

void run(const std::string& folder, bool quick) {
  const Mails mails = make_mails(quick ? 200 : 600);
  const int starts = quick ? 3 : 10, steps = quick ? 600 : 2000;
  int solved = 0;
  Network line = best_of(1, steps, {}, mails, solved);
  fmt::print("a single neuron, one line:           {:5.1f} % of {} mails right\n", 100 * line.accuracy(mails),
             mails.spam.size());
  Network two = best_of(starts, steps, {2}, mails, solved);
  fmt::print("one hidden layer of two neurons:     {:5.1f} %  (over 99 % from {} of {} starts)\n",
             100 * two.accuracy(mails), solved, starts);
  for (const Line& found : lines_of(two)) {
    fmt::print("  a hidden neuron's line: capitals = {:+.2f} links {:+.2f}\n", found.slope, found.offset);
  }
  fmt::print("  the points were made with        +0.90 links +0.45 and +0.20 links -0.40\n");
  Network deep = best_of(starts, steps, {4, 4}, mails, solved);
  fmt::print("two hidden layers of four neurons:   {:5.1f} %  (over 99 % from {} of {} starts)\n",
             100 * deep.accuracy(mails), solved, starts);

  std::vector<std::vector<double>> honest, spam;
  for (int64_t i = 0; i < mails.spam.size(); ++i) {
    std::vector<std::vector<double>>& kind = mails.spam.at<float>({i, 0}) > 0.5F ? spam : honest;
    kind.push_back({mails.points.at<float>({i, 0}), mails.points.at<float>({i, 1})});
  }
  const std::string script =
      example::plot_data("honest", honest) + example::plot_data("spam", spam) +
      "set multiplot layout 1,3 title 'blue: honest mail, red: spam; black: where the network changes its mind; "
      "dashed green: a hidden neuron''s line'\nset size square; set xrange [-1:1]; set yrange [-1:1]; set cbrange "
      "[0:1]\n"
      "set palette defined (0 '#c6d8f2', 0.5 '#fbfbfb', 1 '#f6cdc4'); unset colorbox; set tics out nomirror\n"
      "set xlabel 'links (scaled)'; set ylabel 'capitals (scaled)'\n" +
      panel(line, "line", "a single neuron", {}) +
      panel(two, "two", "2 hidden neurons and their two lines", lines_of(two)) +
      panel(deep, "deep", "4 + 4 hidden neurons", {}) + "unset multiplot\n";
  example::draw(folder, "two_lines", 1500, 540, script);
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  std::string folder = ".";
  CLI::App app("Two neurons find the two lines that tell spam from honest mail.");
  app.add_flag("--quick", quick, "fewer points and steps, as a test");
  app.add_option("--out", folder, "folder for the picture")->check(CLI::ExistingDirectory);
  CLI11_PARSE(app, argc, argv);
  try {
    run(folder, quick);
  } catch (const gl::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
