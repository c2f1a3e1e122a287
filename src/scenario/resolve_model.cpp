// The model of a scenario: from the catalog, from a Hugging Face config, or written out.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "scenario/catalog_convert.h"
#include "scenario/hf_import.h"
#include "scenario/message_reader.h"
#include "scenario/resolver.h"

namespace moesim::scenario {
namespace {

/// Names and aliases, for suggestions.
template <class Entry>
std::vector<std::string> all_names(const std::vector<Entry>& entries) {
  std::vector<std::string> names;
  for (const Entry& entry : entries) {
    names.push_back(entry.name);
    names.insert(names.end(), entry.aliases.begin(), entry.aliases.end());
  }
  return names;
}

std::string suggestion(const std::string& name, const std::vector<std::string>& names,
                       const std::string& list) {
  const std::string nearest = did_you_mean(name, names);
  return nearest.empty() ? "see moesim catalog list " + list : nearest;
}

}  // namespace

std::optional<catalog::Model> Resolver::named_model() {
  const catalog::Model* model = catalog_.find_model(message_.model());
  if (model == nullptr) {
    error("model", "is no model of the catalog, got " + shown(message_.model()),
          suggestion(message_.model(), all_names(catalog_.models), "models"));
    return std::nullopt;
  }
  message_.set_model(model->name);
  return *model;
}

std::optional<catalog::Model> Resolver::imported_model() {
  if (!may_open("huggingface_config")) return std::nullopt;
  const std::string path = located(message_.huggingface_config());
  try {
    catalog::Model model = import_hf_config(path);
    *message_.mutable_inline_model() = model_message(model);  // drops the path
    return model;
  } catch (const IoError& problem) {
    error("huggingface_config", problem.what(), "paths start at the folder of this file");
  } catch (const InputError& problem) {
    for (const Diagnostic& diagnostic : problem.diagnostics()) findings_.add(diagnostic);
  }
  return std::nullopt;
}

void Resolver::resolve_model() {
  std::optional<catalog::Model> model;
  switch (message_.model_choice_case()) {
    case proto::Scenario::kModel:
      model = named_model();
      break;
    case proto::Scenario::kHuggingfaceConfig:
      model = imported_model();
      break;
    case proto::Scenario::kInlineModel: {
      Document document{.file = findings_.file()};
      const MessageScope scope(document, message_.inline_model());
      catalog::Model converted = convert_model(message_.inline_model(), scope);
      for (Diagnostic& found : document.diagnostics) {
        findings_.add_below("inline_model", std::move(found));
      }
      if (document.diagnostics.empty()) model = std::move(converted);
      break;
    }
    case proto::Scenario::MODEL_CHOICE_NOT_SET:
      findings_.missing("model", "is missing",
                        "name a model of the catalog, as in model: \"DeepSeek-V3\"");
      break;
  }
  if (!model) return;
  has_model_ = true;
  scenario_.deployment.model = std::move(*model);
}

std::optional<catalog::Gpu> Resolver::resolve_gpu() {
  const proto::Cluster& cluster = message_.cluster();
  if (cluster.gpu_choice_case() == proto::Cluster::kInlineGpu) {
    Document document{.file = findings_.file()};
    const MessageScope scope(document, cluster.inline_gpu());
    catalog::Gpu gpu = convert_gpu(cluster.inline_gpu(), scope);
    for (Diagnostic& found : document.diagnostics) {
      findings_.add_below("cluster.inline_gpu", std::move(found));
    }
    if (!document.diagnostics.empty()) return std::nullopt;
    return gpu;
  }
  if (cluster.gpu_choice_case() == proto::Cluster::GPU_CHOICE_NOT_SET) {
    findings_.missing("cluster.gpu", "is missing",
                      "name a GPU of the catalog, as in gpu: \"H200-SXM\"");
    return std::nullopt;
  }
  const catalog::Gpu* gpu = catalog_.find_gpu(cluster.gpu());
  if (gpu == nullptr) {
    error("cluster.gpu", "is no GPU of the catalog, got " + shown(cluster.gpu()),
          suggestion(cluster.gpu(), all_names(catalog_.gpus), "gpus"));
    return std::nullopt;
  }
  message_.mutable_cluster()->set_gpu(gpu->name);
  return *gpu;
}

}  // namespace moesim::scenario
