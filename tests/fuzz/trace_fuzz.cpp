// Any bytes given to the trace reader are read or refused; nothing else happens.
//
// The first byte chooses the format and the policy, the rest is the file.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "core/diagnostics.h"
#include "workload/trace_reader.h"

namespace {

using moesim::workload::OnBadRow;
using moesim::workload::ReadOptions;
using moesim::workload::Trace;
using moesim::workload::TraceFormat;

void check_trace(const Trace& trace, std::size_t bytes) {
  MOESIM_CHECK(!trace.requests.empty(), "an accepted trace has requests");
  MOESIM_CHECK(trace.requests.size() <= bytes, "a request takes at least a byte");
  MOESIM_CHECK(trace.bad_rows.size() <= 20, "the list of bad rows is bounded");
  moesim::SimTime previous;
  for (const auto& request : trace.requests) {
    MOESIM_CHECK(request.arrival >= previous, "arrivals ascend");
    MOESIM_CHECK(request.input_tokens >= 1 && request.output_tokens >= 1, "lengths are positive");
    MOESIM_CHECK(request.prefix.offset + request.prefix.count <= trace.hash_ids.size(),
                 "prefix windows lie in the pool");
    previous = request.arrival;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  constexpr TraceFormat kFormats[] = {TraceFormat::Auto, TraceFormat::AzureCsv,
                                      TraceFormat::MooncakeJsonl, TraceFormat::PlainCsv};
  ReadOptions options;
  options.on_bad_row = (bytes[0] & 4) != 0 ? OnBadRow::Skip : OnBadRow::Fail;
  if ((bytes[0] & 8) != 0) options.rate_scale = 0.01;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  try {
    const char* const name = (bytes[0] & 16) != 0 ? "fuzz.json" : "fuzz";  // A session's document.
    check_trace(moesim::workload::read_trace(text, name, kFormats[bytes[0] & 3], options), size);
  } catch (const moesim::InputError& error) {
    MOESIM_CHECK(!error.diagnostics().empty(), "a refusal has a reason");
    MOESIM_CHECK(error.diagnostics().size() <= 21, "the list of reasons is bounded");
  }
  return 0;
}
