#include "cli/catalog_lists.h"

#include <algorithm>

#include "catalog/kv_cache.h"
#include "catalog/parameters.h"
#include "cli/catalog_words.h"
#include "core/text.h"

namespace moesim::cli {
namespace {

using namespace moesim::literals;

Cell billions(std::int64_t count) { return static_cast<double>(count) * 1e-9; }

}  // namespace

Table filtered(Table table, const std::string& filter) {
  if (filter.empty()) return table;
  const std::string wanted = to_lower(filter);
  const auto lacks = [&](const std::vector<Cell>& row) {
    return std::none_of(row.begin(), row.end(), [&](const Cell& cell) {
      const auto* text = std::get_if<std::string>(&cell);
      return text != nullptr && to_lower(*text).find(wanted) != std::string::npos;
    });
  };
  table.rows.erase(std::remove_if(table.rows.begin(), table.rows.end(), lacks), table.rows.end());
  return table;
}

Table list_models(const catalog::Catalog& catalog, const std::string& filter) {
  Table table{.columns = {{"name", "model"},
                          {"family", ""},
                          {"total_parameters_billion", "total B"},
                          {"active_parameters_billion", "active B"},
                          {"layers", "layers"},
                          {"routed_experts", "experts"},
                          {"top_k", "top-k"},
                          {"attention", "attention"},
                          {"kv_bytes_per_token_bf16", "KV B/token"},
                          {"native_precision", "weights in"},
                          {"weights_gb", "GB"},
                          {"context_length", "context"},
                          {"licence", "licence"},
                          {"aliases", ""},
                          {"source", ""}},
              .rows = {}};
  for (const catalog::Model& model : catalog.models) {
    const catalog::ModelParameters p = catalog::count_parameters(model);
    const auto precision = catalog.precision(model.native_precision);
    std::int64_t experts = 0;
    std::int64_t top_k = 0;
    for (const catalog::LayerKind& kind : model.kinds) {
      experts = std::max(experts, kind.feed_forward.routed_experts);
      top_k = std::max(top_k, kind.feed_forward.top_k);
    }
    const double kv = catalog::kv_bytes_per_token(model, 2.0 * kByte) / kByte;
    table.rows.push_back(
        {model.name, model.family, billions(p.total()), billions(p.active), model.layers(),
         experts > 0 ? Cell{experts} : Cell{}, experts > 0 ? Cell{top_k} : Cell{},
         attention_words(model), kv, model.native_precision,
         precision ? Cell{catalog::weight_bytes(p, *precision) / 1.0_GB} : Cell{},
         model.context_length, model.licence.name, joined(model.aliases), model.source});
  }
  return filtered(std::move(table), filter);
}

Table list_gpus(const catalog::Catalog& catalog, const std::string& filter) {
  Table table{.columns = {{"name", "GPU"},
                          {"vendor", ""},
                          {"architecture", "architecture"},
                          {"memory_gib", "GiB"},
                          {"memory_bandwidth_gb_per_s", "GB/s"},
                          {"bf16_tflop_per_s", "bf16 TFLOP/s"},
                          {"fp8_tflop_per_s", "fp8"},
                          {"fp4_tflop_per_s", "fp4"},
                          {"int8_top_per_s", "int8"},
                          {"scale_up", "scale-up"},
                          {"scale_up_gb_per_s", "GB/s"},
                          {"scale_up_domain_gpus", "GPUs"},
                          {"nic_gbit_per_s", "NIC Gb/s"},
                          {"tdp_w", "W"},
                          {"aliases", ""},
                          {"source", ""}},
              .rows = {}};
  for (const catalog::Gpu& gpu : catalog.gpus) {
    table.rows.push_back({gpu.name, gpu.vendor, gpu.architecture, gpu.memory / 1.0_GiB,
                          gpu.memory_bandwidth / 1.0_GBps, gpu.bf16 / 1.0_TFLOPs,
                          unless_zero(gpu.fp8 / 1.0_TFLOPs), unless_zero(gpu.fp4 / 1.0_TFLOPs),
                          unless_zero(gpu.int8 / 1.0_TFLOPs), gpu.scale_up_name,
                          gpu.scale_up_bandwidth / 1.0_GBps, std::int64_t{gpu.scale_up_domain},
                          unless_zero(gpu.nic_bandwidth / 1.0_Gbitps), unless_zero(gpu.tdp / 1.0_W),
                          joined(gpu.aliases), gpu.source});
  }
  return filtered(std::move(table), filter);
}

Table list_fabrics(const catalog::Catalog& catalog, const std::string& filter) {
  Table table{.columns = {{"name", "link"},
                          {"kind", "kind"},
                          {"bandwidth_gb_per_s", "GB/s"},
                          {"efficiency", "usable"},
                          {"latency_us", "us"},
                          {"efficiency_source", ""},
                          {"latency_source", ""},
                          {"aliases", ""},
                          {"source", ""},
                          {"note", "note"}},
              .rows = {}};
  for (const catalog::Fabric& f : catalog.fabrics) {
    table.rows.push_back({f.name, to_words(f.kind), f.bandwidth / 1.0_GBps, f.efficiency,
                          f.latency / 1.0_us, f.efficiency_source, f.latency_source,
                          joined(f.aliases), f.source, f.note});
  }
  return filtered(std::move(table), filter);
}

Table list_collectives(const catalog::Catalog& catalog, const std::string& filter) {
  Table table{.columns = {{"name", "measurement"},
                          {"scope", "scope"},
                          {"operation", "operation"},
                          {"ranks", "ranks"},
                          {"peak_gb_per_s", "peak GB/s"},
                          {"bus_bandwidth_gb_per_s", "bus GB/s"},
                          {"at_bytes", "at B"},
                          {"half_peak_bytes", "half at B"},
                          {"small_message_us", "small us"},
                          {"basis", ""},
                          {"source", ""},
                          {"note", ""}},
              .rows = {}};
  for (const catalog::CollectiveMeasurement& m : catalog.measurements) {
    table.rows.push_back(
        {m.name, m.scope, m.operation, m.ranks > 0 ? Cell{std::int64_t{m.ranks}} : Cell{},
         unless_zero(m.peak / 1.0_GBps), unless_zero(m.bus_bandwidth / 1.0_GBps),
         count_unless_zero(m.at_size / kByte), count_unless_zero(m.half_peak_size / kByte),
         unless_zero(m.small_message_latency / 1.0_us), m.basis, m.source, m.note});
  }
  return filtered(std::move(table), filter);
}

Table list_formats(const catalog::Catalog& catalog, const std::string& filter) {
  Table table{.columns = {{"name", "format"},
                          {"bits_per_weight", "bits"},
                          {"math", "multiplies in"},
                          {"scope", "applies to"},
                          {"aliases", "also called"},
                          {"source", ""},
                          {"note", ""}},
              .rows = {}};
  for (const catalog::WeightFormat& f : catalog.formats) {
    table.rows.push_back({f.name, f.bits_per_weight, to_words(f.math), scope_words(f),
                          joined(f.aliases), f.source, f.note});
  }
  for (const catalog::PrecisionRecipe& r : catalog.recipes) {
    table.rows.push_back({r.name, Cell{}, std::string("as its parts"),
                          "experts " + r.experts + ", linear " + r.linear + ", rest " + r.rest,
                          joined(r.aliases), r.source, r.note});
  }
  return filtered(std::move(table), filter);
}

Table list_engines(const catalog::Catalog& catalog, const std::string& filter) {
  Table table{.columns = {{"name", "engine"},
                          {"iteration_overhead_us", "us/iteration"},
                          {"gpu_memory_utilization", "memory used"},
                          {"block_size_tokens", "block"},
                          {"support", "support of model families"},
                          {"iteration_overhead_source", ""},
                          {"source", ""}},
              .rows = {}};
  for (const catalog::Engine& e : catalog.engines) {
    std::vector<std::string> support;
    for (const catalog::EngineSupport& s : e.families) {
      support.push_back(s.family + ": " + to_words(s.status));
    }
    table.rows.push_back({e.name, e.iteration_overhead / 1.0_us, e.gpu_memory_utilization,
                          e.block_size, joined(support), e.iteration_overhead_source, e.source});
  }
  return filtered(std::move(table), filter);
}

Table list_prices(const catalog::Catalog& catalog, const std::string& filter) {
  Table table{.columns = {{"category", "category"},
                          {"provider", "provider"},
                          {"item", "item"},
                          {"gpu", "GPU"},
                          {"term", "term"},
                          {"low", "low"},
                          {"high", "high"},
                          {"unit", "unit"},
                          {"date", "date"},
                          {"basis", "basis"},
                          {"source", ""},
                          {"note", ""}},
              .rows = {}};
  for (const catalog::Price& p : catalog.prices) {
    table.rows.push_back({p.category, p.provider, p.item, p.gpu, p.term, p.low, p.high, p.unit,
                          p.date, p.basis, p.source, p.note});
  }
  return filtered(std::move(table), filter);
}

}  // namespace moesim::cli
