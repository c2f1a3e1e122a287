// Rows of the JSON-lines layouts: Mooncake, its session/delay form, Bailian.
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "workload/line_reader.h"
#include "workload/row_parser.h"

namespace moesim::workload {
namespace {

constexpr std::int32_t kMooncakeBlockTokens = 512;
constexpr std::int32_t kBailianBlockTokens = 16;

class JsonlParser final : public RowParser {
 public:
  explicit JsonlParser(std::int32_t block_tokens)
      : block_tokens_(block_tokens), parser_(kMaxLineBytes + simdjson::SIMDJSON_PADDING) {}

  bool parse(std::string_view line) override {
    line_ = line;
    // simdjson reads a few bytes behind the text.
    buffer_.resize(line.size() + simdjson::SIMDJSON_PADDING);
    std::memcpy(buffer_.data(), line.data(), line.size());
    std::memset(buffer_.data() + line.size(), 0, simdjson::SIMDJSON_PADDING);
    simdjson::dom::element root;
    if (const auto error = parser_.parse(buffer_.data(), line.size(), false).get(root)) {
      return fail(1, "",
                  fmt::format("not a JSON object: {} in {}", error_text(error), in_quotes(line)));
    }
    simdjson::dom::object object;
    if (root.get(object) != simdjson::SUCCESS) {
      return fail(1, "", "expected a JSON object, got " + printable(line));
    }
    row_.is_delay = false;
    row_.session = -1;
    bailian_ = object["chat_id"].error() == simdjson::SUCCESS;
    return read_session(object) && read_time(object) && read_tokens(object) &&
           read_hash_ids(object);
  }

  std::string layout() const override { return bailian_ ? "Bailian JSONL" : "Mooncake JSONL"; }
  std::string time_field() const override { return row_.is_delay ? "delay" : "timestamp"; }
  std::int32_t hash_block_tokens() const override {
    if (!any_hash_ids_) return 0;
    return block_size();
  }

 private:
  static std::string_view error_text(simdjson::error_code error) {
    return error == simdjson::UTF8_ERROR ? "not UTF-8" : simdjson::error_message(error);
  }

  std::int32_t block_size() const {
    if (block_tokens_ > 0) return block_tokens_;
    return bailian_ ? kBailianBlockTokens : kMooncakeBlockTokens;
  }

  /// Column, from 1, of a key; 1 if it is not there.
  std::int64_t column_of(std::string_view key) const {
    const std::size_t at = line_.find(fmt::format("\"{}\"", key));
    return at == std::string_view::npos ? 1 : static_cast<std::int64_t>(at) + 1;
  }

  bool bad(std::string_view key, std::string message, std::string hint = {}) {
    return fail(column_of(key), key, std::move(message), std::move(hint));
  }

  static std::string shown(simdjson::dom::element value) {
    return printable(simdjson::minify(value));
  }

  bool read_session(const simdjson::dom::object& object) {
    if (bailian_) return read_chat(object);
    simdjson::dom::element value;
    if (object["session_id"].get(value) != simdjson::SUCCESS || value.is_null()) return true;
    row_.session = sessions_.of(simdjson::minify(value));
    return true;
  }

  /// A turn belongs to the session of its parent; one without a parent starts a session.
  bool read_chat(const simdjson::dom::object& object) {
    std::int64_t chat = 0;
    if (object["chat_id"].get(chat) != simdjson::SUCCESS) {
      return bad("chat_id", "expected a whole number, got " + shown(object["chat_id"].value()));
    }
    std::int64_t parent = -1;
    if (object["parent_chat_id"].error() == simdjson::SUCCESS &&
        object["parent_chat_id"].get(parent) != simdjson::SUCCESS) {
      return bad("parent_chat_id",
                 "expected a whole number, got " + shown(object["parent_chat_id"].value()));
    }
    const auto found = session_of_chat_.find(parent);
    row_.session = found != session_of_chat_.end()
                       ? found->second
                       : sessions_.of(std::to_string(parent >= 0 ? parent : chat));
    session_of_chat_[chat] = row_.session;
    return true;
  }

  bool read_time(const simdjson::dom::object& object) {
    simdjson::dom::element timestamp;
    simdjson::dom::element delay;
    const bool has_timestamp = object["timestamp"].get(timestamp) == simdjson::SUCCESS;
    const bool has_delay = object["delay"].get(delay) == simdjson::SUCCESS;
    if (has_timestamp && has_delay) return bad("delay", "a row has either timestamp or delay");
    if (!has_timestamp && !has_delay) return bad("timestamp", "missing");
    row_.is_delay = has_delay;
    const std::string_view key = has_delay ? "delay" : "timestamp";
    row_.time_column = column_of(key);
    const simdjson::dom::element value = has_delay ? delay : timestamp;
    double count = 0.0;
    if (!value.is_number() || value.get(count) != simdjson::SUCCESS) {
      return bad(key, fmt::format("expected a number of {}, got {}",
                                  bailian_ ? "seconds" : "milliseconds", shown(value)));
    }
    if (count < 0.0) return bad(key, "must not be negative, got " + shown(value));
    const std::optional<TraceTime> time = time_from_number(count, bailian_ ? 1.0 : 1000.0);
    if (!time) return bad(key, "beyond any clock, got " + shown(value));
    if (has_delay && row_.session < 0) return bad(key, "a delay needs a session_id");
    row_.time = *time;
    return true;
  }

  std::optional<std::int32_t> read_count(const simdjson::dom::object& object,
                                         std::string_view key) {
    simdjson::dom::element value;
    if (object[key].get(value) != simdjson::SUCCESS) {
      bad(key, "missing");
      return std::nullopt;
    }
    std::int64_t count = 0;
    if (value.get(count) != simdjson::SUCCESS) {
      bad(key, "expected a whole number of tokens, got " + shown(value));
      return std::nullopt;
    }
    if (count < 1 || count > kMaxTokens) {
      bad(key, token_count_problem(count));
      return std::nullopt;
    }
    return static_cast<std::int32_t>(count);
  }

  bool read_tokens(const simdjson::dom::object& object) {
    const std::optional<std::int32_t> input = read_count(object, "input_length");
    if (!input) return false;
    const std::optional<std::int32_t> output = read_count(object, "output_length");
    if (!output) return false;
    row_.input_tokens = *input;
    row_.output_tokens = *output;
    return true;
  }

  bool read_hash_ids(const simdjson::dom::object& object) {
    row_.hash_ids.clear();
    simdjson::dom::element value;
    if (object["hash_ids"].get(value) != simdjson::SUCCESS) return true;
    simdjson::dom::array ids;
    if (value.get(ids) != simdjson::SUCCESS) {
      return bad("hash_ids", "expected a list of block ids, got " + shown(value));
    }
    for (const simdjson::dom::element id : ids) {
      std::uint64_t number = 0;
      if (id.get(number) != simdjson::SUCCESS) {
        return bad("hash_ids", "expected a block id of 0 or more, got " + shown(id));
      }
      row_.hash_ids.push_back(number);
    }
    if (row_.hash_ids.empty()) return true;
    // The last block may be partial; some writers leave it out.
    const auto count = static_cast<std::int64_t>(row_.hash_ids.size());
    const std::int64_t full = row_.input_tokens / block_size();
    const std::int64_t all = (row_.input_tokens + block_size() - 1) / block_size();
    if (count != full && count != all) {
      return bad("hash_ids",
                 fmt::format("{} input tokens are {} blocks of {}, got {} ids", row_.input_tokens,
                             all, block_size(), count),
                 "is the block size of this trace another one?");
    }
    any_hash_ids_ = true;
    return true;
  }

  std::int32_t block_tokens_;
  simdjson::dom::parser parser_;
  std::vector<char> buffer_;
  std::string_view line_;
  SessionNumbers sessions_;
  std::unordered_map<std::int64_t, std::int32_t> session_of_chat_;
  bool bailian_ = false;
  bool any_hash_ids_ = false;
};

}  // namespace

std::unique_ptr<RowParser> make_jsonl_parser(std::int32_t hash_block_tokens) {
  return std::make_unique<JsonlParser>(hash_block_tokens);
}

}  // namespace moesim::workload
