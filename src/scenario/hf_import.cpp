#include "scenario/hf_import.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "catalog/parameters.h"
#include "core/regular_file.h"
#include "core/text.h"
#include "scenario/catalog_convert.h"
#include "scenario/hf_layers.h"

namespace moesim::scenario {
namespace {

using Builder = void (*)(const HfConfig&, const std::string&, catalog::Model&);

struct Architecture {
  const char* type;  ///< model_type of the config (of text_config where there is one).
  const char* family;
  Builder build;
};

template <void (*Build)(const HfConfig&, catalog::Model&)>
void without_type(const HfConfig& config, const std::string&, catalog::Model& model) {
  Build(config, model);
}

constexpr Builder kLatent = without_type<add_latent_layers>;
constexpr Architecture kArchitectures[] = {
    {"deepseek_v2", "deepseek", kLatent},
    {"deepseek_v3", "deepseek", kLatent},
    {"deepseek_v32", "deepseek", kLatent},
    {"deepseek_v4", "deepseek", without_type<add_compressed_layers>},
    {"gemma4_text", "gemma", add_windowed_layers},
    {"glm4_moe", "glm", add_grouped_query_layers},
    {"glm_moe_dsa", "glm", kLatent},
    {"gpt_oss", "gpt-oss", add_windowed_layers},
    {"kimi_k2", "kimi", kLatent},
    {"llama", "llama", add_grouped_query_layers},
    {"llama4_text", "llama", add_windowed_layers},
    {"mimo", "mimo", add_grouped_query_layers},
    {"mimo_v2_flash", "mimo", add_windowed_layers},
    {"minimax_m2", "minimax", add_grouped_query_layers},
    {"minimax_m3", "minimax", without_type<add_block_sparse_layers>},
    {"mistral", "mistral", add_grouped_query_layers},
    {"mixtral", "mistral", add_grouped_query_layers},
    {"nemotron-nas", "nemotron", without_type<add_searched_layers>},
    {"nemotron_h", "nemotron", without_type<add_mamba2_layers>},
    {"olmoe", "olmoe", add_grouped_query_layers},
    {"phi3", "phi", add_grouped_query_layers},
    {"qwen2", "qwen", add_grouped_query_layers},
    {"qwen3", "qwen", add_grouped_query_layers},
    {"qwen3_5_moe_text", "qwen", without_type<add_delta_net_layers>},
    {"qwen3_5_text", "qwen", without_type<add_delta_net_layers>},
    {"qwen3_moe", "qwen", add_grouped_query_layers},
    {"step3p7", "step", add_windowed_layers},
};

/// Name of the format the weights are released in, from quantization_config.
std::string native_precision(const HfConfig& config) {
  if (config.text("expert_dtype") == "fp4") return "fp4_experts+fp8";
  if (!config.is_object("quantization_config")) {
    const std::string type =
        config.has("dtype") ? config.text("dtype") : config.text("torch_dtype");
    return type == "float32" ? "fp32" : "bf16";
  }
  const HfConfig q = config.object("quantization_config");
  const std::string method = q.text("quant_method");
  if (method == "fp8") return q.has("weight_block_size") ? "fp8_block128" : "fp8_per_tensor";
  if (method == "mxfp4") return "mxfp4_experts+bf16";
  if (method == "awq" || method == "gptq") {
    if (q.integer("bits") == 4) return "awq_gptq_g128";
    q.error("bits", "is not 4, which is not modelled", "import the unquantised model instead");
    return "bf16";
  }
  if (method == "compressed-tensors" && q.is_object("config_groups")) {
    const HfConfig groups = q.object("config_groups");
    if (groups.is_object("group_0") && groups.object("group_0").is_object("weights")) {
      const HfConfig weights = groups.object("group_0").object("weights");
      const bool integers = weights.text("type") == "int";
      const std::int64_t bits = weights.integer("num_bits");
      if (integers && bits == 4) {
        return weights.integer_or("group_size", 128) == 32 ? "int4_g32_experts" : "int4_g128_sym";
      }
      if (!integers && bits == 8) return "fp8_per_tensor";
    }
  }
  q.error("quant_method", "is \"" + method + "\" with settings that are not modelled",
          "remove quantization_config and choose a precision in the scenario");
  return "bf16";
}

/// Blocks of attention and MLP, patch embedding and projector: an estimate without biases.
std::int64_t vision_parameters(const HfConfig& vision, std::int64_t hidden) {
  const std::int64_t depth =
      vision.integer_of({"depth", "num_hidden_layers", "vt_num_hidden_layers"});
  const std::int64_t width = vision.integer_of({"hidden_size", "vt_hidden_size"});
  const std::int64_t inner = vision.integer_of({"intermediate_size", "vt_intermediate_size"});
  const std::int64_t patch = vision.integer("patch_size", 1024);
  const std::int64_t frames = vision.integer_or("temporal_patch_size", 1, 64);
  const std::int64_t merged = 4 * width;  // Two by two patches.
  return depth * (4 * width * width + 2 * width * inner) + 3 * patch * patch * frames * width +
         merged * merged + merged * hidden;
}

/// Modules that predict further tokens: each one more layer, a projection of two hidden states and
/// three norms.
void add_mtp(const HfConfig& config, const std::string& type, catalog::Model& model) {
  std::int64_t modules = config.integer_or("num_nextn_predict_layers", 0, 64);
  if (modules == 0 && config.flag("use_mtp")) {
    modules = config.integer_or("num_mtp_modules", 0, 64);
  }
  if (modules == 0) modules = config.integer_or("mtp_num_hidden_layers", 0, 64);
  if (modules == 0) return;
  std::int64_t layer_total = catalog::layer_parameters(model, model.kinds.back()).total();
  if (type == "nemotron_h") {  // One attention and one expert layer: "*E".
    layer_total = 0;
    for (const catalog::LayerKind& kind : model.kinds) {
      if (kind.name == "attention" || kind.name == "moe") {
        layer_total += catalog::layer_parameters(model, kind).total();
      }
    }
  }
  model.mtp_modules = modules;
  model.mtp_parameters =
      modules * (layer_total + 2 * model.hidden * model.hidden + 3 * model.hidden);
  if (type == "deepseek_v3" || type == "deepseek_v32") {
    model.mtp_copied_parameters = 2 * model.vocabulary * model.hidden;
  }
}

/// Throws if a value of the model is beyond what the catalog accepts.
void check_like_catalog(const catalog::Model& model, const std::string& file) {
  const proto::Model message = model_message(model);
  Document document{.file = file};
  (void)convert_model(message, MessageScope(document, message));
  if (!document.diagnostics.empty()) throw InputError(document.diagnostics);
}

std::string name_of_file(const std::string& path) {
  const std::filesystem::path file(path);
  std::string name = file.stem().string();
  if (name == "config") name = std::filesystem::absolute(file).parent_path().filename().string();
  const std::size_t organisation = name.find("--");
  return organisation == std::string::npos ? name : name.substr(organisation + 2);
}

/// Why nothing can be read: the architecture is missing or unknown.
[[noreturn]] void refuse_type(const HfConfig& config, const std::string& type) {
  const std::vector<std::string> known = importable_model_types();
  std::string list;
  for (const std::string& name : known) list += (list.empty() ? "" : ", ") + name;
  const std::string nearest = nearest_name(type, known);
  config.error("model_type", type.empty() ? "is missing" : "is the unknown \"" + type + "\"",
               (nearest.empty() ? "" : "did you mean " + nearest + "? ") + "known are " + list);
  config.throw_if_wrong();
  throw InputError(Diagnostic{.file = config.file(), .field = "model_type"});
}

}  // namespace

std::vector<std::string> importable_model_types() {
  std::vector<std::string> types;
  for (const Architecture& a : kArchitectures) types.emplace_back(a.type);
  return types;
}

catalog::Model import_hf_text(std::string_view json, const std::string& file,
                              const std::string& name) {
  const HfConfig root(json, file);
  const bool nested = root.is_object("text_config");
  const HfConfig config = nested ? root.object("text_config") : root;
  const std::string type = config.text("model_type");
  const Architecture* architecture = nullptr;
  for (const Architecture& a : kArchitectures) {
    if (type == a.type) architecture = &a;
  }
  if (architecture == nullptr) refuse_type(config, type);

  catalog::Model model;
  model.name = name;
  model.family = architecture->family;
  model.hidden = config.integer("hidden_size");
  model.vocabulary = config.integer("vocab_size", std::int64_t{1} << 26);
  model.tied_embeddings =
      config.flag("tie_word_embeddings", root.flag("tie_word_embeddings", false));
  model.context_length = config.integer("max_position_embeddings", std::int64_t{1} << 40);
  if (config.integer("num_hidden_layers") <= 4096) {
    architecture->build(config, type, model);
  } else {
    config.error("num_hidden_layers", "is above 4096", "correct it");
  }
  const bool quantised_inside = nested && config.is_object("quantization_config");
  model.native_precision = native_precision(quantised_inside ? config : root);
  model.routing = config.text("scoring_func");
  model.source = "Hugging Face config.json (" + std::filesystem::path(file).filename().string() +
                 "), model_type " + type;
  if (root.is_object("vision_config")) {
    model.parameters_vision = vision_parameters(root.object("vision_config"), model.hidden);
    model.note = "the size of the vision tower is an estimate";
  }
  root.throw_if_wrong();
  check_like_catalog(model, file);
  add_mtp(config, type, model);
  root.throw_if_wrong();
  return model;
}

catalog::Model import_hf_config(const std::string& path, const std::string& name) {
  check_regular_file(path);
  std::ifstream in(path, std::ios::binary);
  if (!in) throw IoError("cannot open " + path);
  std::string text;
  constexpr std::size_t kMost = (std::size_t{4} << 20) + 1;
  text.resize(kMost);
  in.read(text.data(), static_cast<std::streamsize>(kMost));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return import_hf_text(text, path, name.empty() ? name_of_file(path) : name);
}

}  // namespace moesim::scenario
