#include "scenario/catalog_convert.h"

#include <charconv>
#include <utility>

#include "scenario.pb.h"
#include "scenario/engine_profile.h"

namespace moesim::scenario {
namespace {

constexpr std::int64_t kMaxGpus = 1 << 20;
constexpr std::int64_t kMaxMultiprocessors = 1 << 20;

catalog::ScaleUpKind scale_up_kind(proto::Gpu::ScaleUp kind, const MessageScope& scope) {
  switch (kind) {
    case proto::Gpu::NV_SWITCH:
      return catalog::ScaleUpKind::NvSwitch;
    case proto::Gpu::NV_LINK_BRIDGE:
      return catalog::ScaleUpKind::NvLinkBridge;
    case proto::Gpu::XGMI_MESH:
      return catalog::ScaleUpKind::XgmiMesh;
    case proto::Gpu::PCIE:
      return catalog::ScaleUpKind::Pcie;
    default:
      scope.error("", "has no scale_up", "give NV_SWITCH, NV_LINK_BRIDGE, XGMI_MESH or PCIE");
      return catalog::ScaleUpKind::Pcie;
  }
}

catalog::FabricKind fabric_kind(proto::Fabric::Kind kind, const MessageScope& scope) {
  switch (kind) {
    case proto::Fabric::NV_LINK:
      return catalog::FabricKind::NvLink;
    case proto::Fabric::XGMI:
      return catalog::FabricKind::Xgmi;
    case proto::Fabric::PCIE:
      return catalog::FabricKind::Pcie;
    case proto::Fabric::INFINI_BAND:
      return catalog::FabricKind::InfiniBand;
    case proto::Fabric::ROCE:
      return catalog::FabricKind::Roce;
    case proto::Fabric::EFA:
      return catalog::FabricKind::Efa;
    case proto::Fabric::CHIP_TO_CHIP:
      return catalog::FabricKind::ChipToChip;
    default:
      scope.error("", "has no kind",
                  "give NV_LINK, XGMI, PCIE, INFINI_BAND, ROCE, EFA or CHIP_TO_CHIP");
      return catalog::FabricKind::InfiniBand;
  }
}

catalog::MathFormat math_format(proto::WeightFormat::Math math, const MessageScope& scope) {
  switch (math) {
    case proto::WeightFormat::FP32:
      return catalog::MathFormat::Fp32;
    case proto::WeightFormat::BF16:
      return catalog::MathFormat::Bf16;
    case proto::WeightFormat::FP8:
      return catalog::MathFormat::Fp8;
    case proto::WeightFormat::FP4:
      return catalog::MathFormat::Fp4;
    case proto::WeightFormat::INT8:
      return catalog::MathFormat::Int8;
    default:
      scope.error("", "has no math", "give FP32, BF16, FP8, FP4 or INT8");
      return catalog::MathFormat::Bf16;
  }
}

catalog::Support support_status(proto::EngineSupport::Status status) {
  switch (status) {
    case proto::EngineSupport::YES:
      return catalog::Support::Yes;
    case proto::EngineSupport::PARTIAL:
      return catalog::Support::Partial;
    case proto::EngineSupport::NO:
      return catalog::Support::No;
    default:
      return catalog::Support::Unknown;
  }
}

/// Reads a number at the front of `text` and removes it.
bool take_number(std::string_view& text, double& value) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || !(value >= 0.0) || value > 1e15) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

/// "2.69 USD/GPU-h" or "3.5-5 USD/GPU-h".
void read_amount(const MessageScope& scope, catalog::Price& price) {
  const std::string amount = scope.required_text("amount");
  if (amount.empty()) return;
  std::string_view rest = amount;
  bool good = take_number(rest, price.low);
  price.high = price.low;
  if (good && rest.starts_with('-')) {
    rest.remove_prefix(1);
    good = take_number(rest, price.high) && price.high >= price.low;
  }
  if (!good || rest.size() < 2 || rest.front() != ' ') {
    scope.error("amount", "is \"" + amount + "\"", "write \"2.69 USD/GPU-h\" or \"3.5-5 USD/...\"");
    return;
  }
  price.unit = rest.substr(1);
}

}  // namespace

catalog::Gpu convert_gpu(const proto::Gpu& message, const MessageScope& scope) {
  catalog::Gpu gpu;
  gpu.name = scope.required_text("name");
  gpu.aliases = scope.texts("alias");
  gpu.vendor = scope.text("vendor");
  gpu.architecture = scope.text("architecture");
  gpu.memory = scope.required_quantity<Bytes>("memory", parse_bytes, kMemoryRange);
  gpu.memory_type = scope.text("memory_type");
  gpu.memory_bandwidth =
      scope.required_quantity<BytesPerSecond>("memory_bandwidth", parse_bandwidth, kBandwidthRange);
  gpu.fp32 = scope.quantity<FlopsPerSecond>("fp32", parse_flops, kArithmeticRange);
  gpu.tf32 = scope.quantity<FlopsPerSecond>("tf32", parse_flops, kArithmeticRange);
  gpu.bf16 = scope.required_quantity<FlopsPerSecond>("bf16", parse_flops, kArithmeticRange);
  gpu.fp8 = scope.quantity<FlopsPerSecond>("fp8", parse_flops, kArithmeticRange);
  gpu.fp4 = scope.quantity<FlopsPerSecond>("fp4", parse_flops, kArithmeticRange);
  gpu.int8 = scope.quantity<FlopsPerSecond>("int8", parse_flops, kArithmeticRange);
  gpu.measured_bf16 =
      scope.quantity<FlopsPerSecond>("measured_bf16", parse_flops, kArithmeticRange);
  gpu.measured_fp8 = scope.quantity<FlopsPerSecond>("measured_fp8", parse_flops, kArithmeticRange);
  gpu.scale_up = scale_up_kind(message.scale_up(), scope);
  gpu.scale_up_name = scope.text("scale_up_name");
  gpu.scale_up_bandwidth = scope.required_quantity<BytesPerSecond>(
      "scale_up_bandwidth", parse_bandwidth, kBandwidthRange);
  gpu.scale_up_pair_bandwidth =
      message.has_scale_up_pair_bandwidth()
          ? scope.quantity<BytesPerSecond>("scale_up_pair_bandwidth", parse_bandwidth,
                                           kBandwidthRange)
          : gpu.scale_up_bandwidth;
  gpu.scale_up_domain = static_cast<int>(scope.number("scale_up_domain", 1, 1, kMaxGpus));
  gpu.pcie_bandwidth =
      scope.required_quantity<BytesPerSecond>("pcie_bandwidth", parse_bandwidth, kBandwidthRange);
  gpu.nic_bandwidth =
      scope.quantity<BytesPerSecond>("nic_bandwidth", parse_bandwidth, kBandwidthRange);
  gpu.sms = scope.number("sms", 0, 1, kMaxMultiprocessors);
  gpu.tdp = scope.quantity<Watts>("tdp", parse_power, kPowerRange);
  gpu.all_in_power = scope.quantity<Watts>("all_in_power", parse_power, kPowerRange);
  if (gpu.all_in_power > Watts{} && gpu.all_in_power < gpu.tdp) {
    scope.error("all_in_power", "is less than tdp", "it includes the board");
  }
  gpu.source = scope.required_text("source");
  gpu.note = scope.text("note");
  return gpu;
}

catalog::Fabric convert_fabric(const proto::Fabric& message, const MessageScope& scope) {
  catalog::Fabric fabric;
  fabric.name = scope.required_text("name");
  fabric.aliases = scope.texts("alias");
  fabric.kind = fabric_kind(message.kind(), scope);
  fabric.bandwidth =
      scope.required_quantity<BytesPerSecond>("bandwidth", parse_bandwidth, kBandwidthRange);
  fabric.efficiency = scope.real("efficiency", 1.0, kLeastEfficiency, 1.0, LowEnd::Included);
  fabric.efficiency_source = scope.text("efficiency_source");
  fabric.latency = scope.required_quantity<Seconds>("latency", parse_seconds, kLatencyRange);
  fabric.latency_source = scope.text("latency_source");
  fabric.source = scope.required_text("source");
  fabric.note = scope.text("note");
  return fabric;
}

catalog::CollectiveMeasurement convert_collective(const MessageScope& scope) {
  catalog::CollectiveMeasurement m;
  m.name = scope.required_text("name");
  m.scope = scope.text("scope");
  m.operation = scope.required_text("operation");
  m.ranks = static_cast<int>(scope.number("ranks", 0, 0, kMaxGpus));
  m.peak = scope.quantity<BytesPerSecond>("peak", parse_bandwidth);
  m.bus_bandwidth = scope.quantity<BytesPerSecond>("bus_bandwidth", parse_bandwidth);
  m.at_size = scope.quantity<Bytes>("at_size", parse_bytes);
  m.half_peak_size = scope.quantity<Bytes>("half_peak_size", parse_bytes);
  m.small_message_latency = scope.quantity<Seconds>("small_message_latency", parse_seconds);
  m.basis = scope.text("basis");
  m.source = scope.required_text("source");
  m.note = scope.text("note");
  return m;
}

catalog::WeightFormat convert_format(const proto::WeightFormat& message,
                                     const MessageScope& scope) {
  catalog::WeightFormat format;
  format.name = scope.required_text("name");
  format.aliases = scope.texts("alias");
  format.bits_per_weight = scope.required_real("bits_per_weight", 0.0, 64.0);
  format.math = math_format(message.math(), scope);
  format.whole_file = message.scope() == proto::WeightFormat::WHOLE_FILE;
  format.experts_only = message.scope() == proto::WeightFormat::EXPERTS;
  format.source = scope.required_text("source");
  format.note = scope.text("note");
  return format;
}

catalog::PrecisionRecipe convert_recipe(const MessageScope& scope) {
  catalog::PrecisionRecipe recipe;
  recipe.name = scope.required_text("name");
  recipe.aliases = scope.texts("alias");
  recipe.experts = scope.required_text("experts");
  recipe.linear = scope.required_text("linear");
  recipe.rest = scope.required_text("rest");
  recipe.source = scope.required_text("source");
  recipe.note = scope.text("note");
  return recipe;
}

namespace {

catalog::MemoryShare memory_share(proto::Engine::MemoryShare share) {
  switch (share) {
    case proto::Engine::FREE:
      return catalog::MemoryShare::Free;
    case proto::Engine::RESERVED:
      return catalog::MemoryShare::Reserved;
    default:
      return catalog::MemoryShare::Total;
  }
}

catalog::SchedulerSetting meaning(proto::EngineSetting::Meaning means) {
  switch (means) {
    case proto::EngineSetting::MAX_NUM_BATCHED_TOKENS:
      return catalog::SchedulerSetting::BatchedTokens;
    case proto::EngineSetting::GPU_MEMORY_UTILIZATION:
      return catalog::SchedulerSetting::MemoryShare;
    case proto::EngineSetting::BLOCK_SIZE:
      return catalog::SchedulerSetting::BlockSize;
    default:
      return catalog::SchedulerSetting::MaxSequences;
  }
}

catalog::EngineScheduling scheduling(const proto::EngineScheduling& message) {
  catalog::EngineScheduling can{.priority = message.priority(),
                                .swap = message.swap(),
                                .prompts_apart = message.prompts_apart(),
                                .recv_interval = message.recv_interval(),
                                .holds_prompts = message.holds_prompts(),
                                .prefix_caching = message.enable_prefix_caching()};
  if (message.preempted_blocks() == proto::EngineScheduling::PROMPT) {
    can.preempted_blocks = catalog::PreemptedBlocks::Prompt;
  } else if (message.preempted_blocks() == proto::EngineScheduling::PROMPT_AND_ANSWER) {
    can.preempted_blocks = catalog::PreemptedBlocks::All;
  }
  if (message.admission_size() > 0) can.admission.clear();
  for (int i = 0; i < message.admission_size(); ++i) {
    switch (message.admission(i)) {
      case proto::EngineScheduling::GUARANTEED:
        can.admission.push_back(catalog::Admission::Guaranteed);
        break;
      case proto::EngineScheduling::NEW_TOKEN_RATIO:
        can.admission.push_back(catalog::Admission::NewTokenRatio);
        break;
      default:
        can.admission.push_back(catalog::Admission::AsNeeded);
    }
  }
  return can;
}

}  // namespace

catalog::Engine convert_engine(const proto::Engine& message, const MessageScope& scope) {
  catalog::Engine engine;
  engine.name = scope.required_text("name");
  engine.aliases = scope.texts("alias");
  engine.iteration_overhead =
      scope.required_quantity<Seconds>("iteration_overhead", parse_seconds, kLatencyRange);
  engine.iteration_overhead_source = scope.required_text("iteration_overhead_source");
  if (scope.has("kernels")) engine.kernels = scope.required_text("kernels");
  if (engine.kernels != "trtllm" && engine.kernels != "sglang") {
    scope.error("kernels", "is \"" + engine.kernels + "\"", "give \"trtllm\" or \"sglang\"");
  }
  engine.kernels_borrowed = !scope.flag("kernels_measured");
  engine.gpu_memory_utilization = scope.required_real("gpu_memory_utilization", 0.0, 1.0);
  engine.block_size = scope.required_number("block_size", 1, 1 << 20);
  engine.version = scope.text("version");
  engine.memory_share = memory_share(message.memory_share());
  engine.max_num_seqs = scope.number("max_num_seqs", engine.max_num_seqs, 1, 65'536);
  engine.max_num_batched_tokens =
      scope.number("max_num_batched_tokens", engine.max_num_batched_tokens, 1, 1'048'576);
  if (scope.has("enable_chunked_prefill")) {
    engine.chunked_prefill = scope.flag("enable_chunked_prefill");
  }
  engine.scheduling = scheduling(message.scheduling());
  convert_engine_profile(message, scope, engine);
  for (int i = 0; i < message.setting_size(); ++i) {
    const MessageScope part(scope, message.setting(i), "setting", i);
    const std::string name = part.required_text("name");
    if (proto::Scheduler::descriptor()->FindFieldByName(name) == nullptr) {
      part.error("name", "is \"" + name + "\", no field of the scheduler",
                 "see proto/scenario.proto, Scheduler");
    }
    engine.settings.push_back({.name = name, .means = meaning(message.setting(i).means())});
  }
  for (int i = 0; i < message.support_size(); ++i) {
    const MessageScope part(scope, message.support(i), "support", i);
    engine.families.push_back({.family = part.required_text("family"),
                               .status = support_status(message.support(i).status()),
                               .parallelism = part.texts("parallelism"),
                               .quantisation = part.texts("quantisation"),
                               .refuses = part.texts("refuses"),
                               .gguf_only = part.flag("gguf_only"),
                               .source = part.text("source"),
                               .note = part.text("note")});
  }
  engine.source = scope.required_text("source");
  return engine;
}

catalog::Price convert_price(const MessageScope& scope) {
  catalog::Price price;
  price.category = scope.required_text("category");
  price.provider = scope.text("provider");
  price.item = scope.text("item");
  price.gpu = scope.text("gpu");
  price.gpus = static_cast<int>(scope.number("gpus", 0, 0, kMaxGpus));
  price.term = scope.text("term");
  read_amount(scope, price);
  price.date = scope.required_text("date");
  price.basis = scope.text("basis");
  price.source = scope.required_text("source");
  price.note = scope.text("note");
  return price;
}

}  // namespace moesim::scenario
