#include "routing/published_figures.h"

namespace moesim::routing {

std::vector<PublishedFigure> published_figures(std::string_view preset) {
  constexpr std::string_view kTraces =
      "token traces of DeepSeek-V2-Lite, 64 experts, top 6, no groups, four text domains apart and "
      "together (ESFT, 2024)";
  constexpr std::string_view kDecode =
      "loads of DeepSeek-V3/R1, decode, 2,000 tokens in and 100 out (SGLang, 2025-05)";
  constexpr std::string_view kPrefill =
      "loads of DeepSeek-V3/R1, prefill, 2,048 tokens in (SGLang, 2025-05)";
  if (preset == "deepseek_v2_lite_traces" || preset == "deepseek_v2_lite_traces_strong") {
    return {{"pairs_top_share", 0.30, 0.55, kTraces},
            {"pairs_top_share_independent", 0.16, 0.40, kTraces},
            {"pairs_total_variation", 0.37, 0.46, kTraces},
            {"next_layer_hit_rate", 0.51, 0.66, kTraces},
            {"next_layer_hit_rate_chance", 0.20, 0.38, kTraces},
            {"next_layer_mutual_information_bits", 0.59, 0.87, kTraces},
            {"adjacent_overlap", 0.28, 0.33, kTraces},
            {"adjacent_overlap_independent", 0.12, 0.23, kTraces}};
  }
  if (preset == "deepseek_v3_decode") {
    return {{"load_max_over_mean", 6.07, 6.07, kDecode},
            {"load_cv", 0.83, 0.83, kDecode},
            {"load_gini", 0.38, 0.38, kDecode},
            {"load_sigma_ln", 0.67, 0.67, kDecode},
            {"load_between_groups", 0.265, 0.265, kDecode}};
  }
  if (preset == "deepseek_v3_prefill") {
    return {{"load_max_over_mean", 7.31, 7.31, kPrefill},
            {"load_cv", 0.95, 0.95, kPrefill},
            {"load_gini", 0.42, 0.42, kPrefill},
            {"load_sigma_ln", 0.74, 0.74, kPrefill},
            {"load_between_groups", 0.222, 0.222, kPrefill}};
  }
  return {};
}

}  // namespace moesim::routing
