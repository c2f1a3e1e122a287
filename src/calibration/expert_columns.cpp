#include "calibration/expert_columns.h"

#include <fmt/format.h>

#include <limits>

namespace moesim::calibration {

ExpertColumns::ExpertColumns(const CsvTable& table)
    : dtype(table.column("dtype")),
      hidden(table.column("hidden")),
      inter(table.column("inter")),
      topk(table.column("topk")),
      experts(table.column("experts")),
      ep(table.column("ep")),
      alpha(table.column("alpha")),
      tokens(table.column("tokens")),
      us(table.column("us")) {}

operators::KernelFormat ExpertColumns::format(const CsvTable& table, std::size_t row) const {
  const auto format = operators::kernel_format(table.text(row, dtype));
  if (!format) {
    std::string known;
    for (const std::string_view name : operators::kernel_dtypes()) {
      known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
    }
    table.fail(row, dtype, "no such number format", "known: " + known);
  }
  return *format;
}

operators::ExpertShape ExpertColumns::shape(const CsvTable& table, std::size_t row) const {
  return {.hidden = table.whole(row, hidden, 1),
          .intermediate = table.whole(row, inter, 1),
          .matrices = 3};
}

LoadDrawSpec ExpertColumns::load(const CsvTable& table, std::size_t row) const {
  const LoadDrawSpec spec{.tokens = table.whole(row, tokens, 1),
                          .experts = table.whole(row, experts, 1),
                          .topk = table.whole(row, topk, 1),
                          .ranks = table.whole(row, ep, 1),
                          .exponent = table.number(row, alpha)};
  if (spec.experts > kMostTableExperts) {
    table.fail(row, experts, "more experts than any model has",
               fmt::format("give at most {}", kMostTableExperts));
  }
  if (spec.topk > spec.experts) {
    table.fail(row, topk, "a token picks more experts than there are",
               "give at most the number of experts");
  }
  if (spec.experts % spec.ranks != 0) {
    table.fail(row, ep, "the experts do not divide over the ranks",
               "give a divisor of the number of experts");
  }
  if (spec.tokens > kMostTableTokens ||
      spec.tokens > std::numeric_limits<std::int32_t>::max() / spec.topk) {
    table.fail(row, tokens, "more tokens than one kernel serves",
               fmt::format("give at most {}", kMostTableTokens));
  }
  constexpr double kSteepest = 8.0;
  if (spec.exponent > kSteepest) {
    table.fail(row, alpha, "steeper than any measured load", "give an exponent from 0 to 8");
  }
  return spec;
}

}  // namespace moesim::calibration
