#include "interchange/safetensors.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <optional>
#include <utility>

#include "interchange/json_text.h"

namespace moesim::interchange {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxHeaderBytes = std::size_t{16} << 20U;

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = value << 8U | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

/// Fields of one tensor; what is wrong with them otherwise.
struct Entry {
  std::size_t value_bytes = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string problem;
};

Entry read_entry(simdjson::dom::element value, std::size_t payload, std::int64_t most_values) {
  const auto problem = [](std::string text) { return Entry{0, 0, 0, std::move(text)}; };
  simdjson::dom::object object;
  std::string_view type;
  simdjson::dom::array shape;
  simdjson::dom::array offsets;
  if (value.get(object) != simdjson::SUCCESS || object["dtype"].get(type) != simdjson::SUCCESS ||
      object["shape"].get(shape) != simdjson::SUCCESS ||
      object["data_offsets"].get(offsets) != simdjson::SUCCESS) {
    return problem("needs dtype, shape and data_offsets");
  }
  if (type != "I32" && type != "I64") {
    return problem("expected I32 or I64 numbers, got " + in_quotes(type));
  }
  Entry entry{.value_bytes = type == "I32" ? std::size_t{4} : std::size_t{8},
              .begin = 0,
              .end = 0,
              .problem = {}};
  std::int64_t length = 0;
  if (shape.size() != 1 || shape.at(0).get(length) != simdjson::SUCCESS || length < 1 ||
      length > most_values) {
    return problem(fmt::format("expected one dimension of 1..{} values, got shape {}", most_values,
                               in_quotes(simdjson::minify(shape))));
  }
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  if (offsets.size() != 2 || offsets.at(0).get(begin) != simdjson::SUCCESS ||
      offsets.at(1).get(end) != simdjson::SUCCESS || begin > end || end > payload) {
    return problem(fmt::format("its data_offsets {} do not lie in the file's {} bytes of data",
                               in_quotes(simdjson::minify(offsets)), payload));
  }
  if (end - begin != static_cast<std::uint64_t>(length) * entry.value_bytes) {
    return problem(fmt::format("has {} bytes for {} values", end - begin, length));
  }
  entry.begin = begin;
  entry.end = end;
  return entry;
}

std::vector<std::int64_t> read_values(std::string_view bytes, std::size_t value_bytes) {
  std::vector<std::int64_t> values;
  values.reserve(bytes.size() / value_bytes);
  for (std::size_t i = 0; i < bytes.size(); i += value_bytes) {
    const std::uint64_t raw = little_endian(bytes.substr(i, value_bytes));
    values.push_back(value_bytes == 4
                         ? static_cast<std::int64_t>(static_cast<std::int32_t>(raw & 0xffffffffU))
                         : static_cast<std::int64_t>(raw));
  }
  return values;
}

}  // namespace

std::vector<NumberTensor> parse_safetensors(std::string_view bytes, std::int64_t most_values,
                                            Findings& findings) {
  std::vector<NumberTensor> tensors;
  if (bytes.size() < kLengthBytes) {
    findings.add(0, 0, "", "is too short for a safetensors file");
    return tensors;
  }
  const std::uint64_t length = little_endian(bytes.substr(0, kLengthBytes));
  if (length > kMaxHeaderBytes || length > bytes.size() - kLengthBytes) {
    findings.add(0, 0, "",
                 fmt::format("its header should have {} bytes, the file has {}", length,
                             bytes.size() - kLengthBytes),
                 "is it a safetensors file, and whole?");
    return tensors;
  }
  const std::string_view header = bytes.substr(kLengthBytes, length);
  const std::string_view payload = bytes.substr(kLengthBytes + length);
  const JsonText json(header, findings.file());
  simdjson::dom::object object;
  if (json.root().get(object) != simdjson::SUCCESS) {
    findings.add(0, 0, "", "its header is no JSON object");
    return tensors;
  }
  for (const auto field : object) {
    if (field.key == "__metadata__") continue;
    const Entry entry = read_entry(field.value, payload.size(), most_values);
    if (!entry.problem.empty()) {
      findings.add(0, 0, "tensor " + in_quotes(field.key), entry.problem);
      if (findings.full()) break;
      continue;
    }
    tensors.push_back(
        {std::string(field.key),
         read_values(payload.substr(entry.begin, entry.end - entry.begin), entry.value_bytes)});
  }
  return tensors;
}

}  // namespace moesim::interchange
