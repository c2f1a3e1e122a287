#include "cli/routing_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/program_options.hpp>
#include <filesystem>
#include <optional>
#include <ostream>
#include <utility>

#include "core/diagnostics.h"
#include "core/text.h"
#include "interchange/instance.h"
#include "interchange/routing_file.h"
#include "report/routing_report.h"
#include "routing/affinity_model.h"
#include "routing/model_shape.h"
#include "routing/popularity.h"
#include "scenario/catalog_reader.h"

namespace moesim::cli {
namespace {

namespace po = boost::program_options;

constexpr std::int64_t kMostTokens = 65536;
constexpr double kMostSigma = 3.0;

constexpr const char* kUsage =
    "moesim routing stats SOURCE... [options]\n"
    "moesim routing stats --preset NAME [--model MODEL] [--popularity NAME | --sigma X] "
    "[options]\n\n"
    "Says how routing looks: how uneven the experts' loads are, which experts are used together,\n"
    "how far a layer's experts foretell the next layer's, and how alike adjacent tokens are.\n"
    "SOURCE is recorded: a load matrix (CSV), an SGLang recording (logical_count), a folder of\n"
    "TensorRT-LLM statistics, tokens (text or JSON lines, also gzipped), or the folder of a\n"
    "placement instance, whose training and evaluation parts are shown apart. --preset draws\n"
    "tokens from the generative model instead, and shows the published figures it was fitted to.\n"
    "Definitions and sources: docs/models/affinity.md; files: docs/formats/engine_files.md.\n\n"
    "  moesim routing stats recorded.json --model DeepSeek-V3\n"
    "  moesim routing stats instance/ tokens.txt.gz --layers\n"
    "  moesim routing stats --preset deepseek_v2_lite_traces --model DeepSeek-V3\n"
    "  moesim routing stats --preset none --sigma 0.9 --format json\n\n"
    "Loads alone tell nothing of pairs, layers and adjacent tokens: those rows show \"-\".\n"
    "Exit codes: 0 done, 2 wrong input.\n\n";

struct Options {
  std::vector<std::string> sources;
  std::string preset;
  std::string model = "DeepSeek-V3";
  std::string popularity = "deepseek_v3_decode";
  double sigma = 0.0;
  std::int64_t tokens = 4096;
  std::string format = "table";
  bool by_layer = false;
};

[[noreturn]] void refuse(std::string field, std::string message, std::string hint) {
  throw InputError(Diagnostic{
      .field = std::move(field), .message = std::move(message), .hint = std::move(hint)});
}

template <class Presets>
[[noreturn]] void refuse_name(const std::string& field, const std::string& name,
                              const Presets& presets, std::vector<std::string> names) {
  for (const auto& preset : presets) names.emplace_back(preset.name);
  const std::string near = nearest_name(name, names);
  refuse(field, fmt::format("there is no preset \"{}\"", name),
         near.empty() ? fmt::format("known: {}", fmt::join(names, ", "))
                      : fmt::format("did you mean {}?", near));
}

po::options_description described_options(Options& o) {
  constexpr unsigned kColumns = 100;
  po::options_description options("Options", kColumns);
  auto add = options.add_options();
  add("preset", po::value(&o.preset)->value_name("NAME"),
      "draw tokens: deepseek_v2_lite_traces, deepseek_v2_lite_traces_strong or none");
  add("model", po::value(&o.model)->value_name("MODEL")->default_value(o.model),
      "model of the catalog: layers, experts, top-k and groups");
  add("popularity", po::value(&o.popularity)->value_name("NAME")->default_value(o.popularity),
      "loads of the drawn tokens: deepseek_v3_decode, deepseek_v3_prefill or uniform");
  add("sigma", po::value(&o.sigma)->value_name("X"),
      "instead: log-normal loads with this deviation of ln load in every layer");
  add("tokens", po::value(&o.tokens)->value_name("N")->default_value(o.tokens),
      "tokens to draw, at most 65536");
  add("seed", po::value<std::string>()->value_name("N"), "seed of the draw; default 1");
  add("layers", po::bool_switch(&o.by_layer), "show every layer, too");
  add("format", po::value(&o.format)->value_name("FORMAT")->default_value(o.format),
      "table or json");
  add("help,h", "this text");
  return options;
}

routing::RoutingShape shape_of(const std::string& name) {
  const catalog::Catalog catalog = scenario::read_run_catalog();
  const catalog::Model* model = catalog.find_model(name);
  if (model == nullptr) {
    std::vector<std::string> names;
    for (const catalog::Model& m : catalog.models) {
      names.push_back(m.name);
      names.insert(names.end(), m.aliases.begin(), m.aliases.end());
    }
    const std::string near = nearest_name(name, names);
    refuse("--model", fmt::format("no model of the catalog is called \"{}\"", name),
           near.empty() ? "see moesim catalog list models"
                        : fmt::format("did you mean \"{}\"?", near));
  }
  const std::optional<routing::RoutingShape> shape = routing::routing_shape(*model);
  if (!shape || shape->moe_layers == 0) {
    refuse("--model",
           fmt::format("{} has no routed experts, or layers that differ in them", model->name),
           "name a mixture-of-experts model, e.g. DeepSeek-V3");
  }
  const std::vector<std::string> errors = routing::shape_errors(*shape);
  if (!errors.empty()) refuse("--model", model->name + ": " + errors.front(), "");
  return *shape;
}

report::RoutingSource of_workload(const placement::Workload& workload, std::string name,
                                  const routing::RoutingShape& shape) {
  report::RoutingSource source{.name = std::move(name),
                               .kind = "loads",
                               .description = {},
                               .experts = shape.experts,
                               .top_k = shape.top_k,
                               .groups = shape.groups,
                               .tokens = workload.tokens.tokens(),
                               .layers = {}};
  if (workload.tokens.empty()) {
    source.layers = routing::load_statistics(workload.load, shape.experts, shape.groups);
    return source;
  }
  source.kind = "tokens";
  source.layers = routing::token_statistics(workload.tokens, shape.groups);
  // A recording counts more tokens than it traces.
  if (workload.load.empty()) return source;
  const auto loads = routing::load_statistics(workload.load, shape.experts, shape.groups);
  for (routing::LayerStatistics& layer : source.layers) {
    layer.load = loads[static_cast<std::size_t>(layer.layer)].load;
  }
  source.description = "Loads are those recorded beside the tokens.";
  return source;
}

/// The model's groups if --model was given and the experts are as many; else one group.
std::vector<report::RoutingSource> read_source(const std::string& path,
                                               const std::optional<routing::RoutingShape>& model) {
  std::error_code ignored;
  if (std::filesystem::exists(std::filesystem::path(path) / "instance.json", ignored)) {
    const interchange::Instance instance = interchange::read_instance(path);
    return {of_workload(instance.train, instance.name + " (train)", instance.shape),
            of_workload(instance.eval, instance.name + " (eval)", instance.shape)};
  }
  const interchange::RoutingRecord record = interchange::read_routing(
      path, model ? interchange::hints_of(*model) : interchange::RoutingHints{});
  const routing::RoutingShape shape{.moe_layers = record.moe_layers,
                                    .experts = record.experts,
                                    .top_k = record.top_k,
                                    .groups = model ? model->groups : 1,
                                    .top_groups = model ? model->top_groups : 1};
  return {of_workload({.name = path, .load = record.load, .tokens = record.tokens}, path, shape)};
}

routing::Popularity popularity_of(const Options& o, bool with_sigma,
                                  const routing::RoutingShape& shape, std::uint64_t seed) {
  if (with_sigma) return routing::lognormal(shape, {.sigma = o.sigma}, seed);
  if (o.popularity == "uniform") return routing::uniform(shape);
  const auto preset = routing::find_popularity_preset(o.popularity);
  if (!preset)
    refuse_name("--popularity", o.popularity, routing::popularity_presets(), {"uniform"});
  return routing::lognormal(shape, preset->parameters, seed);
}

report::RoutingSource generated(const Options& o, bool with_sigma,
                                const routing::RoutingShape& shape, std::uint64_t seed) {
  const auto preset = routing::find_affinity_preset(o.preset);
  if (!preset) refuse_name("--preset", o.preset, routing::affinity_presets(), {});
  const routing::Popularity popularity = popularity_of(o, with_sigma, shape, seed);
  const routing::TokenTrace tokens =
      routing::draw_tokens(shape, popularity, preset->parameters, o.tokens, seed);
  report::RoutingSource source = of_workload({.name = o.preset, .load = {}, .tokens = tokens},
                                             o.preset + ", " + o.model, shape);
  source.kind = "generated tokens";
  source.description =
      fmt::format("Affinity {}. Popularity {}.", preset->source, popularity.source);
  source.published = routing::published_figures(o.preset);
  if (!with_sigma) {
    const auto of_load = routing::published_figures(o.popularity);
    source.published.insert(source.published.end(), of_load.begin(), of_load.end());
  }
  return source;
}

void check(const Options& o, bool with_sigma, bool with_popularity) {
  if (o.sources.empty() && o.preset.empty()) {
    refuse("SOURCE", "nothing to look at: no recorded file and no --preset",
           "see moesim routing --help");
  }
  if (o.preset.empty() && (with_sigma || with_popularity)) {
    refuse(with_sigma ? "--sigma" : "--popularity", "belongs to generated tokens", "add --preset");
  }
  if (with_sigma && with_popularity) {
    refuse("--sigma", "stands in place of --popularity", "give one of them");
  }
  if (!(o.sigma >= 0.0 && o.sigma <= kMostSigma)) {
    refuse("--sigma", fmt::format("must be 0 to 3, got {}", format_number(o.sigma)),
           "recorded loads have 0.6 to 0.8");
  }
  if (o.tokens < 1 || o.tokens > kMostTokens) {
    refuse("--tokens", fmt::format("must be 1 to {}, got {}", kMostTokens, o.tokens), "");
  }
}

}  // namespace

int run_routing(const Arguments& arguments, std::ostream& out) {
  Options o;
  const po::options_description options = described_options(o);
  po::options_description all;
  std::string what;
  all.add(options).add_options()("what", po::value(&what))("source", po::value(&o.sources));
  po::positional_options_description places;
  places.add("what", 1).add("source", -1);
  po::variables_map found;
  if (!parse_options(arguments, all, places, found)) {
    out << kUsage << options;
    return kDone;
  }
  if (what != "stats") {
    refuse(
        "routing",
        what.empty() ? "says what to do: stats" : fmt::format("knows only stats, got \"{}\"", what),
        "moesim routing stats SOURCE, see moesim routing --help");
  }
  check_format(o.format, {"table", "json"});
  const bool with_sigma = found.count("sigma") > 0;
  check(o, with_sigma, !found["popularity"].defaulted());
  const bool with_model = !found["model"].defaulted();
  std::optional<routing::RoutingShape> shape;
  if (with_model || !o.preset.empty()) shape = shape_of(o.model);
  std::vector<report::RoutingSource> sources;
  for (const std::string& path : o.sources) {
    for (auto& source : read_source(path, with_model ? shape : std::nullopt)) {
      sources.push_back(std::move(source));
    }
  }
  if (!o.preset.empty()) {
    sources.push_back(generated(o, with_sigma, *shape, seed_of(found).value_or(1)));
  }
  out << (o.format == "json" ? report::routing_json(sources)
                             : report::routing_table(sources, o.by_layer));
  return kDone;
}

}  // namespace moesim::cli
