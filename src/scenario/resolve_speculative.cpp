// Speculative decoding of a scenario.
#include <fmt/format.h>

#include <algorithm>

#include "scenario/quantity_field.h"
#include "scenario/resolver.h"

namespace moesim::scenario {
namespace {

constexpr std::int64_t kMaxDrafts = 16;

}  // namespace

void Resolver::resolve_speculative(proto::Deployment& deployment) {
  if (!deployment.has_speculative()) return;
  const std::string path = "deployment.speculative";
  proto::Speculative& message = *deployment.mutable_speculative();
  serving::Deployment& d = scenario_.deployment;
  serving::Speculation& speculation = d.scheduler.speculation;
  if (!message.has_method()) message.set_method(proto::Speculative::MTP);
  const bool mtp = message.method() == proto::Speculative::MTP;
  speculation.method = mtp ? serving::DraftMethod::Mtp : serving::DraftMethod::Ngram;
  d.memory.load_mtp = mtp;
  const int given = message.acceptance_size();
  if (given == 0) {
    findings_.missing(join_path(path, "acceptance"), "is missing",
                      "write the share of drafts that are kept, as in acceptance: 0.85");
    return;
  }
  if (!message.has_num_speculative_tokens()) message.set_num_speculative_tokens(given);
  const std::int64_t drafts = checked_count(findings_, join_path(path, "num_speculative_tokens"),
                                            message.num_speculative_tokens(), 1, kMaxDrafts);
  if (findings_.any_at(path)) return;
  if (given != 1 && given != drafts) {
    error(join_path(path, "acceptance"),
          fmt::format("{} values for {} drafted tokens", given, drafts),
          "write one for all of them, or one for each");
    return;
  }
  for (std::int64_t i = 0; i < drafts; ++i) {
    const int at = static_cast<int>(std::min<std::int64_t>(i, given - 1));
    const double kept = checked_real(findings_, join_path(path, "acceptance"),
                                     message.acceptance(at), 0.0, LowEnd::Included, 1.0);
    speculation.acceptance.push_back(kept);
  }
}

}  // namespace moesim::scenario
