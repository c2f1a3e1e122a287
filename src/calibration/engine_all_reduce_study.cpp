#include "calibration/engine_all_reduce_study.h"

#include <array>

#include "operators/engine_all_reduce_curve.h"

namespace moesim::calibration {
namespace {

constexpr std::array<std::string_view, 1> kFolders{"allreduce_custom"};
constexpr std::array<std::string_view, 1> kLabels{"engine all-reduce"};
constexpr std::int64_t kMostBytes = std::int64_t{1} << 50;

}  // namespace

std::span<const std::string_view> EngineAllReduceStudy::folders() const { return kFolders; }
std::span<const std::string_view> EngineAllReduceStudy::labels() const { return kLabels; }

void EngineAllReduceStudy::read(const CsvTable& table, const TableOrigin& origin) {
  const Column gpus = table.column("gpus");
  const Column bytes = table.column("bytes");
  const Column us = table.column("us");
  const std::int32_t curve = curve_index(origin, "", origin.engine);
  for (std::size_t r = 0; r < table.rows(); ++r) {
    const Row row{.gpus = table.whole(r, gpus, 2),
                  .bytes = static_cast<double>(table.whole(r, bytes, 1, kMostBytes)) * kByte};
    rows_.push_back(row);
    add({.curve = curve,
         .label = 0,
         .group = group_hash({row.gpus}),
         .family = 0,
         .measured = table.positive(r, us) * 1e-6});
  }
}

void EngineAllReduceStudy::predict(std::span<const std::int32_t> samples,
                                   std::span<const double> coefficients,
                                   std::span<double> predicted) const {
  if (samples.empty()) return;
  const std::int32_t index = this->samples()[static_cast<std::size_t>(samples.front())].curve;
  const operators::EngineAllReduceCurve curve(operators::scale_up_link(gpu_of(index)),
                                              curves()[static_cast<std::size_t>(index)].engine,
                                              coefficients);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Row& row = rows_[static_cast<std::size_t>(samples[i])];
    predicted[i] = curve.time(row.gpus, row.bytes) / kSecond;
  }
}

}  // namespace moesim::calibration
