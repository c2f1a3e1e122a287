// One operation and its measurements: what is fitted and what is scored.
//
// A study reads the tables of its folder(s) into samples, says which curve each belongs to, and
// predicts samples from coefficients. Fitting, folds and scores are the same for all of them.
// Layer: calibration.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "calibration/csv_table.h"
#include "catalog/catalog.h"
#include "catalog/curve.h"
#include "operators/coefficient.h"

namespace moesim::calibration {

/// One measured latency.
struct Sample {
  std::int32_t curve = 0;    ///< Index into Study::curves().
  std::int32_t label = 0;    ///< Index into Study::labels(): the line it is scored under.
  std::uint64_t group = 0;   ///< group_hash() of its configuration: folds never split a group.
  std::uint64_t family = 0;  ///< Hash of the coarser group (a whole shape, a node count); 0: none.
  double measured = 0;       ///< In the unit of the study: seconds (watts for power).
};

/// Hash of a configuration, e.g. group_hash({m, n, k}). Never 0.
[[nodiscard]] std::uint64_t group_hash(std::span<const std::int64_t> configuration);
[[nodiscard]] inline std::uint64_t group_hash(std::initializer_list<std::int64_t> configuration) {
  return group_hash(std::span<const std::int64_t>(configuration.begin(), configuration.size()));
}

/// Where a table comes from: <folder>/<gpu>__<engine>.csv.
struct TableOrigin {
  std::string_view folder;
  const catalog::Gpu* gpu = nullptr;  ///< Of the catalog; outlives the study.
  std::string engine;                 ///< "trtllm", "deepep-0.5.12"
  std::string file{};                 ///< Its path, for errors about all of it.
};

/// A quantity computed from several samples, measured and predicted pair by pair.
struct Derived {
  std::string label;
  std::vector<double> measured{};
  std::vector<double> predicted{};
};

class Study {
 public:
  virtual ~Study() = default;
  /// Name of the curves and of their file; has an entry in operators::coefficients_of().
  [[nodiscard]] virtual std::string_view operation() const = 0;
  /// Folders of the measured data that are its tables.
  [[nodiscard]] virtual std::span<const std::string_view> folders() const = 0;
  /// Lines of the score, e.g. {"MoE balanced", "MoE skewed"}.
  [[nodiscard]] virtual std::span<const std::string_view> labels() const = 0;
  /// Takes the rows of one table. Throws InputError. Called from one thread.
  virtual void read(const CsvTable& table, const TableOrigin& origin) = 0;
  /// Called once after the last table: work that needs all of them. From one thread.
  virtual void finish() {}
  /// Predicts samples[i] (indices into samples()), all of one curve, under the values of its
  /// coefficients. Pure; called from many threads at once.
  virtual void predict(std::span<const std::int32_t> samples, std::span<const double> coefficients,
                       std::span<double> predicted) const = 0;
  /// Quantities made of several samples (a speed-up), to be scored on lines of their own.
  /// `predicted` is in the order of samples(); NaN: no prediction.
  [[nodiscard]] virtual std::vector<Derived> derived(std::span<const double> predicted) const {
    static_cast<void>(predicted);
    return {};
  }
  [[nodiscard]] std::span<const operators::CoefficientSpec> coefficients() const {
    return operators::coefficients_of(operation());
  }

  [[nodiscard]] std::span<const Sample> samples() const { return samples_; }
  [[nodiscard]] std::span<const catalog::CurveKey> curves() const { return curves_; }
  /// Table that each curve's first row came from.
  [[nodiscard]] const std::string& file_of(std::int32_t curve) const {
    return files_[static_cast<std::size_t>(curve)];
  }
  /// GPU of each curve.
  [[nodiscard]] const catalog::Gpu& gpu_of(std::int32_t curve) const {
    return *gpus_[static_cast<std::size_t>(curve)];
  }

 protected:
  /// Index of the curve of that key (operation and gpu are filled in), made if new.
  std::int32_t curve_index(const TableOrigin& origin, std::string_view dtype,
                           std::string_view engine, std::string_view variant = {});
  void add(const Sample& sample) { samples_.push_back(sample); }

 private:
  std::vector<Sample> samples_;
  std::vector<catalog::CurveKey> curves_;
  std::vector<const catalog::Gpu*> gpus_;
  std::vector<std::string> files_;
};

/// Every study, empty, in the order of the score.
[[nodiscard]] std::vector<std::unique_ptr<Study>> all_studies();

/// Reads every table below `directory` that a study knows, in the order of the file names. `only`:
/// one operation, or empty. Throws IoError if there is no such folder, no table in it or one that
/// cannot be read, InputError for what is wrong in a table, a file name that names no GPU of the
/// catalog, or an unknown operation.
[[nodiscard]] std::vector<std::unique_ptr<Study>> read_studies(const std::string& directory,
                                                               const catalog::Catalog& catalog,
                                                               std::string_view only = {});

}  // namespace moesim::calibration
