// Feeds arbitrary bytes to every quantity parser: each answers with a finite value that prints and
// reads back, or with a message and a hint on one line.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#include "core/check.h"
#include "core/quantity.h"

namespace {

using namespace moesim;

template <class Q>
void check(const Parsed<Q>& parsed) {
  if (const auto* error = std::get_if<QuantityError>(&parsed)) {
    MOESIM_CHECK(!error->message.empty() && !error->hint.empty(), "an error without explanation");
    MOESIM_CHECK(error->message.find('\n') == std::string::npos, "a message of two lines");
    MOESIM_CHECK(error->hint.find('\n') == std::string::npos, "a hint of two lines");
    MOESIM_CHECK(error->message.size() + error->hint.size() < 1000, "an error without bound");
  } else {
    MOESIM_CHECK(std::isfinite(std::get<Q>(parsed).base()), "a quantity that is not finite");
  }
}

template <class Q, class Parse, class Format>
void check_round_trip(std::string_view text, Parse parse, Format format) {
  const Parsed<Q> parsed = parse(text);
  check(parsed);
  if (const Q* value = std::get_if<Q>(&parsed)) {
    const Parsed<Q> again = parse(format(*value));
    MOESIM_CHECK(std::holds_alternative<Q>(again), "a printed quantity does not read back");
    MOESIM_CHECK(std::get<Q>(again) == *value, "a printed quantity reads back as another");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  check_round_trip<Seconds>(text, parse_seconds, format_seconds);
  check_round_trip<Bytes>(text, parse_bytes, format_bytes);
  check_round_trip<BytesPerSecond>(text, parse_bandwidth, format_bandwidth);
  check(parse_flops(text));
  check(parse_price_rate(text));
  check(parse_dollars(text));
  check(parse_rate(text));
  check(parse_power(text));
  return 0;
}
