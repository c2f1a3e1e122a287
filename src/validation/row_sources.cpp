#include "validation/row_sources.h"

#include <string>

#include "validation/row_names.h"

namespace moesim::validation {

const scenario::RecordedRun* recording_of(const scenario::PublishedRow& row,
                                          const catalog::Model& model, const catalog::Gpu& gpu,
                                          const scenario::PublishedRows& all,
                                          const catalog::Catalog& catalog) {
  for (const scenario::RecordedRun& r : all.recordings) {
    if (catalog.find_model(r.model) == &model && gpu_of(r.gpu, catalog) == &gpu &&
        row.source.find(r.source) != std::string::npos) {
      return &r;
    }
  }
  return nullptr;
}

const scenario::DatasetLengths* dataset_of(const scenario::PublishedRow& row,
                                           const catalog::Model& model,
                                           const scenario::PublishedRows& all,
                                           const catalog::Catalog& catalog) {
  for (const scenario::DatasetLengths& d : all.datasets) {
    if (row.source.find(d.source) != std::string::npos && catalog.find_model(d.model) == &model) {
      return &d;
    }
  }
  return nullptr;
}

}  // namespace moesim::validation
