#include "catalog/kv_cache.h"

#include <algorithm>

#include "core/check.h"

namespace moesim::catalog {
namespace {

/// Elements one token adds to the cache of one layer on one rank, before windows and compression.
std::int64_t entry_elements(const Attention& a, std::int64_t tp) {
  if (a.kind == AttentionKind::Mla) return a.kv_lora_rank + a.qk_rope_dim;
  if (a.kind != AttentionKind::Gqa) return 0;
  const std::int64_t heads = (a.kv_heads + tp - 1) / tp;  // At least one: replicated beyond.
  return heads * (a.head_dim + (a.shared_kv ? 0 : a.v_head_dim));
}

void add_windowed(std::int64_t window, Bytes per_token, std::vector<KvFootprint::Windowed>& list) {
  const auto at =
      std::find_if(list.begin(), list.end(), [&](const auto& w) { return w.window >= window; });
  if (at != list.end() && at->window == window) {
    at->per_token += per_token;
  } else {
    list.insert(at, {.window = window, .per_token = per_token});
  }
}

void add_layers(const Attention& a, std::int64_t count, Bytes element, std::int64_t tp,
                KvFootprint& out) {
  const double layers = static_cast<double>(count);
  const Bytes entry = layers * static_cast<double>(entry_elements(a, tp)) * element;
  const bool compressed = a.cache_entries_per_token < 1.0;
  if (a.window > 0 && entry > Bytes{}) add_windowed(a.window, entry, out.windowed);
  if (a.window == 0 || compressed) out.per_token_full += a.cache_entries_per_token * entry;
  out.per_token_index +=
      layers * a.cache_entries_per_token * static_cast<double>(a.index_cache_bytes) * kByte;
  out.per_sequence_state +=
      layers * (static_cast<double>(a.state_bytes) / static_cast<double>(tp)) * kByte;
}

}  // namespace

Bytes KvFootprint::of_sequence(std::int64_t tokens) const {
  Bytes sum = per_sequence_state + static_cast<double>(tokens) * per_token();
  for (const Windowed& w : windowed) {
    sum += static_cast<double>(std::min(tokens, w.window)) * w.per_token;
  }
  return sum;
}

KvFootprint kv_footprint(const Model& model, Bytes element, std::int64_t tp, std::int64_t first,
                         std::int64_t last) {
  MOESIM_CHECK(tp >= 1, "a tensor-parallel degree is below 1");
  MOESIM_CHECK(first >= 0 && first <= last, "a range of layers is reversed");
  KvFootprint out;
  std::int64_t begin = 0;
  for (const LayerRun& run : model.runs) {
    const std::int64_t end = begin + run.count;
    const std::int64_t count = std::min(end, last) - std::max(begin, first);
    if (count > 0) {
      const Attention& a = model.kinds[static_cast<std::size_t>(run.kind)].attention;
      add_layers(a, count, element, tp, out);
    }
    begin = end;
  }
  MOESIM_CHECK(last <= begin, "a range of layers goes beyond the model");
  return out;
}

KvFootprint kv_footprint(const Model& model, Bytes element, std::int64_t tp) {
  return kv_footprint(model, element, tp, 0, model.layers());
}

Bytes kv_bytes_per_token(const Model& model, Bytes element) {
  const KvFootprint footprint = kv_footprint(model, element);
  if (footprint.per_token_full > Bytes{}) return footprint.per_token_full;
  Bytes sum;
  for (const KvFootprint::Windowed& w : footprint.windowed) sum += w.per_token;
  return sum;
}

}  // namespace moesim::catalog
