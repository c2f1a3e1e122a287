// Drawn iterations as trace events, the JSON that Perfetto and chrome://tracing open.
//
// A process per instance and stage with a thread per rank: a slice for each piece of work or
// waiting, an arrow from the rank all waited for to each that waited. A second process holds its
// links: a thread per GPU port and NIC, a slice as long as the link would take at its peak rate,
// and counters of their use. Times are those of the simulated clock, to the nanosecond. Format:
// docs/formats/timeline.md.
// Layer: report.
#pragma once

#include <iosfwd>

#include "sweep/run_scenario.h"

namespace moesim::report {

void write_timeline(std::ostream& out, const sweep::ScenarioResult& result);

}  // namespace moesim::report
