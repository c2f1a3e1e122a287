// How far loads that drift push the fullest GPU: a soft maximum over the GPUs.
//
// Expert loads are multiplied by independent log-normal noise exp(s z). For any b > 0
//   E max_g load_g <= ln(sum_g E exp(b load_g)) / b,   E exp(b load_g) = prod E exp(b share exp(s
//   z))
// (Jensen; replicas on different GPUs need not be independent for it). With the effective load
// x(e) = ln(E exp(b share_e exp(s z))) / b a GPU adds exp(b sum x) to the sum: one addition per
// slot. b is the one of a grid with the least bound for the plan that is the measure of others.
// Plans are compared by these sums at a small and a large s. Expectations over z: 16 points up to 3
// standard deviations. Source of the bound: Boucheron, Lugosi, Massart, "Concentration
// Inequalities", 2013, section 2.5. Layer: strategies.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace moesim::strategies {

class DriftRisk {
 public:
  static constexpr std::array<double, 2> kNoise = {0.05, 0.33};
  static constexpr std::size_t kLevels = kNoise.size();
  using Sums = std::array<double, kLevels>;

  /// `share`: [expert] load of one replica; `slots`: the plan whose risk is the measure.
  /// `tolerance`: by what part of the largest load the bound may lie above the measure's.
  DriftRisk(std::span<const std::int32_t> slots, std::span<const double> share,
            std::size_t slots_per_gpu, const Sums& tolerance);

  /// A replica of the expert carries another share from now on.
  void set_share(std::size_t expert, double share);
  /// Effective loads of one replica of an expert.
  [[nodiscard]] const Sums& effective(std::size_t expert) const { return effective_[expert]; }
  /// What a GPU adds whose slots have effective loads `sum` together.
  [[nodiscard]] Sums of_gpu(const Sums& sum) const;
  /// Sums that a plan may have.
  [[nodiscard]] const Sums& limit() const { return limit_; }

 private:
  std::vector<Sums> effective_;  ///< [expert]
  Sums slope_{};                 ///< b
  Sums reference_{};             ///< Largest effective load of a GPU of the measure.
  Sums limit_{};
};

}  // namespace moesim::strategies
