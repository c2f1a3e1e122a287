// Lines of a text, from memory or from a file read in pieces, with bounded memory.
//
// LF and CRLF end a line; the last one may lack its end. A UTF-8 byte order mark is dropped.
// Layer: workload (internal).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moesim::workload {

inline constexpr std::size_t kMaxLineBytes = std::size_t{1} << 20;

struct Line {
  std::string_view text;  ///< Without its end; valid until the next call.
  std::int64_t number = 0;
  bool oversized = false;  ///< Above kMaxLineBytes; `text` is empty.
};

class LineReader {
 public:
  /// Over memory that outlives the reader.
  explicit LineReader(std::string_view bytes);
  /// Over a file. Throws IoError if it cannot be opened or is no regular file.
  static LineReader open(const std::string& path);

  /// The next line; empty at the end. Throws IoError if the file cannot be read.
  [[nodiscard]] std::optional<Line> next();
  /// True if the text has no byte at all.
  [[nodiscard]] bool empty_text() const { return !any_bytes_; }

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  LineReader() = default;
  bool refill();
  void drop_byte_order_mark();
  Line skip_oversized();

  std::unique_ptr<std::FILE, CloseFile> file_;  ///< Null: the whole text is in `rest_`.
  std::string path_;
  std::vector<char> buffer_;
  std::string_view rest_;  ///< Bytes not yet handed out.
  std::int64_t number_ = 0;
  bool any_bytes_ = false;
  bool at_end_ = false;  ///< Nothing more can be read behind `rest_`.
};

}  // namespace moesim::workload
