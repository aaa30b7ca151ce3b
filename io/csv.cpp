#include <gradloom/io/csv.hpp>
#include <gradloom/io/file_internal.hpp>
#include <gradloom/runtime/missing_name_internal.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace gradloom::inline v0::io {

class CsvReader {
 public:
  CsvReader(const std::string& path, const CsvOptions& options)
      : separator_(options.separator), text_(read_file(path)) {
    table_.path_ = path;
    table_.names_ = options.names;
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;  // a byte order mark, as spreadsheets write it
  }

  CsvTable read() {
    const bool header = table_.names_.empty();
    if (header && !read_row(table_.names_)) throw file_error(table_.path_, "it has no header row");
    check_names(header ? row_line_ : 0);
    std::vector<std::string> row;
    while (read_row(row)) {
      if (row.size() != table_.names_.size()) {
        throw file_error(place(row_line_), fmt::format("the row has {} fields, and the table {} columns", row.size(),
                                                       table_.names_.size()));
      }
      table_.lines_.push_back(row_line_);
      std::move(row.begin(), row.end(), std::back_inserter(table_.fields_));
    }
    return std::move(table_);
  }

 private:
  [[nodiscard]] std::string place(int64_t line) const { return fmt::format("{}:{}", table_.path_, line); }
  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }

  void check_names(int64_t line) const {
    for (auto name = table_.names_.begin(); name != table_.names_.end(); ++name) {
      if (std::find(table_.names_.begin(), name, *name) != name) {
        throw file_error(line > 0 ? place(line) : table_.path_, fmt::format("two columns are named \"{}\"", *name));
      }
    }
  }

  // LF, CRLF or the end of the text.
  bool skip_line_end() {
    if (at_end()) return true;
    if (text_.compare(at_, 2, "\r\n") == 0) {
      at_ += 2;
    } else if (text_[at_] == '\n') {
      ++at_;
    } else {
      return false;
    }
    ++line_;
    return true;
  }

  std::string read_quoted(size_t column) {
    const int64_t line = line_;
    std::string field;
    for (++at_; !at_end(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        if (at_end() || text_[at_] != '"') return field;
      }
      if (text_[at_] == '\n') ++line_;
      field += text_[at_];
    }
    throw file_error(place(line), fmt::format("the quote of column {} is never closed", column));
  }

  std::string read_plain() {
    const size_t begin = at_;
    while (!at_end() && text_[at_] != separator_ && text_[at_] != '\n') ++at_;
    size_t end = at_;
    if (end > begin && text_[end - 1] == '\r' && !at_end() && text_[at_] == '\n') at_ = --end;
    return text_.substr(begin, end - begin);
  }

  // False if there is none left.
  bool read_row(std::vector<std::string>& row) {
    while (!at_end() && skip_line_end()) {
    }
    if (at_end()) return false;
    row.clear();
    row_line_ = line_;
    for (;;) {
      const size_t column = row.size() + 1;
      row.push_back(!at_end() && text_[at_] == '"' ? read_quoted(column) : read_plain());
      if (skip_line_end()) return true;
      if (text_[at_] != separator_) {
        throw file_error(place(line_), fmt::format("column {} goes on after its closing quote", column));
      }
      ++at_;
    }
  }

  CsvTable table_;
  char separator_;
  std::string text_;
  size_t at_ = 0;
  int64_t line_ = 1, row_line_ = 1;
};

CsvTable read_csv(const std::string& path, const CsvOptions& options) { return CsvReader(path, options).read(); }

size_t CsvTable::index_of(std::string_view column) const {
  const auto found = std::find(names_.begin(), names_.end(), column);
  if (found == names_.end()) throw missing_name(path_, column, names_);
  return static_cast<size_t>(found - names_.begin());
}

std::vector<std::string> CsvTable::text(std::string_view column) const {
  const size_t index = index_of(column);
  std::vector<std::string> fields;
  fields.reserve(lines_.size());
  for (size_t row = 0; row < lines_.size(); ++row) fields.push_back(fields_[row * names_.size() + index]);
  return fields;
}

namespace {

// std::from_chars: unlike strtod it does not depend on the user's locale.
bool parse_number(std::string_view field, double& number) {
  const auto trimmed_begin = field.find_first_not_of(" \t");
  if (trimmed_begin == std::string_view::npos) return false;
  field = field.substr(trimmed_begin, field.find_last_not_of(" \t") + 1 - trimmed_begin);
  if (field.starts_with('+') && !field.starts_with("+-")) field.remove_prefix(1);
  const char* const end = field.data() + field.size();
  const auto [stop, code] = std::from_chars(field.data(), end, number);
  return code == std::errc() && stop == end;
}

}  // namespace

Array CsvTable::numbers(std::span<const std::string> columns, DType dtype) const {
  if (!is_float(dtype)) {
    throw Error(fmt::format("numbers of a CSV table are f32 or f64, not {}", gradloom::to_string(dtype)));
  }
  std::vector<size_t> indices;
  for (const std::string& column : columns) indices.push_back(index_of(column));
  const int64_t sizes[] = {rows(), static_cast<int64_t>(columns.size())};
  Array array = Array::uninitialized(sizes, dtype);
  const auto fill = [&](auto elements) {
    using T = typename decltype(elements)::element_type;
    size_t at = 0;
    for (size_t row = 0; row < lines_.size(); ++row) {
      for (const size_t index : indices) {
        const std::string& field = fields_[row * names_.size() + index];
        double number = 0;
        if (!parse_number(field, number) || std::isinf(static_cast<T>(number)) != std::isinf(number)) {
          throw file_error(fmt::format("{}:{}", path_, lines_[row]),
                           fmt::format(R"("{}", in column {} "{}", is no {} number)", field, index + 1, names_[index],
                                       gradloom::to_string(dtype)));
        }
        elements[at++] = static_cast<T>(number);
      }
    }
  };
  if (dtype == DType::f32) {
    fill(array.data<float>());
  } else {
    fill(array.data<double>());
  }
  return array;
}

}  // namespace gradloom::inline v0::io
