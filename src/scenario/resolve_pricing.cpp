// What a GPU costs: set in the scenario, or a dated rent of the catalog.
#include <fmt/format.h>

#include <utility>

#include "core/text.h"
#include "scenario/quantity_field.h"
#include "scenario/resolver.h"

namespace moesim::scenario {
namespace {

constexpr const char* kRentUnit = "USD/GPU-h";
constexpr const char* kDefaultTerm = "on-demand";

bool is_rent_of(const catalog::Price& price, const catalog::Gpu& gpu) {
  return price.category == "rent" && price.unit == kRentUnit &&
         equal_ignoring_case(price.gpu, gpu.name);
}

}  // namespace

const catalog::Price* Resolver::chosen_price(const proto::Pricing& pricing) {
  const catalog::Gpu& gpu = scenario_.deployment.cluster.gpu;
  if (!pricing.has_provider()) {
    const catalog::Price* price = catalog_.rent_of(gpu.name);
    if (price == nullptr) {
      scenario_.pricing.known = false;
      note(fmt::format("no on-demand rent of {} in the catalog: set pricing.gpu_price for costs",
                       gpu.name));
    }
    return price;
  }
  const std::string term = pricing.has_term() ? pricing.term() : kDefaultTerm;
  const catalog::Price* best = nullptr;
  std::vector<std::string> providers;
  std::string terms;
  for (const catalog::Price& price : catalog_.prices) {
    if (!is_rent_of(price, gpu)) continue;
    providers.push_back(price.provider);
    if (!equal_ignoring_case(price.provider, pricing.provider())) continue;
    terms += (terms.empty() ? "" : ", ") + price.term;
    if (!equal_ignoring_case(price.term, term)) continue;
    if (pricing.has_date() && price.date != pricing.date()) continue;
    if (best == nullptr || price.date > best->date) best = &price;
  }
  if (best != nullptr) return best;
  if (!terms.empty()) {
    error(pricing.has_date() ? "pricing.date" : "pricing.term",
          fmt::format("{} has no rent of {} with term {}{}", pricing.provider(), gpu.name,
                      shown(term), pricing.has_date() ? " and date " + shown(pricing.date()) : ""),
          "its terms: " + terms);
    return nullptr;
  }
  const std::string nearest = did_you_mean(pricing.provider(), providers);
  error("pricing.provider",
        fmt::format("rents out no {} in the catalog, got {}", gpu.name, shown(pricing.provider())),
        nearest.empty() ? "see moesim catalog list prices, or set gpu_price" : nearest);
  return nullptr;
}

void Resolver::resolve_electricity(proto::Pricing& pricing) {
  if (!pricing.has_usd_per_kwh()) {
    for (const catalog::Price& price : catalog_.prices) {
      if (price.category != "power" || price.unit != "USD/kWh") continue;
      pricing.set_usd_per_kwh((price.low + price.high) / 2.0);
      break;
    }
  }
  constexpr double kMostUsdPerKwh = 10.0;
  scenario_.pricing.usd_per_kwh =
      checked_real(findings_, "pricing.usd_per_kwh", pricing.usd_per_kwh(), 0.0, LowEnd::Included,
                   kMostUsdPerKwh);
}

void Resolver::resolve_pricing() {
  constexpr QuantityRange kRange{"0 USD/h", LowEnd::Included, "10000 USD/h"};
  proto::Pricing& pricing = *message_.mutable_pricing();
  cost::Pricing& result = scenario_.pricing;
  if (!pricing.has_hours_per_month()) pricing.set_hours_per_month(730.0);
  result.hours_per_month = checked_real(findings_, "pricing.hours_per_month",
                                        pricing.hours_per_month(), 0.0, LowEnd::Excluded, 744.0);
  resolve_electricity(pricing);
  if (pricing.has_gpu_price()) {
    for (const auto& [given, field] : {std::pair{pricing.has_provider(), "pricing.provider"},
                                       std::pair{pricing.has_term(), "pricing.term"},
                                       std::pair{pricing.has_date(), "pricing.date"}}) {
      if (given) error(field, "does not go with gpu_price", "keep one of them");
    }
    const auto price = checked_quantity<DollarsPerSecond>(
        findings_, "pricing.gpu_price", pricing.gpu_price(), parse_price_rate, kRange);
    if (price) result.per_gpu = *price;
    result.provider = "set in the scenario";
    return;
  }
  if (!pricing.has_provider()) {
    for (const auto& [given, field] : {std::pair{pricing.has_term(), "pricing.term"},
                                       std::pair{pricing.has_date(), "pricing.date"}}) {
      if (given) {
        error(field, "says nothing without pricing.provider",
              "name the provider: moesim catalog list prices");
      }
    }
  }
  if (!has_gpu_) return;
  const catalog::Price* price = chosen_price(pricing);
  if (price == nullptr) return;
  // A band is priced at its middle.
  result.per_gpu = (price->low + price->high) / 2.0 * 1.0_USDph;
  result.provider = price->provider;
  result.term = price->term;
  result.date = price->date;
  result.source = price->source;
  pricing.set_provider(price->provider);
  pricing.set_term(price->term);
  pricing.set_date(price->date);
  note(fmt::format("{} rented at {} USD/GPU-h: {}, {}, {}", scenario_.deployment.cluster.gpu.name,
                   format_number(result.per_gpu / 1.0_USDph), price->provider, price->term,
                   price->date));
}

}  // namespace moesim::scenario
