#include "scenario/engine_profile.h"

#include <cstdint>

#include "scenario.pb.h"

namespace moesim::scenario {
namespace {

constexpr std::int64_t kMostGraph = 1 << 20;
constexpr std::int64_t kMostSms = 4096;

catalog::EngineGraphs graphs_of(const proto::EngineGraphs& message, const MessageScope& scope) {
  catalog::EngineGraphs graphs;
  for (int i = 0; i < message.range_size(); ++i) {
    const MessageScope part(scope, message.range(i), "range", i);
    catalog::GraphRange range;
    range.first = part.required_number("first", 1, kMostGraph);
    range.last = part.number("last", range.first, range.first, kMostGraph);
    range.step = part.number("step", 1, 1, kMostGraph);
    range.doubling = part.flag("doubling");
    if (!graphs.ranges.empty() && graphs.ranges.back().last >= range.first) {
      part.error("first", "is not above the range before", "give ranges in ascending order");
    }
    graphs.ranges.push_back(range);
  }
  graphs.times_max_num_seqs = scope.number("times_max_num_seqs", 1, 1, 1024);
  graphs.captures_max_num_seqs = message.captures_max_num_seqs();
  return graphs;
}

catalog::EngineOverlap overlap_of(const proto::EngineOverlap& message, const MessageScope& scope) {
  catalog::EngineOverlap overlap;
  switch (message.support()) {
    case proto::EngineSupport::YES:
    case proto::EngineSupport::PARTIAL:
      overlap.support = catalog::Support::Yes;
      break;
    case proto::EngineSupport::NO:
      overlap.support = catalog::Support::No;
      break;
    default:
      overlap.support = catalog::Support::Unknown;
  }
  overlap.comm_sms = scope.number("comm_sms", overlap.comm_sms, 0, kMostSms);
  overlap.decode_token_threshold =
      scope.number("decode_token_threshold", overlap.decode_token_threshold, 2, kMostGraph);
  overlap.prefill_token_threshold =
      scope.number("prefill_token_threshold", overlap.prefill_token_threshold, 2, kMostGraph);
  if (message.has_split_attention()) overlap.splits_attention = message.split_attention();
  return overlap;
}

/// What a choice stands for must be a named value of a field of the scenario's deployment.
void convert_choices(const proto::Engine& message, const MessageScope& scope,
                     catalog::Engine& engine) {
  const google::protobuf::Descriptor& type = *proto::Deployment::descriptor();
  for (int i = 0; i < message.choice_size(); ++i) {
    const MessageScope part(scope, message.choice(i), "choice", i);
    const catalog::EngineChoice choice{.name = part.required_text("name"),
                                       .value = part.required_text("value"),
                                       .field = part.required_text("field"),
                                       .means = part.required_text("means")};
    const auto* own = type.FindFieldByName(choice.name);
    if (own == nullptr || own->cpp_type() != own->CPPTYPE_STRING || own->is_repeated()) {
      part.error("name", "is \"" + choice.name + "\", no text field of the deployment",
                 "see proto/scenario.proto, Deployment");
    }
    const auto* common = type.FindFieldByName(choice.field);
    if (common == nullptr || common->enum_type() == nullptr) {
      part.error("field", "is \"" + choice.field + "\", no field of named values",
                 "see proto/scenario.proto, Deployment");
    } else if (common->enum_type()->FindValueByName(choice.means) == nullptr) {
      part.error("means", "is \"" + choice.means + "\", no value of " + choice.field,
                 "see proto/scenario.proto, Deployment");
    }
    engine.choices.push_back(choice);
  }
}

}  // namespace

void convert_engine_profile(const proto::Engine& message, const MessageScope& scope,
                            catalog::Engine& engine) {
  if (message.has_graphs()) {
    const MessageScope part(scope, message.graphs(), "graphs");
    engine.graphs = graphs_of(message.graphs(), part);
  }
  if (message.has_overlap()) {
    const MessageScope part(scope, message.overlap(), "overlap");
    engine.overlap = overlap_of(message.overlap(), part);
  }
  convert_choices(message, scope, engine);
  engine.attention_dp_router = message.attention_dp_router();
  proto::Deployment::Router router = proto::Deployment::LEAST_LOAD;
  if (message.has_attention_dp_router() &&
      !proto::Deployment::Router_Parse(engine.attention_dp_router, &router)) {
    scope.error("attention_dp_router", "is \"" + engine.attention_dp_router + "\", no router",
                "see proto/scenario.proto, Deployment");
  }
  for (int i = 0; i < message.all2all_backend_size(); ++i) {
    switch (message.all2all_backend(i)) {
      case proto::DEEPEP_HIGH_THROUGHPUT:
        engine.all2all.push_back(catalog::All2AllBackend::DeepEpNormal);
        break;
      case proto::ALLGATHER_REDUCESCATTER:
        engine.all2all.push_back(catalog::All2AllBackend::AllGather);
        break;
      case proto::DEEPEP_LOW_LATENCY:
        engine.all2all.push_back(catalog::All2AllBackend::DeepEpLowLatency);
        break;
      case proto::ALLGATHER_ALLREDUCE:
        engine.all2all.push_back(catalog::All2AllBackend::AllReduce);
        break;
      case proto::FLASHINFER_ALL2ALLV:
        engine.all2all.push_back(catalog::All2AllBackend::NvLink);
        break;
      default:
        scope.error("all2all_backend", "AUTO is always there", "leave it out");
    }
  }
  engine.expert_groups = message.expert_groups() == proto::Engine::ANY ? catalog::ExpertGroups::Any
                         : message.expert_groups() == proto::Engine::ONE_OR_ALL
                             ? catalog::ExpertGroups::OneOrAll
                             : catalog::ExpertGroups::AllRanks;
  engine.low_latency_in_passes = message.low_latency_in_passes();
  engine.shared_expert_stream_tokens = scope.number("shared_expert_stream_tokens", 0, 0, 1'048'576);
  if (message.has_nvlink_exchange_beyond()) {
    engine.nvlink_exchange_beyond = scope.number("nvlink_exchange_beyond", 0, 0, 1'048'576);
  }
  engine.own_checkpoints = message.own_checkpoints();
}

}  // namespace moesim::scenario
