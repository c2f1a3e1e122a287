#include "calibration/study.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "core/diagnostics.h"
#include "core/random.h"
#include "core/text.h"

namespace moesim::calibration {
namespace {

namespace fs = std::filesystem;

/// "h100_sxm__trtllm.csv" into the GPU and the engine.
TableOrigin origin_of(const fs::path& path, std::string_view folder,
                      const catalog::Catalog& catalog) {
  const std::string stem = path.stem().string();
  const std::size_t mark = stem.find("__");
  const auto refuse = [&](std::string message, std::string hint) {
    throw InputError(
        Diagnostic{.file = path.string(), .message = std::move(message), .hint = std::move(hint)});
  };
  if (mark == std::string::npos || mark + 2 == stem.size()) {
    refuse(mark != std::string::npos ? "the file's name has no engine after \"__\""
                                     : "the file's name has no \"__\"",
           "name it GPU__ENGINE.csv, e.g. h100_sxm__trtllm.csv");
  }
  std::string name = stem.substr(0, mark);
  std::replace(name.begin(), name.end(), '_', '-');
  const catalog::Gpu* gpu = catalog.find_gpu(name);
  if (gpu == nullptr) {
    const std::string near = nearest_name(name, catalog.gpu_names());
    refuse(fmt::format("the catalog has no GPU \"{}\"", name),
           near.empty() ? "see moesim catalog list gpus" : fmt::format("did you mean {}?", near));
  }
  return {.folder = folder, .gpu = gpu, .engine = stem.substr(mark + 2), .file = path.string()};
}

std::vector<fs::path> tables_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code problem;
  if (!fs::exists(folder, problem)) return files;
  for (fs::directory_iterator at(folder, problem); !problem && at != fs::directory_iterator();
       at.increment(problem)) {
    if (at->path().extension() == ".csv") files.push_back(at->path());
  }
  if (problem) {
    throw IoError("cannot read the folder " + folder.string() + ": " + problem.message());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void check_operation(std::string_view name, std::span<const std::unique_ptr<Study>> studies) {
  std::vector<std::string> names;
  for (const std::unique_ptr<Study>& study : studies) names.emplace_back(study->operation());
  if (std::find(names.begin(), names.end(), name) != names.end()) return;
  const std::string near = nearest_name(name, names);
  throw InputError(Diagnostic{.field = "--only",
                              .message = fmt::format("there is no operation \"{}\"", name),
                              .hint = near.empty()
                                          ? fmt::format("use one of {}", fmt::join(names, ", "))
                                          : fmt::format("did you mean {}?", near)});
}

}  // namespace

std::uint64_t group_hash(std::span<const std::int64_t> configuration) {
  std::uint64_t hash = 0x6772'6f75'7073ULL;
  for (const std::int64_t part : configuration) {
    hash = mix64(hash ^ static_cast<std::uint64_t>(part));
  }
  return hash == 0 ? 1 : hash;
}

std::int32_t Study::curve_index(const TableOrigin& origin, std::string_view dtype,
                                std::string_view engine, std::string_view variant) {
  const catalog::CurveKey key{.operation = std::string(operation()),
                              .gpu = origin.gpu->name,
                              .dtype = std::string(dtype),
                              .engine = std::string(engine),
                              .variant = std::string(variant)};
  // Newest first: neighbouring rows mostly share their curve.
  for (std::size_t i = curves_.size(); i-- > 0;) {
    if (curves_[i] == key) return static_cast<std::int32_t>(i);
  }
  curves_.push_back(key);
  gpus_.push_back(origin.gpu);
  files_.push_back(origin.file);
  return static_cast<std::int32_t>(curves_.size() - 1);
}

std::vector<std::unique_ptr<Study>> read_studies(const std::string& directory,
                                                 const catalog::Catalog& catalog,
                                                 std::string_view only) {
  std::error_code problem;
  if (!fs::is_directory(directory, problem)) throw IoError("there is no folder " + directory);
  std::vector<std::unique_ptr<Study>> studies = all_studies();
  if (!only.empty()) {
    check_operation(only, studies);
    std::erase_if(studies, [&](const auto& study) { return study->operation() != only; });
  }
  std::size_t tables = 0;
  for (const std::unique_ptr<Study>& study : studies) {
    for (const std::string_view folder : study->folders()) {
      for (const fs::path& path : tables_in(fs::path(directory) / folder)) {
        const CsvTable table = CsvTable::read(path.string());
        const std::size_t before = study->samples().size();
        study->read(table, origin_of(path, folder, catalog));
        if (study->samples().size() == before) {
          throw InputError(Diagnostic{.file = path.string(),
                                      .message = "holds no measurement",
                                      .hint = "fill the columns of times"});
        }
        ++tables;
      }
    }
    study->finish();
  }
  if (tables == 0) {
    throw IoError(directory + " holds no table OPERATION/GPU__ENGINE.csv of a known operation");
  }
  return studies;
}

}  // namespace moesim::calibration
