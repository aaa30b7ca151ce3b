// Pictures of the examples, by gnuplot: a script is put together as text, data included, and piped into it.
#pragma once

#include <gradloom/runtime/array.hpp>

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace example {

/// Data for a script: `plot $NAME using 1:2`. An empty row is an empty line, which ends a row of a grid.
inline std::string plot_data(std::string_view name, const std::vector<std::vector<double>>& rows) {
  std::string text = fmt::format("${} << END\n", name);
  for (const std::vector<double>& row : rows) text += fmt::format("{:.6g}\n", fmt::join(row, " "));
  return text + "END\n";
}

/// Draws FOLDER/NAME.png with the commands of `script`, and says so. Where gnuplot is missing, the script is kept as
/// FOLDER/NAME.gp instead, to be drawn elsewhere.
inline void draw(const std::string& folder, const std::string& name, int width, int height, const std::string& script) {
  const std::string picture = folder + "/" + name + ".png";
  const std::string all = fmt::format(
      "set terminal pngcairo size {},{} font 'DejaVu Sans,11' linewidth 1.5\n"
      "set output '{}'\n{}",
      width, height, picture, script);
  if (std::system("command -v gnuplot >/dev/null 2>&1") == 0) {  // NOLINT(concurrency-mt-unsafe): one thread here
    if (FILE* gnuplot = popen("gnuplot", "w"); gnuplot != nullptr) {
      std::fputs(all.c_str(), gnuplot);
      if (pclose(gnuplot) == 0) fmt::print("drawn: {}\n", picture);
      return;  // else gnuplot itself has said what it could not do
    }
  }
  const std::string kept = folder + "/" + name + ".gp";
  FILE* file = std::fopen(kept.c_str(), "w");
  if (file == nullptr) {
    fmt::print("no gnuplot here, and {} cannot be written\n", kept);
    return;
  }
  std::fputs(all.c_str(), file);
  std::fclose(file);
  fmt::print("no gnuplot here (Debian: gnuplot-nox); `gnuplot {}` draws the picture where there is one\n", kept);
}

/// Draws grey images, f32 [n, height, width, ...] from 0 to 1, as a sheet with so many side by side.
inline void draw_images(const std::string& folder, const std::string& name, const gradloom::Array& images,
                        int64_t across) {
  const int64_t height = images.sizes()[1], width = images.sizes()[2], down = images.sizes()[0] / across;
  const gradloom::Array dense = images.clone();
  const auto pixels = dense.data<const float>();
  std::vector<std::vector<double>> rows;
  for (int64_t y = 0; y < down * height; ++y) {
    std::vector<double>& row = rows.emplace_back();
    for (int64_t x = 0; x < across * width; ++x) {
      const int64_t image = y / height * across + x / width;
      row.push_back(
          static_cast<double>(pixels[static_cast<size_t>((image * height + y % height) * width + x % width)]));
    }
  }
  constexpr int64_t zoom = 3;
  draw(folder, name, static_cast<int>(zoom * across * width), static_cast<int>(zoom * down * height),
       plot_data("pixels", rows) +
           "set palette gray\nset cbrange [0:1]\nunset colorbox\nunset tics\nunset border\n"
           "set yrange [*:*] reverse\nset size ratio -1\nset margins 0, 0, 0, 0\n"
           "plot $pixels matrix with image notitle\n");
}

}  // namespace example
