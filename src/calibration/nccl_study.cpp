#include "calibration/nccl_study.h"

#include <array>

namespace moesim::calibration {
namespace {

using operators::CollectiveOp;

constexpr std::array<std::string_view, 1> kFolders{"nccl"};
constexpr std::array<std::string_view, 1> kLabels{"NCCL in a node"};
constexpr std::int64_t kMostBytes = std::int64_t{1} << 50;

struct NamedOp {
  std::string_view name;
  CollectiveOp op;
};
constexpr std::array<NamedOp, 4> kOps{{{"all_reduce", CollectiveOp::AllReduce},
                                       {"all_gather", CollectiveOp::AllGather},
                                       {"reduce_scatter", CollectiveOp::ReduceScatter},
                                       {"alltoall", CollectiveOp::AllToAll}}};

CollectiveOp op_of(const CsvTable& table, std::size_t row, Column column) {
  for (const NamedOp& known : kOps) {
    if (table.text(row, column) == known.name) return known.op;
  }
  table.fail(row, column, "there is no collective of that name",
             "use all_reduce, all_gather, reduce_scatter or alltoall");
}

}  // namespace

std::span<const std::string_view> NcclStudy::folders() const { return kFolders; }
std::span<const std::string_view> NcclStudy::labels() const { return kLabels; }

void NcclStudy::read(const CsvTable& table, const TableOrigin& origin) {
  const Column op = table.column("op");
  const Column gpus = table.column("gpus");
  const Column bytes = table.column("bytes");
  const Column us = table.column("us");
  const std::int32_t curve = curve_index(origin, "", origin.engine);
  for (std::size_t r = 0; r < table.rows(); ++r) {
    const Row row{.op = op_of(table, r, op),
                  .gpus = table.whole(r, gpus, 2),
                  .bytes = static_cast<double>(table.whole(r, bytes, 1, kMostBytes)) * kByte};
    rows_.push_back(row);
    add({.curve = curve,
         .label = 0,
         .group = group_hash({static_cast<std::int64_t>(row.op), row.gpus}),
         .family = group_hash({row.gpus}),
         .measured = table.positive(r, us) * 1e-6});
  }
}

void NcclStudy::predict(std::span<const std::int32_t> samples, std::span<const double> coefficients,
                        std::span<double> predicted) const {
  if (samples.empty()) return;
  const Sample& first = this->samples()[static_cast<std::size_t>(samples.front())];
  const operators::NcclCurve curve(operators::scale_up_link(gpu_of(first.curve)), coefficients);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Row& row = rows_[static_cast<std::size_t>(samples[i])];
    predicted[i] = curve.time(row.op, row.gpus, row.bytes) / kSecond;
  }
}

}  // namespace moesim::calibration
