#include "interchange/text_source.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <system_error>

#include "core/check.h"
#include "core/diagnostics.h"
#include "core/regular_file.h"
#include "interchange/findings.h"

namespace moesim::interchange {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 18U;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

[[noreturn]] void refuse_size(const std::string& name, std::size_t most) {
  refuse(name, 0, 0, fmt::format("is larger than {} MiB", most >> 20U), "split it");
}

struct Inflation {
  z_stream stream{};
  Inflation() {
    // 15 bits of window, +16: a gzip header is expected.
    MOESIM_CHECK(inflateInit2(&stream, 15 + 16) == Z_OK, "zlib starts");
  }
  ~Inflation() { inflateEnd(&stream); }
  Inflation(const Inflation&) = delete;
  Inflation& operator=(const Inflation&) = delete;
};

/// Unpacks one member of the file; moves `rest` behind it.
void unpack_member(std::string& rest, std::size_t& from, std::string& text, const std::string& name,
                   std::size_t most) {
  Inflation inflation;
  z_stream& z = inflation.stream;
  std::string piece(kPieceBytes, '\0');
  int code = Z_OK;
  while (code != Z_STREAM_END) {
    const std::size_t left = std::min<std::size_t>(rest.size() - from, 1U << 30U);
    z.next_in = reinterpret_cast<Bytef*>(rest.data() + from);
    z.avail_in = static_cast<uInt>(left);
    z.next_out = reinterpret_cast<Bytef*>(piece.data());
    z.avail_out = static_cast<uInt>(piece.size());
    code = inflate(&z, Z_NO_FLUSH);
    from += left - z.avail_in;
    const std::size_t got = piece.size() - z.avail_out;
    if (text.size() + got > most) refuse_size(name, most);
    text.append(piece, 0, got);
    if (code == Z_BUF_ERROR || (code == Z_OK && got == 0 && from >= rest.size())) {
      refuse(name, 0, 0, "the gzip data end too early", "was the file cut when it was copied?");
    }
    if (code != Z_OK && code != Z_STREAM_END) refuse(name, 0, 0, "the gzip data are damaged");
  }
}

}  // namespace

bool file_exists(const std::string& path) {
  std::error_code code;
  return std::filesystem::exists(path, code);
}

std::string read_bytes(const std::string& path, std::size_t most) {
  check_regular_file(path);
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  if (!file) throw IoError(path + ": cannot be opened: " + std::strerror(errno));
  std::string bytes;
  std::string piece(kPieceBytes, '\0');
  while (const std::size_t got = std::fread(piece.data(), 1, piece.size(), file.get())) {
    if (bytes.size() + got > most) refuse_size(path, most);
    bytes.append(piece, 0, got);
  }
  if (std::ferror(file.get()) != 0) {
    throw IoError(path + ": cannot be read: " + std::strerror(errno));
  }
  return bytes;
}

std::string unpacked(std::string bytes, const std::string& name, std::size_t most) {
  if (!bytes.starts_with("\x1f\x8b")) return bytes;
  std::string text;
  std::size_t from = 0;
  // A gzip file may be several, one behind the other.
  while (from < bytes.size()) {
    if (from > 0 && !std::string_view(bytes).substr(from).starts_with("\x1f\x8b")) {
      refuse(name, 0, 0, "has something else behind the gzip data");
    }
    unpack_member(bytes, from, text, name, most);
  }
  return text;
}

std::string read_text(const std::string& path, std::size_t most) {
  std::string text = unpacked(read_bytes(path, most), path, most);
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  return text;
}

}  // namespace moesim::interchange
