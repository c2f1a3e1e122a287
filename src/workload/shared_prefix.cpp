#include "workload/shared_prefix.h"

#include <algorithm>
#include <utility>

#include "core/random.h"

namespace moesim::workload {
namespace {

class SharedPrefixSource final : public RequestSource {
 public:
  SharedPrefixSource(std::unique_ptr<RequestSource> source, const SharedPrefix& prefix,
                     std::int32_t block_tokens, std::uint64_t seed)
      : source_(std::move(source)),
        prefix_(prefix),
        block_tokens_(block_tokens),
        texts_(seed, "shared prefixes") {}

  std::optional<Request> next() override {
    std::optional<Request> request = source_->next();
    if (!request) return request;
    const auto text = texts_.below(static_cast<std::uint64_t>(prefix_.texts));
    const std::int64_t shared = std::min<std::int64_t>(prefix_.tokens, request->input_tokens);
    ids_.clear();
    for (std::int64_t i = 0; i < shared / block_tokens_; ++i) {
      ids_.push_back((text << 32U) + static_cast<std::uint64_t>(i));
    }
    request->prefix = {.offset = 0, .count = static_cast<std::uint32_t>(ids_.size())};
    return request;
  }
  std::span<const std::uint64_t> hash_ids() const override { return ids_; }
  std::int32_t hash_block_tokens() const override { return block_tokens_; }
  std::vector<std::string> notes() const override { return source_->notes(); }

 private:
  std::unique_ptr<RequestSource> source_;
  SharedPrefix prefix_;
  std::int32_t block_tokens_;
  RandomStream texts_;
  std::vector<std::uint64_t> ids_;  ///< Of the request given last.
};

}  // namespace

std::unique_ptr<RequestSource> share_prefixes(std::unique_ptr<RequestSource> source,
                                              const SharedPrefix& prefix, std::int32_t block_tokens,
                                              std::uint64_t seed) {
  return std::make_unique<SharedPrefixSource>(std::move(source), prefix, block_tokens, seed);
}

}  // namespace moesim::workload
