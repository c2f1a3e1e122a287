#include "cli/catalog_words.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace moesim::cli {

std::string to_words(catalog::FabricKind kind) {
  switch (kind) {
    case catalog::FabricKind::NvLink:
      return "NVLink";
    case catalog::FabricKind::Xgmi:
      return "xGMI";
    case catalog::FabricKind::Pcie:
      return "PCIe";
    case catalog::FabricKind::InfiniBand:
      return "InfiniBand";
    case catalog::FabricKind::Roce:
      return "RoCE";
    case catalog::FabricKind::Efa:
      return "EFA";
    case catalog::FabricKind::ChipToChip:
      break;
  }
  return "chip to chip";
}

std::string to_words(catalog::ScaleUpKind kind) {
  switch (kind) {
    case catalog::ScaleUpKind::NvSwitch:
      return "switched";
    case catalog::ScaleUpKind::NvLinkBridge:
      return "bridge";
    case catalog::ScaleUpKind::XgmiMesh:
      return "full mesh";
    case catalog::ScaleUpKind::Pcie:
      break;
  }
  return "PCIe";
}

std::string to_words(catalog::MathFormat format) {
  switch (format) {
    case catalog::MathFormat::Fp32:
      return "fp32";
    case catalog::MathFormat::Bf16:
      return "bf16";
    case catalog::MathFormat::Fp8:
      return "fp8";
    case catalog::MathFormat::Fp4:
      return "fp4";
    case catalog::MathFormat::Int8:
      break;
  }
  return "int8";
}

std::string to_words(catalog::Support support) {
  switch (support) {
    case catalog::Support::Yes:
      return "yes";
    case catalog::Support::Partial:
      return "partial";
    case catalog::Support::No:
      return "no";
    case catalog::Support::Unknown:
      break;
  }
  return "not verified";
}

std::string scope_words(const catalog::WeightFormat& format) {
  if (format.whole_file) return "whole file";
  return format.experts_only ? "routed experts" : "linear weights";
}

std::string attention_words(const catalog::Model& model) {
  std::vector<std::string> words;
  const auto add = [&](const char* word) {
    if (std::find(words.begin(), words.end(), word) == words.end()) words.emplace_back(word);
  };
  for (const catalog::LayerKind& kind : model.kinds) {
    const catalog::Attention& a = kind.attention;
    switch (a.kind) {
      case catalog::AttentionKind::Gqa:
        add(a.heads == a.kv_heads ? "MHA" : "GQA");
        break;
      case catalog::AttentionKind::Mla:
        add("MLA");
        break;
      case catalog::AttentionKind::Linear:
        if (a.parameters_linear_mixer > 0) add("linear");
        break;
      case catalog::AttentionKind::Cross:
        add("cross");
        break;
    }
    if (a.cache_entries_per_token < 1.0) {
      add("compressed");
    } else if (a.window > 0) {
      add(a.chunked ? "chunked" : "window");
    }
    if (a.sparse_top_k > 0) add("sparse");
  }
  return fmt::format("{}", fmt::join(words, " + "));
}

std::string joined(const std::vector<std::string>& texts) {
  return fmt::format("{}", fmt::join(texts, ", "));
}

}  // namespace moesim::cli
