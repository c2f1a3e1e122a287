// Reads the table of a client pool.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "workload/line_reader.h"
#include "workload/model.h"
#include "workload/row_parser.h"

namespace moesim::workload {
namespace {

constexpr std::string_view kHeader = "client_id,window,rate_per_s,family,shape";
constexpr std::int64_t kMaxWindows = 1'000'000;

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || after != end) return std::nullopt;
  return value;
}

class PoolReader {
 public:
  explicit PoolReader(std::string_view file_name) : file_name_(file_name) {
    pool_.file = file_name_;
  }

  void read_line(const Line& line) {
    line_ = line.number;
    if (line.oversized) return bad("", "the line is too long");
    if (line.text.empty()) return;
    if (line.text.starts_with('#')) return read_setting(line.text);
    if (!header_seen_) {
      header_seen_ = true;
      if (line.text != kHeader) bad("", fmt::format("expected the header {}", kHeader));
      return;
    }
    read_row(line.text);
  }

  ClientPool finish() {
    if (!(pool_.window.base() > 0.0)) bad("window_s", "missing or not above 0");
    if (pool_.windows_per_period < 1) bad("windows_per_period", "missing or below 1");
    if (pool_.clients.empty()) bad("", "the table has no client");
    for (const Client& client : pool_.clients) {
      if (client.windows.back().window >= pool_.windows_per_period) {
        bad("window", fmt::format("client {} has a window beyond the period of {}", client.id,
                                  pool_.windows_per_period));
      }
    }
    if (!found_.empty()) throw InputError(std::move(found_));
    return std::move(pool_);
  }

 private:
  void bad(std::string field, std::string message) {
    constexpr std::size_t kListed = 20;
    if (found_.size() >= kListed) return;
    found_.push_back({.file = file_name_,
                      .line = static_cast<int>(line_),
                      .column = 1,
                      .field = std::move(field),
                      .message = std::move(message),
                      .hint = ""});
  }

  /// "# name=value"; other comments are for people.
  void read_setting(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of("# "), text.size()));
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) return;
    const std::string_view name = text.substr(0, equals);
    const std::string_view value = text.substr(equals + 1);
    if (name == "window_s") {
      pool_.window = Seconds::from_base(number_in<double>(value).value_or(0.0));
    } else if (name == "windows_per_period") {
      const std::int64_t count = number_in<std::int64_t>(value).value_or(0);
      if (count <= kMaxWindows) pool_.windows_per_period = static_cast<std::int32_t>(count);
    }
  }

  void read_row(std::string_view text) {
    std::array<std::string_view, 5> field;
    for (std::size_t i = 0; i < field.size(); ++i) {
      const std::size_t comma = text.find(',');
      const bool last = i + 1 == field.size();
      if ((comma == std::string_view::npos) != last) return bad("", "expected 5 fields");
      field[i] = text.substr(0, comma);
      if (!last) text.remove_prefix(comma + 1);
    }
    const auto id = number_in<std::int32_t>(field[0]);
    const auto window = number_in<std::int32_t>(field[1]);
    const auto rate = number_in<double>(field[2]);
    const auto shape = number_in<double>(field[4]);
    if (!id || *id < 0) return bad("client_id", "expected a number, got " + in_quotes(field[0]));
    if (!window || *window < 0)
      return bad("window", "expected a number, got " + in_quotes(field[1]));
    if (!rate || !std::isfinite(*rate) || *rate < 0.0 || *rate > 1e9) {
      return bad("rate_per_s", "expected a rate of at least 0, got " + in_quotes(field[2]));
    }
    if (field[3] != "gamma" && field[3] != "weibull") {
      return bad("family", "expected gamma or weibull, got " + in_quotes(field[3]));
    }
    const GapFamily family = field[3] == "gamma" ? GapFamily::Gamma : GapFamily::Weibull;
    const double least = family == GapFamily::Gamma ? 1e-3 : 0.1;
    if (!shape || !(*shape >= least && *shape <= 1e6)) {
      return bad("shape", fmt::format("expected a number of at least {}, got {}", least,
                                      in_quotes(field[4])));
    }
    if (pool_.clients.empty() || pool_.clients.back().id != *id) {
      if (!pool_.clients.empty() && pool_.clients.back().id > *id) {
        return bad("client_id", "clients must ascend");
      }
      pool_.clients.push_back({.id = *id, .windows = {}});
    }
    std::vector<ClientWindow>& windows = pool_.clients.back().windows;
    if (!windows.empty() && windows.back().window >= *window) {
      return bad("window", "the windows of a client must ascend");
    }
    windows.push_back({.window = *window,
                       .family = family,
                       .rate = PerSecond::from_base(*rate),
                       .shape = *shape});
  }

  std::string file_name_;
  ClientPool pool_;
  std::vector<Diagnostic> found_;
  std::int64_t line_ = 0;
  bool header_seen_ = false;
};

}  // namespace

ClientPool read_client_pool(std::string_view bytes, std::string_view file_name) {
  LineReader lines(bytes);
  PoolReader reader(file_name);
  while (const std::optional<Line> line = lines.next()) reader.read_line(*line);
  return reader.finish();
}

}  // namespace moesim::workload
