// Board power: the tables of `power_gemm`, columns dtype, m, n, k, us, watt.
//
// Utilisations follow from the measured time. Group of a row: its n and k. Family: its k.
// Samples are watts.
// Layer: calibration.
#pragma once

#include <vector>

#include "calibration/study.h"

namespace moesim::calibration {

class PowerStudy final : public Study {
 public:
  [[nodiscard]] std::string_view operation() const override { return "power_gemm"; }
  [[nodiscard]] std::span<const std::string_view> folders() const override;
  [[nodiscard]] std::span<const std::string_view> labels() const override;
  void read(const CsvTable& table, const TableOrigin& origin) override;
  void predict(std::span<const std::int32_t> samples, std::span<const double> coefficients,
               std::span<double> predicted) const override;

 private:
  struct Utilisation {
    double compute = 0;
    double memory = 0;
  };
  std::vector<Utilisation> utilisations_;  ///< [sample]
};

}  // namespace moesim::calibration
