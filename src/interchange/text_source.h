// Bytes of a file, plain or gzipped, never more than a bound.
//
// Layer: interchange (internal).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace moesim::interchange {

/// Bounds of what is read, after decompression. A gzip file that grows beyond it is refused while
/// it is unpacked.
inline constexpr std::size_t kMaxTextBytes = std::size_t{256} << 20U;
inline constexpr std::size_t kMaxJsonBytes = std::size_t{64} << 20U;
inline constexpr std::size_t kMaxYamlBytes = std::size_t{4} << 20U;

[[nodiscard]] bool file_exists(const std::string& path);

/// Throws IoError if it cannot be read, InputError if it is larger than `most`.
[[nodiscard]] std::string read_bytes(const std::string& path, std::size_t most);

/// Undoes gzip if the bytes start with its magic number, else hands them back. Throws InputError on
/// damaged or cut data and on more than `most` bytes.
[[nodiscard]] std::string unpacked(std::string bytes, const std::string& name, std::size_t most);

/// Both, and drops a UTF-8 byte order mark.
[[nodiscard]] std::string read_text(const std::string& path, std::size_t most);

}  // namespace moesim::interchange
