#include "catalog/catalog.h"

#include <algorithm>

#include "core/text.h"

namespace moesim::catalog {
namespace {

template <class Entry>
bool is_called(const Entry& entry, std::string_view name) {
  return equal_ignoring_case(entry.name, name) ||
         std::any_of(entry.aliases.begin(), entry.aliases.end(),
                     [&](const std::string& alias) { return equal_ignoring_case(alias, name); });
}

template <class Entry>
const Entry* find(const std::vector<Entry>& entries, std::string_view name) {
  const auto at = std::find_if(entries.begin(), entries.end(),
                               [&](const Entry& entry) { return is_called(entry, name); });
  return at == entries.end() ? nullptr : &*at;
}

template <class Entry>
void append_names(const std::vector<Entry>& entries, std::vector<std::string>& names) {
  for (const Entry& entry : entries) names.push_back(entry.name);
}

template <class Entry>
std::vector<std::string> names_of(const std::vector<Entry>& entries) {
  std::vector<std::string> names;
  names.reserve(entries.size());
  append_names(entries, names);
  return names;
}

Precision make_precision(const std::string& name, const WeightFormat& experts,
                         const WeightFormat& linear, const WeightFormat& rest) {
  Precision p;
  p.name = name;
  p.attention = linear;
  p.dense_ffn = linear;
  p.routed_experts = experts;
  p.shared_experts = linear;
  p.router = rest;
  p.embedding = rest;
  p.head = rest;
  p.norms = rest;
  // Experts that multiply in fp8 or fp4 get their tokens in fp8 with one fp32 scale per 128
  // (DeepSeek-V3 report, section 3.2; DeepEP); results return in bf16.
  if (experts.math == MathFormat::Fp8 || experts.math == MathFormat::Fp4) {
    p.dispatch_element = Bytes::from_base(1.0 + 4.0 / 128.0);
  }
  return p;
}

}  // namespace

const Model* Catalog::find_model(std::string_view name) const { return find(models, name); }
const Gpu* Catalog::find_gpu(std::string_view name) const { return find(gpus, name); }
const Fabric* Catalog::find_fabric(std::string_view name) const { return find(fabrics, name); }
const WeightFormat* Catalog::find_format(std::string_view name) const {
  return find(formats, name);
}
const Engine* Catalog::find_engine(std::string_view name) const { return find(engines, name); }
const PrecisionRecipe* Catalog::find_recipe(std::string_view name) const {
  return find(recipes, name);
}

std::vector<std::string> Catalog::model_names() const { return names_of(models); }
std::vector<std::string> Catalog::gpu_names() const { return names_of(gpus); }
std::vector<std::string> Catalog::fabric_names() const { return names_of(fabrics); }
std::vector<std::string> Catalog::engine_names() const { return names_of(engines); }
std::vector<std::string> Catalog::precision_names() const {
  std::vector<std::string> names = names_of(formats);
  append_names(recipes, names);
  return names;
}

std::optional<Precision> Catalog::precision(std::string_view name) const {
  if (const PrecisionRecipe* recipe = find_recipe(name)) {
    const WeightFormat* experts = find_format(recipe->experts);
    const WeightFormat* linear = find_format(recipe->linear);
    const WeightFormat* rest = find_format(recipe->rest);
    if (experts == nullptr || linear == nullptr || rest == nullptr) return std::nullopt;
    return make_precision(recipe->name, *experts, *linear, *rest);
  }
  const WeightFormat* format = find_format(name);
  const WeightFormat* bf16 = find_format("bf16");
  if (format == nullptr || bf16 == nullptr) return std::nullopt;
  return make_precision(format->name, *format, format->experts_only ? *bf16 : *format,
                        format->whole_file ? *format : *bf16);
}

const Price* Catalog::rent_of(std::string_view gpu) const {
  const Gpu* known = find_gpu(gpu);
  const std::string_view name = known != nullptr ? std::string_view{known->name} : gpu;
  const Price* best = nullptr;
  const auto better = [](const Price& a, const Price& b) {
    const bool a_single = a.term == "on-demand";
    const bool b_single = b.term == "on-demand";
    return a_single != b_single ? a_single : a.date > b.date;
  };
  for (const Price& price : prices) {
    if (price.category != "rent" || price.unit != "USD/GPU-h" ||
        !price.term.starts_with("on-demand") || !equal_ignoring_case(price.gpu, name)) {
      continue;
    }
    if (best == nullptr || better(price, *best)) best = &price;
  }
  return best;
}

}  // namespace moesim::catalog
