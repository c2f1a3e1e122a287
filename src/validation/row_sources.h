// The data set or the recording that a published row's requests come from.
//
// Layer: validation.
#pragma once

#include "catalog/catalog.h"
#include "scenario/published_row.h"

namespace moesim::validation {

/// The recorded run that the row's source names; null: none.
[[nodiscard]] const scenario::RecordedRun* recording_of(const scenario::PublishedRow& row,
                                                        const catalog::Model& model,
                                                        const catalog::Gpu& gpu,
                                                        const scenario::PublishedRows& all,
                                                        const catalog::Catalog& catalog);

/// Lengths of the data set that the row's source names; null: none.
[[nodiscard]] const scenario::DatasetLengths* dataset_of(const scenario::PublishedRow& row,
                                                         const catalog::Model& model,
                                                         const scenario::PublishedRows& all,
                                                         const catalog::Catalog& catalog);

}  // namespace moesim::validation
