// Workload messages into workload models, and the presets of scenarios/catalog/workloads.txtpb.
//
// Units and required fields are checked here; ranges by workload::check_model().
// Layer: scenario.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "scenario/findings.h"
#include "workload.pb.h"
#include "workload/model.h"

namespace moesim::scenario {

// `path`: where the message stands in the input. Nothing, with a report, if it cannot be used.
[[nodiscard]] std::optional<workload::ArrivalProcess> convert_arrivals(
    const proto::ArrivalModel& message, const std::string& path, Findings& findings);
[[nodiscard]] std::optional<workload::LengthLaw> convert_length(const proto::LengthModel& message,
                                                                const std::string& path,
                                                                Findings& findings);
[[nodiscard]] std::optional<workload::RateCurve> convert_curve(const proto::RateCurve& message,
                                                               const std::string& path,
                                                               Findings& findings);
[[nodiscard]] std::optional<workload::RateModulation> convert_modulation(
    const proto::RateModulation& message, const std::string& path, Findings& findings);
[[nodiscard]] workload::WorkloadModel convert_workload(const proto::WorkloadModel& message,
                                                       const std::string& path, Findings& findings);

/// Reads the table a ClientPool names, if the model is one; its path is relative to `folder`.
/// Throws IoError and InputError.
void load_client_pool(workload::WorkloadModel& model, const std::string& folder);

/// All workloads of a catalog file. Client tables are not opened. Throws InputError, IoError.
[[nodiscard]] std::vector<workload::WorkloadModel> read_workload_presets(const std::string& path);

}  // namespace moesim::scenario
