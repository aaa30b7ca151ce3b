#pragma once

#include <gradloom/graph/export.hpp>
#include <gradloom/runtime/array.hpp>

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gradloom::inline v0::io {

struct CsvOptions {
  char separator = ',';
  /// The names of the columns, for a file without a header row. Empty: the first row is the header.
  std::vector<std::string> names{};
};

/// A table of text, as a CSV file holds it; columns of numbers are converted when they are asked for.
class GRADLOOM_API CsvTable {
 public:
  /// The names of the columns, in the file's order.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  /// The number of rows, without the header.
  [[nodiscard]] int64_t rows() const { return static_cast<int64_t>(lines_.size()); }

  /// The fields of one column. Throws Error with the nearest name if there is none of that name.
  [[nodiscard]] std::vector<std::string> text(std::string_view column) const;

  /// Columns of numbers, [rows, columns], as f32 or f64. Throws Error with the line and column of the first field that
  /// is no number or does not fit the dtype, for a column there is not, and for another dtype.
  [[nodiscard]] Array numbers(std::span<const std::string> columns, DType dtype = DType::f32) const;
  [[nodiscard]] Array numbers(std::initializer_list<std::string> columns, DType dtype = DType::f32) const {
    return numbers(std::span<const std::string>(columns.begin(), columns.size()), dtype);
  }

 private:
  friend class CsvReader;
  [[nodiscard]] size_t index_of(std::string_view column) const;

  std::string path_;
  std::vector<std::string> names_;
  std::vector<std::string> fields_;  // row by row
  std::vector<int64_t> lines_;       // where each row begins
};

/// Reads a CSV file (RFC 4180), plain or gzip'd. Fields may be "quoted", with "" for a quote inside, and then hold
/// separators and line ends; lines end in LF or CRLF; empty lines are skipped. Throws Error with path, line and, where
/// there is one, column (both from 1) if the file cannot be read, has no header, has a name twice, or a row has more or
/// fewer fields than there are columns.
[[nodiscard]] GRADLOOM_API CsvTable read_csv(const std::string& path, const CsvOptions& options = {});

}  // namespace gradloom::inline v0::io
