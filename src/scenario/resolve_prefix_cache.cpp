// Where prefixes are cached, and what the workload says prompts have in common.
#include <fmt/format.h>

#include "core/quantity.h"
#include "core/text.h"
#include "scenario/quantity_field.h"
#include "scenario/resolver.h"

namespace moesim::scenario {
namespace {

constexpr QuantityRange kTierCapacity{"1 MB", LowEnd::Included, "1000000 TB"};
constexpr std::int64_t kMostShared = 1'000'000;

const char* const kNeedsCaching = "set deployment.scheduler.enable_prefix_caching: true";

}  // namespace

std::optional<serving::TierSettings> Resolver::resolve_tier(
    const std::string& path, proto::CacheTier& tier,
    const std::optional<std::string>& default_bandwidth) {
  if (!tier.has_capacity()) {
    findings_.missing(join_path(path, "capacity"), "is missing",
                      "write the size of the tier, as in capacity: \"512 GiB\"");
  }
  if (!tier.has_bandwidth()) {
    if (default_bandwidth) {
      tier.set_bandwidth(*default_bandwidth);
    } else {
      findings_.missing(join_path(path, "bandwidth"), "is missing",
                        "write what can be read from it, as in bandwidth: \"40 GB/s\"");
    }
  }
  if (!tier.has_latency()) tier.set_latency("0 s");
  if (findings_.any_at(path)) return std::nullopt;
  const auto capacity = checked_quantity<Bytes>(findings_, join_path(path, "capacity"),
                                                tier.capacity(), parse_bytes, kTierCapacity);
  const auto bandwidth = checked_quantity<BytesPerSecond>(
      findings_, join_path(path, "bandwidth"), tier.bandwidth(), parse_bandwidth, kBandwidthRange);
  const auto latency = checked_quantity<Seconds>(findings_, join_path(path, "latency"),
                                                 tier.latency(), parse_seconds, kLatencyRange);
  if (!capacity || !bandwidth || !latency) return std::nullopt;
  return serving::TierSettings{.capacity = *capacity, .bandwidth = *bandwidth, .latency = *latency};
}

void Resolver::resolve_prefix_cache(proto::Deployment& deployment) {
  serving::Deployment& d = scenario_.deployment;
  serving::PrefixCacheSettings& cache = d.scheduler.prefix_cache;
  cache.enabled = deployment.scheduler().enable_prefix_caching();
  if (!deployment.has_prefix_cache()) return;
  const std::string path = "deployment.prefix_cache";
  if (!cache.enabled) {
    error(path, "does not go with enable_prefix_caching: false", kNeedsCaching);
    return;
  }
  proto::PrefixCache& message = *deployment.mutable_prefix_cache();
  if (message.has_host()) {
    std::optional<std::string> pcie;
    if (has_cluster_) {
      const catalog::Fabric& link = d.cluster.pcie;
      pcie = fmt::format("{} GB/s", format_number(link.efficiency * link.bandwidth / 1_GBps));
    }
    cache.host = resolve_tier(join_path(path, "host"), *message.mutable_host(), pcie);
  }
  if (message.has_disk()) {
    cache.disk = resolve_tier(join_path(path, "disk"), *message.mutable_disk(), std::nullopt);
  }
}

void Resolver::resolve_assumed_reuse(proto::PrefixReuse& reuse) {
  const std::string path = "workload.prefix_reuse.";
  serving::AssumedReuse& assumed = scenario_.workload.assumed_reuse;
  assumed.share =
      checked_real(findings_, path + "hit_share", reuse.hit_share(), 0.0, LowEnd::Excluded, 1.0);
  if (reuse.has_prefixes()) {
    error(path + "prefixes", "does not go with hit_share", "it counts the texts of shared_tokens");
  }
  if (!reuse.has_tier()) reuse.set_tier(proto::PrefixReuse::GPU);
  const serving::PrefixCacheSettings& cache = scenario_.deployment.scheduler.prefix_cache;
  if (reuse.tier() == proto::PrefixReuse::HOST) assumed.tier = serving::CacheTier::Host;
  if (reuse.tier() == proto::PrefixReuse::DISK) assumed.tier = serving::CacheTier::Disk;
  const bool missing = (assumed.tier == serving::CacheTier::Host && !cache.host) ||
                       (assumed.tier == serving::CacheTier::Disk && !cache.disk);
  if (missing && !findings_.any_at("deployment.prefix_cache")) {
    error(path + "tier",
          fmt::format("{} is no tier of deployment.prefix_cache",
                      proto::PrefixReuse::Tier_Name(reuse.tier())),
          "describe it there, or leave tier out");
  }
}

void Resolver::resolve_prefix_reuse(proto::Workload& workload) {
  if (!workload.has_prefix_reuse()) return;
  const std::string path = "workload.prefix_reuse";
  WorkloadSettings& settings = scenario_.workload;
  proto::PrefixReuse& reuse = *workload.mutable_prefix_reuse();
  if (!scenario_.deployment.scheduler.prefix_cache.enabled) {
    error(path, "does not go with enable_prefix_caching: false", kNeedsCaching);
  }
  if (settings.trace && !settings.trace->hash_ids.empty()) {
    error(path, "does not go with a trace that names its prefix blocks", "leave it out");
  }
  if (reuse.has_hit_share()) {
    resolve_assumed_reuse(reuse);
    settings.description += fmt::format(", {} of input cached", format_number(reuse.hit_share()));
    return;
  }
  if (!reuse.has_shared_tokens()) {
    findings_.missing(path, "says neither hit_share nor shared_tokens",
                      "write one of them, as in hit_share: 0.5");
    return;
  }
  if (reuse.has_tier()) {
    error(join_path(path, "tier"), "does not go with shared_tokens",
          "the run decides what is where");
  }
  if (!reuse.has_prefixes()) reuse.set_prefixes(1);
  settings.shared_prefix = {.tokens = checked_count(findings_, join_path(path, "shared_tokens"),
                                                    reuse.shared_tokens(), 1, kMostShared),
                            .texts = checked_count(findings_, join_path(path, "prefixes"),
                                                   reuse.prefixes(), 1, kMostShared)};
  settings.description += fmt::format(", {} shared tokens", reuse.shared_tokens());
}

void Resolver::check_prefix_blocks(const workload::Trace& trace) {
  if (trace.hash_ids.empty()) return;
  const serving::SchedulerSettings& s = scenario_.deployment.scheduler;
  if (!s.prefix_cache.enabled) {
    note("the trace shares prefixes: without enable_prefix_caching every prompt counts as new");
    return;
  }
  if (findings_.any_at("deployment.scheduler")) return;
  if (trace.hash_block_tokens % s.block_size != 0) {
    if (!asks_for_prefix_caching_) {
      scenario_.deployment.scheduler.prefix_cache.enabled = false;
      for (serving::Deployment& pool : scenario_.pools) pool.scheduler.prefix_cache.enabled = false;
      note(fmt::format(
          "prefix blocks of {} tokens are not whole KV blocks of {}: every prompt counts as new",
          trace.hash_block_tokens, s.block_size));
      return;
    }
    error("deployment.scheduler.block_size",
          fmt::format("prefix blocks of {} tokens are not whole KV blocks of {}",
                      trace.hash_block_tokens, s.block_size),
          "use a size that divides them");
  }
}

}  // namespace moesim::scenario
