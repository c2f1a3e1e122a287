#include <fmt/format.h>

#include "catalog/kv_cache.h"
#include "catalog/parameters.h"
#include "cli/catalog_lists.h"
#include "cli/catalog_words.h"
#include "report/number_text.h"

namespace moesim::cli {
namespace {

using namespace moesim::literals;

/// A table of one row that grows by fields.
class Record {
 public:
  void add(const char* key, const char* title, Cell cell) {
    if (const auto* text = std::get_if<std::string>(&cell); text != nullptr && text->empty()) {
      cell = Cell{};
    }
    table_.columns.push_back({key, title});
    table_.rows[0].push_back(std::move(cell));
  }
  [[nodiscard]] Table take() { return std::move(table_); }

 private:
  Table table_{.columns = {}, .rows = {{}}};
};

std::string layer_words(const catalog::Model& model) {
  std::string text;
  for (const catalog::LayerRun& run : model.runs) {
    if (text.size() > 60) return text + " ...";
    if (!text.empty()) text += ' ';
    text += model.kinds[static_cast<std::size_t>(run.kind)].name;
    if (run.count > 1) text += fmt::format("*{}", run.count);
  }
  return text;
}

void add_parameters(const catalog::Model& model, Record& record) {
  const catalog::ModelParameters p = catalog::count_parameters(model);
  const auto count = [&](const char* key, const char* title, std::int64_t value) {
    record.add(key, title, value > 0 ? Cell{value} : Cell{});
  };
  count("total_parameters", "parameters", p.total());
  count("active_parameters", "active per token", p.active);
  record.add("published_total_parameters", "published",
             count_unless_zero(model.published_total_parameters));
  record.add("published_active_parameters", "published active",
             count_unless_zero(model.published_active_parameters));
  count("attention_parameters", "  attention", p.attention);
  count("dense_ffn_parameters", "  dense blocks", p.dense_ffn);
  count("routed_expert_parameters", "  routed experts", p.routed_experts);
  count("shared_expert_parameters", "  shared experts", p.shared_experts);
  count("router_parameters", "  routers", p.router);
  count("embedding_parameters", "  embedding", p.embedding);
  count("head_parameters", "  head", p.head);
  count("norm_parameters", "  norms", p.norms);
  count("vision_parameters", "  vision", p.vision);
  count("other_parameters", "  other", p.other);
  count("mtp_parameters", "MTP, on top", p.mtp);
}

void add_cache(const catalog::Model& model, Record& record) {
  const catalog::KvFootprint kv = catalog::kv_footprint(model, 2.0 * kByte);
  record.add("kv_bytes_per_token_bf16", "KV B/token, bf16",
             count_unless_zero(kv.per_token_full / kByte));
  record.add("kv_index_bytes_per_token", "indexer B/token",
             count_unless_zero(kv.per_token_index / kByte));
  std::string windows;
  for (const catalog::KvFootprint::Windowed& w : kv.windowed) {
    windows += fmt::format("{}{} B/token up to {} tokens", windows.empty() ? "" : "; ",
                           report::number_text(w.per_token / kByte), report::count_text(w.window));
  }
  record.add("kv_windows_bf16", "in windows", windows);
  record.add("state_bytes_per_sequence", "state B/sequence",
             count_unless_zero(kv.per_sequence_state / kByte));
}

void add_licence(const catalog::Licence& licence, Record& record) {
  record.add("licence", "licence", licence.name);
  record.add("commercial_use", "  commercial use", licence.commercial_use);
  record.add("monthly_users_threshold", "  users per month",
             licence.monthly_users_threshold > 0 ? Cell{licence.monthly_users_threshold} : Cell{});
  record.add("eu_restricted", "  EU licensees",
             std::string(licence.eu_restricted ? "no rights granted" : ""));
  record.add("outputs_may_train_others", "  train on outputs", licence.outputs_may_train_others);
  record.add("licence_basis", "  basis", licence.basis);
  record.add("licence_note", "  note", licence.note);
}

}  // namespace

Table show_model(const catalog::Model& model, const catalog::Precision& precision) {
  Record record;
  record.add("name", "model", model.name);
  record.add("aliases", "also called", joined(model.aliases));
  record.add("layers", "layers", model.layers());
  record.add("layer_order", "  in order", layer_words(model));
  record.add("hidden", "hidden size", model.hidden);
  record.add("vocabulary", "vocabulary", model.vocabulary);
  record.add("attention", "attention", attention_words(model));
  record.add("routing", "routing", model.routing);
  add_parameters(model, record);
  const catalog::ModelParameters p = catalog::count_parameters(model);
  record.add("native_precision", "released in", model.native_precision);
  record.add("precision", "weights in", precision.name);
  const Bytes weights = catalog::weight_bytes(p, precision);
  record.add("weights_gb", "  GB", weights / 1.0_GB);
  record.add("weights_gib", "  GiB", weights / 1.0_GiB);
  const Bytes checkpoint = catalog::checkpoint_bytes(p, precision);
  record.add("checkpoint_gb", "  GB with MTP",
             checkpoint > weights ? Cell{checkpoint / 1.0_GB} : Cell{});
  add_cache(model, record);
  record.add("context_length", "context length", model.context_length);
  add_licence(model.licence, record);
  record.add("source", "source", model.source);
  record.add("note", "note", model.note);
  return record.take();
}

Table show_gpu(const catalog::Gpu& gpu) {
  Record record;
  record.add("name", "GPU", gpu.name);
  record.add("aliases", "also called", joined(gpu.aliases));
  record.add("vendor", "vendor", gpu.vendor);
  record.add("architecture", "architecture", gpu.architecture);
  record.add("memory_gib", "memory GiB", gpu.memory / 1.0_GiB);
  record.add("memory_gb", "memory GB", gpu.memory / 1.0_GB);
  record.add("memory_type", "memory type", gpu.memory_type);
  record.add("memory_bandwidth_gb_per_s", "memory GB/s", gpu.memory_bandwidth / 1.0_GBps);
  const auto rate = [&](const char* key, const char* title, FlopsPerSecond value) {
    record.add(key, title, unless_zero(value / 1.0_TFLOPs));
  };
  rate("fp32_tflop_per_s", "fp32 TFLOP/s", gpu.fp32);
  rate("tf32_tflop_per_s", "tf32 TFLOP/s", gpu.tf32);
  rate("bf16_tflop_per_s", "bf16 TFLOP/s", gpu.bf16);
  rate("fp8_tflop_per_s", "fp8 TFLOP/s", gpu.fp8);
  rate("fp4_tflop_per_s", "fp4 TFLOP/s", gpu.fp4);
  rate("int8_top_per_s", "int8 TOP/s", gpu.int8);
  rate("measured_bf16_tflop_per_s", "bf16 measured", gpu.measured_bf16);
  rate("measured_fp8_tflop_per_s", "fp8 measured", gpu.measured_fp8);
  record.add("scale_up", "scale-up", gpu.scale_up_name + ", " + to_words(gpu.scale_up));
  record.add("scale_up_gb_per_s", "  GB/s, all peers", gpu.scale_up_bandwidth / 1.0_GBps);
  record.add("scale_up_pair_gb_per_s", "  GB/s, one pair", gpu.scale_up_pair_bandwidth / 1.0_GBps);
  record.add("scale_up_domain_gpus", "  GPUs", std::int64_t{gpu.scale_up_domain});
  record.add("pcie_gb_per_s", "PCIe GB/s", gpu.pcie_bandwidth / 1.0_GBps);
  record.add("nic_gbit_per_s", "NIC Gb/s", unless_zero(gpu.nic_bandwidth / 1.0_Gbitps));
  record.add("multiprocessors", "multiprocessors", count_unless_zero(static_cast<double>(gpu.sms)));
  record.add("tdp_w", "power W", unless_zero(gpu.tdp / 1.0_W));
  record.add("all_in_power_w", "  with its host W", unless_zero(gpu.all_in_power / 1.0_W));
  record.add("source", "source", gpu.source);
  record.add("note", "note", gpu.note);
  return record.take();
}

Table show_fabric(const catalog::Fabric& fabric) {
  Record record;
  record.add("name", "link", fabric.name);
  record.add("aliases", "also called", joined(fabric.aliases));
  record.add("kind", "kind", to_words(fabric.kind));
  record.add("bandwidth_gb_per_s", "GB/s per direction", fabric.bandwidth / 1.0_GBps);
  record.add("efficiency", "usable share", fabric.efficiency);
  record.add("efficiency_source", "  source", fabric.efficiency_source);
  record.add("latency_us", "small message us", fabric.latency / 1.0_us);
  record.add("latency_source", "  source", fabric.latency_source);
  record.add("source", "source", fabric.source);
  record.add("note", "note", fabric.note);
  return record.take();
}

Table show_format(const catalog::WeightFormat& format) {
  Record record;
  record.add("name", "format", format.name);
  record.add("aliases", "also called", joined(format.aliases));
  record.add("bits_per_weight", "bits per weight", format.bits_per_weight);
  record.add("math", "multiplies in", to_words(format.math));
  record.add("scope", "applies to", scope_words(format));
  record.add("source", "source", format.source);
  record.add("note", "note", format.note);
  return record.take();
}

Table show_recipe(const catalog::PrecisionRecipe& recipe) {
  Record record;
  record.add("name", "mixture", recipe.name);
  record.add("aliases", "also called", joined(recipe.aliases));
  record.add("experts", "routed experts", recipe.experts);
  record.add("linear", "other linear", recipe.linear);
  record.add("rest", "all else", recipe.rest);
  record.add("source", "source", recipe.source);
  record.add("note", "note", recipe.note);
  return record.take();
}

namespace {

void add_scheduling(const catalog::EngineScheduling& s, Record& record) {
  const auto yes_or_no = [](bool value) { return std::string(value ? "yes" : "no"); };
  std::vector<std::string> admission;
  for (const catalog::Admission how : s.admission) {
    admission.emplace_back(how == catalog::Admission::Guaranteed      ? "guaranteed"
                           : how == catalog::Admission::NewTokenRatio ? "new token ratio"
                                                                      : "as needed");
  }
  record.add("priority", "serves by priority", yes_or_no(s.priority));
  record.add("swap", "swaps to the host", yes_or_no(s.swap));
  record.add("admission", "admits", joined(admission));
  record.add("prompts_apart", "prompts run alone", yes_or_no(s.prompts_apart));
  record.add("holds_prompts", "holds prompts", yes_or_no(s.holds_prompts));
}

std::string way_of(catalog::All2AllBackend how) {
  switch (how) {
    case catalog::All2AllBackend::Auto:
      return "AUTO";
    case catalog::All2AllBackend::DeepEpNormal:
      return "DEEPEP_HIGH_THROUGHPUT";
    case catalog::All2AllBackend::DeepEpLowLatency:
      return "DEEPEP_LOW_LATENCY";
    case catalog::All2AllBackend::AllGather:
      return "ALLGATHER_REDUCESCATTER";
    case catalog::All2AllBackend::NvLink:
      return "FLASHINFER_ALL2ALLV";
    case catalog::All2AllBackend::AllReduce:
      break;
  }
  return "ALLGATHER_ALLREDUCE";
}

/// Ways of tokens to experts, and what the engine calls choices of a deployment.
void add_choices(const catalog::Engine& engine, Record& record) {
  std::vector<std::string> ways = {way_of(catalog::All2AllBackend::Auto)};
  for (const catalog::All2AllBackend how : engine.all2all) ways.push_back(way_of(how));
  record.add("all2all_backends", "ways to experts", joined(ways));
  record.add(
      "expert_groups", "ep with dp above 1",
      std::string(engine.expert_groups == catalog::ExpertGroups::Any ? "any that divides tp * dp"
                  : engine.expert_groups == catalog::ExpertGroups::OneOrAll ? "1 or tp * dp"
                                                                            : "tp * dp"));
  for (std::size_t i = 0; i < engine.choices.size(); ++i) {
    const std::string& name = engine.choices[i].name;
    if (i > 0 && engine.choices[i - 1].name == name) continue;
    std::vector<std::string> values;
    for (const catalog::EngineChoice& choice : engine.choices) {
      if (choice.name == name) values.push_back(choice.value + " = " + choice.means);
    }
    record.add(name.c_str(), name.c_str(), joined(values));
  }
}

}  // namespace

Table show_engine(const catalog::Engine& engine) {
  Record record;
  record.add("name", "engine", engine.name);
  record.add("aliases", "also called", joined(engine.aliases));
  record.add("iteration_overhead_us", "us per iteration", engine.iteration_overhead / 1.0_us);
  record.add("iteration_overhead_source", "  source", engine.iteration_overhead_source);
  record.add("gpu_memory_utilization", "share of memory", engine.gpu_memory_utilization);
  record.add("block_size_tokens", "tokens per block", engine.block_size);
  add_scheduling(engine.scheduling, record);
  add_choices(engine, record);
  record.add("source", "source", engine.source);
  for (const catalog::EngineSupport& s : engine.families) {
    std::string text = to_words(s.status);
    if (!s.parallelism.empty()) text += "; " + joined(s.parallelism);
    if (!s.quantisation.empty()) text += "; " + joined(s.quantisation);
    if (!s.note.empty()) text += "; " + s.note;
    if (!s.source.empty()) text += " [" + s.source + "]";
    record.add(("support_" + s.family).c_str(), s.family.c_str(), text);
  }
  return record.take();
}

}  // namespace moesim::cli
