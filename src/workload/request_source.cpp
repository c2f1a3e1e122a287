#include "workload/request_source.h"

namespace moesim::workload {
namespace {

class TraceSource final : public RequestSource {
 public:
  explicit TraceSource(const Trace& trace) : trace_(trace) {}

  std::optional<Request> next() override {
    if (at_ == trace_.requests.size()) return std::nullopt;
    return trace_.requests[at_++];
  }
  std::span<const std::uint64_t> hash_ids() const override { return trace_.hash_ids; }
  std::int32_t hash_block_tokens() const override { return trace_.hash_block_tokens; }
  std::vector<std::string> notes() const override { return trace_.notes; }

 private:
  const Trace& trace_;
  std::size_t at_ = 0;
};

}  // namespace

std::unique_ptr<RequestSource> make_trace_source(const Trace& trace) {
  return std::make_unique<TraceSource>(trace);
}

}  // namespace moesim::workload
