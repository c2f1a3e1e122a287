// Offsets a(l,e) of one layer such that the tokens drawn there load each expert as prescribed.
//
// Steps: a rough fit on a few tokens, then a fine one on all of them. In the fine fit an offset
//        moves by at most kMargin, so only the experts that can still be chosen are looked at:
//        their choice is exactly that of a race among all.
// Start: scores of an expert as normal with deviation s = sqrt(beta^2 |v|^2 / D + pi^2 / 6), all
// cut
//        off at one height: a = -s z, z the normal quantile of the wanted share.
// Step:  a += gain ln(wanted / got) / slope, slope = hazard(z) / s, at most 1: what ln load grows
// by
//        with a. The gain of an expert falls when its error changes sign, and grows when it does
//        not shrink.
// Layer: routing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "routing/expert_race.h"

namespace moesim::routing {

/// Moves the offsets of one layer's experts towards prescribed shares.
class OffsetFit {
 public:
  /// `variance` of each expert's affinity over the tokens: beta^2 |v|^2 / D.
  OffsetFit(const RaceLayout& layout, std::span<const double> share,
            std::span<const double> variance);
  /// exp(-a) by place, 1 where nobody stands.
  [[nodiscard]] const std::vector<float>& factor() const { return factor_; }
  /// From here on no offset moves further than `margin` from where it is.
  void stay_within(double margin);
  /// True if an offset is as far as it may go.
  [[nodiscard]] bool at_margin() const;
  /// exp(-(a - a at stay_within)) by place.
  [[nodiscard]] std::vector<float> change() const;
  /// Takes the counts of `tokens` tokens; true if they are good enough. Else moves the offsets.
  [[nodiscard]] bool improve(std::span<const std::int64_t> count, std::int64_t tokens);

 private:
  void set_factors();

  RaceLayout layout_;
  std::vector<double> share_;
  std::vector<double> slope_;
  std::vector<double> gain_;
  std::vector<double> error_;  ///< ln(wanted / got) of the last round.
  std::vector<double> offset_;
  std::vector<double> centre_;
  double margin_ = 1e9;
  std::vector<float> factor_;
};

}  // namespace moesim::routing
