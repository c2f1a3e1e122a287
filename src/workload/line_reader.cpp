#include "workload/line_reader.h"

#include <cerrno>
#include <cstring>

#include "core/diagnostics.h"
#include "core/regular_file.h"

namespace moesim::workload {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

std::string_view without_carriage_return(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

}  // namespace

LineReader::LineReader(std::string_view bytes)
    : rest_(bytes), any_bytes_(!bytes.empty()), at_end_(true) {
  drop_byte_order_mark();
}

LineReader LineReader::open(const std::string& path) {
  check_regular_file(path);
  LineReader reader;
  reader.path_ = path;
  reader.file_.reset(std::fopen(path.c_str(), "rb"));
  if (!reader.file_) {
    throw IoError(path + ": cannot be opened: " + std::strerror(errno));
  }
  reader.buffer_.resize(kMaxLineBytes + kPieceBytes);
  reader.any_bytes_ = reader.refill();
  reader.drop_byte_order_mark();
  return reader;
}

void LineReader::drop_byte_order_mark() {
  if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
}

/// Moves the rest to the front of the buffer and reads a piece behind it. False at the end.
bool LineReader::refill() {
  if (at_end_) return false;
  const std::size_t kept = rest_.size();
  if (kept > 0) std::memmove(buffer_.data(), rest_.data(), kept);
  const std::size_t got = std::fread(buffer_.data() + kept, 1, buffer_.size() - kept, file_.get());
  rest_ = std::string_view(buffer_.data(), kept + got);
  if (got == 0) {
    if (std::ferror(file_.get()) != 0) {
      throw IoError(path_ + ": cannot be read: " + std::strerror(errno));
    }
    at_end_ = true;
  }
  return got > 0;
}

/// Passes over a line above the limit.
Line LineReader::skip_oversized() {
  for (;;) {
    const std::size_t end = rest_.find('\n');
    if (end != std::string_view::npos) {
      rest_.remove_prefix(end + 1);
      break;
    }
    rest_ = {};
    if (!refill()) break;
  }
  return Line{.text = {}, .number = number_, .oversized = true};
}

std::optional<Line> LineReader::next() {
  std::size_t end = rest_.find('\n');
  while (end == std::string_view::npos && rest_.size() <= kMaxLineBytes) {
    const std::size_t searched = rest_.size();
    if (!refill()) break;
    end = rest_.find('\n', searched);
  }
  if (end == std::string_view::npos && rest_.empty()) return std::nullopt;
  ++number_;
  const std::size_t length = end == std::string_view::npos ? rest_.size() : end;
  if (length > kMaxLineBytes) return skip_oversized();
  const std::string_view line = rest_.substr(0, length);
  rest_.remove_prefix(end == std::string_view::npos ? length : length + 1);
  return Line{.text = without_carriage_return(line), .number = number_, .oversized = false};
}

}  // namespace moesim::workload
