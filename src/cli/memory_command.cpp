#include "cli/memory_command.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>

#include "catalog/catalog.h"
#include "cli/command.h"
#include "core/diagnostics.h"
#include "core/text.h"
#include "plan/usual_layouts.h"
#include "report/memory_report.h"
#include "scenario/catalog_reader.h"
#include "scenario/hf_import.h"

namespace moesim::cli {
namespace {

namespace po = boost::program_options;
using plan::FittingLayout;
using plan::Layout;
using plan::LayoutRequest;
using Integer = std::int64_t;

constexpr Integer kMostGpus = 65536;
/// Largest instance the search for the smallest fitting layouts looks at, and layouts shown.
constexpr Integer kSearchedGpus = 256;
constexpr std::size_t kShownLayouts = 3;

constexpr const char* kIntroduction =
    "moesim memory MODEL --gpu GPU [--gpus N] [options]\n\n"
    "Says what one GPU must hold for MODEL (weights by class, activations, buffers), how many\n"
    "tokens of KV cache are left, whether that fits, and which layouts are the smallest that do.\n"
    "MODEL is a name of the catalog (moesim catalog list models) or the path of a Hugging Face\n"
    "config.json. Degrees that are not given are chosen: the usual layout on N GPUs with most "
    "room\n"
    "for KV cache; without --gpus the smallest layout that fits.\n\n"
    "  moesim memory DeepSeek-V3 --gpu H200-SXM --gpus 8\n"
    "  moesim memory Llama-3.1-70B --gpu H100-SXM --gpus 4 --tp 4 --context 32768\n"
    "  moesim memory DeepSeek-V3 --gpu H100-SXM --dp 32 --ep 32 --redundant-experts 32 --mtp\n\n"
    "Exit code: 0 fits or marginal, 2 wrong input, 3 does not fit.\n\n";

po::options_description described_options() {
  constexpr unsigned kColumns = 100;
  po::options_description o("Options", kColumns);
  const plan::MemoryOptions defaults;
  auto add = o.add_options();
  add("gpu", po::value<std::string>()->value_name("GPU"),
      "GPU of the catalog (moesim catalog list gpus)");
  add("gpus", po::value<Integer>()->value_name("N"), "number of GPUs");
  add("precision", po::value<std::string>()->value_name("P"),
      "weight format; default: the model's native one");
  add("kv-format", po::value<std::string>()->value_name("FORMAT")->default_value("bf16"),
      "KV cache: bf16 or fp8");
  add("tp", po::value<Integer>()->value_name("N"), "tensor parallelism");
  add("pp", po::value<Integer>()->value_name("N"), "pipeline stages");
  add("dp", po::value<Integer>()->value_name("N"),
      "attention data parallelism inside an expert group");
  add("ep", po::value<Integer>()->value_name("N"), "expert parallelism, a divisor of tp * dp");
  add("redundant-experts", po::value<Integer>()->value_name("N")->default_value(0),
      "spare copies per MoE layer");
  add("mtp", po::bool_switch(), "load the multi-token-prediction modules");
  add("context", po::value<Integer>()->value_name("N")->default_value(0),
      "tokens one sequence must reach; 0: 4096 are enough");
  add("max-num-seqs", po::value<Integer>()->value_name("N")->default_value(defaults.max_num_seqs),
      "sequences in a batch, per attention rank");
  add("max-num-batched-tokens",
      po::value<Integer>()->value_name("N")->default_value(defaults.max_num_batched_tokens),
      "tokens of one forward pass, per attention rank");
  add("block-size", po::value<Integer>()->value_name("N")->default_value(defaults.block_size),
      "tokens per KV block");
  add("gpu-memory-utilization", po::value<double>()->value_name("X")->default_value(0.9, "0.9"),
      "share of the GPU's memory the engine may use");
  add("format", po::value<std::string>()->value_name("FORMAT")->default_value("table"),
      "table or json");
  add("help,h", "this text");
  return o;
}

/// Collects every mistake of the command line; `check()` throws them together.
class Mistakes {
 public:
  void add(std::string field, std::string message, std::string hint) {
    list_.push_back(
        {.field = std::move(field), .message = std::move(message), .hint = std::move(hint)});
  }
  void check() {
    if (!list_.empty()) throw InputError(std::exchange(list_, {}));
  }

 private:
  std::vector<Diagnostic> list_;
};

std::string did_you_mean(const std::string& name, const std::vector<std::string>& names,
                         const std::string& otherwise) {
  const std::string nearest = nearest_name(name, names);
  return nearest.empty() ? otherwise : fmt::format("did you mean \"{}\"?", nearest);
}

Integer whole(const po::variables_map& values, const std::string& name, Integer least, Integer most,
              Mistakes& mistakes) {
  const Integer value = values[name].as<Integer>();
  if (value < least || value > most) {
    mistakes.add("--" + name, fmt::format("must be {} to {}, got {}", least, most, value), "");
  }
  return value;
}

std::optional<Integer> degree(const po::variables_map& values, const std::string& name,
                              Mistakes& mistakes) {
  if (values.count(name) == 0) return std::nullopt;
  return whole(values, name, 1, kMostGpus, mistakes);
}

plan::MemoryOptions memory_options(const po::variables_map& values, Mistakes& mistakes) {
  constexpr Integer kMany = 1'000'000'000;
  plan::MemoryOptions o;
  o.gpu_memory_utilization = values["gpu-memory-utilization"].as<double>();
  if (!(o.gpu_memory_utilization > 0.0 && o.gpu_memory_utilization <= 1.0)) {
    mistakes.add("--gpu-memory-utilization",
                 fmt::format("must be above 0 and at most 1, got {}",
                             format_number(o.gpu_memory_utilization)),
                 "engines default to 0.9");
  }
  o.max_num_batched_tokens = whole(values, "max-num-batched-tokens", 1, kMany, mistakes);
  o.max_num_seqs = whole(values, "max-num-seqs", 1, kMany, mistakes);
  o.context = whole(values, "context", 0, kMany, mistakes);
  o.block_size = whole(values, "block-size", 1, kMany, mistakes);
  o.redundant_experts = whole(values, "redundant-experts", 0, kMostGpus, mistakes);
  o.load_mtp = values["mtp"].as<bool>();
  return o;
}

/// A catalog entry first, a config.json second.
std::optional<catalog::Model> find_model(const catalog::Catalog& catalog, const std::string& name,
                                         Mistakes& mistakes) {
  if (const catalog::Model* model = catalog.find_model(name)) return *model;
  const std::filesystem::path path(name);
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return scenario::import_hf_config((path / "config.json").string());
  }
  if (path.extension() == ".json" || std::filesystem::exists(path, ignored)) {
    return scenario::import_hf_config(name);
  }
  std::vector<std::string> names;
  for (const catalog::Model& model : catalog.models) {
    names.push_back(model.name);
    names.insert(names.end(), model.aliases.begin(), model.aliases.end());
  }
  mistakes.add("MODEL", fmt::format("neither a model of the catalog nor a file, got \"{}\"", name),
               did_you_mean(name, names, "see moesim catalog list models"));
  return std::nullopt;
}

std::optional<catalog::Gpu> find_gpu(const catalog::Catalog& catalog, const std::string& name,
                                     Mistakes& mistakes) {
  if (const catalog::Gpu* gpu = catalog.find_gpu(name)) return *gpu;
  std::vector<std::string> names;
  for (const catalog::Gpu& gpu : catalog.gpus) {
    names.push_back(gpu.name);
    names.insert(names.end(), gpu.aliases.begin(), gpu.aliases.end());
  }
  mistakes.add("--gpu", fmt::format("no GPU of the catalog is called \"{}\"", name),
               did_you_mean(name, names, "see moesim catalog list gpus"));
  return std::nullopt;
}

std::optional<catalog::Precision> find_precision(const catalog::Catalog& catalog,
                                                 const std::string& name,
                                                 const std::string& kv_format, Mistakes& mistakes) {
  std::optional<catalog::Precision> precision = catalog.precision(name);
  if (!precision) {
    mistakes.add("--precision", fmt::format("no weight format is called \"{}\"", name),
                 did_you_mean(name, catalog.precision_names(), "see moesim catalog list formats"));
  }
  if (kv_format != "bf16" && kv_format != "fp8") {
    mistakes.add("--kv-format", fmt::format("must be bf16 or fp8, got \"{}\"", kv_format), "");
  }
  if (precision && kv_format == "fp8") precision->kv_element = kByte;
  return precision;
}

/// Everything a question consists of, checked but for the layout.
struct Question {
  catalog::Model model;
  catalog::Precision precision;
  catalog::Gpu gpu;
  plan::MemoryOptions options;
  LayoutRequest request;
  std::optional<Integer> gpus;
};

Question read_question(const po::variables_map& values) {
  Mistakes mistakes;
  for (const auto& [option, shown] : {std::pair{"model", "MODEL"}, std::pair{"gpu", "--gpu"}}) {
    if (values.count(option) == 0) {
      mistakes.add(shown, "is required", "moesim memory DeepSeek-V3 --gpu H200-SXM --gpus 8");
    }
  }
  Question q;
  q.options = memory_options(values, mistakes);
  q.request = {.tp = degree(values, "tp", mistakes),
               .pp = degree(values, "pp", mistakes),
               .dp = degree(values, "dp", mistakes),
               .ep = degree(values, "ep", mistakes)};
  q.gpus = degree(values, "gpus", mistakes);
  mistakes.check();

  using scenario::CatalogParts;
  const catalog::Catalog catalog =
      scenario::read_catalog(scenario::find_catalog_directory(),
                             CatalogParts::Models | CatalogParts::Gpus | CatalogParts::Formats);
  const auto model = find_model(catalog, values["model"].as<std::string>(), mistakes);
  const auto gpu = find_gpu(catalog, values["gpu"].as<std::string>(), mistakes);
  std::string format_name = model ? model->native_precision : "bf16";
  if (values.count("precision") > 0) format_name = values["precision"].as<std::string>();
  const auto precision =
      find_precision(catalog, format_name, values["kv-format"].as<std::string>(), mistakes);
  if (model && q.options.load_mtp && model->mtp_modules == 0) {
    mistakes.add("--mtp", fmt::format("{} has no MTP modules", model->name), "leave it out");
  }
  mistakes.check();
  q.model = *model;
  q.gpu = *gpu;
  q.precision = *precision;
  return q;
}

/// The layout asked for, when the number of GPUs follows from it: experts spread over as many
/// ranks as are asked for, attention ranks share their experts.
Layout completed(const Question& q) {
  const LayoutRequest& r = q.request;
  const Integer tp = r.tp.value_or(1);
  const Integer ep = r.ep.value_or(1);
  const Integer dp = r.dp.value_or(ep % tp == 0 ? std::max<Integer>(1, ep / tp) : 1);
  const bool shares_experts = q.model.is_moe() && dp > 1 && !r.ep;
  return {.tp = tp, .pp = r.pp.value_or(1), .dp = dp, .ep = shares_experts ? tp * dp : ep};
}

/// What is wrong with a layout asked for that has no solution.
[[noreturn]] void refuse_layout(const Question& q, Integer gpus) {
  Mistakes mistakes;
  Layout asked = completed(q);
  if (gpus % asked.gpus_per_instance() != 0 && (q.request.tp || q.request.pp || q.request.dp)) {
    mistakes.add("--gpus",
                 fmt::format("{} GPUs do not divide into instances of tp {} * pp {} * dp {} = {}",
                             gpus, asked.tp, asked.pp, asked.dp, asked.gpus_per_instance()),
                 fmt::format("use a multiple of {}", asked.gpus_per_instance()));
  }
  for (const plan::LayoutProblem& problem :
       check_layout(asked, q.model, q.options.redundant_experts)) {
    std::string option = problem.field == "redundant_experts" ? "redundant-experts" : problem.field;
    mistakes.add("--" + option, problem.message, problem.hint);
  }
  mistakes.check();
  throw InputError(
      Diagnostic{.field = "--gpus",
                 .message = fmt::format("no layout of {} on {} GPUs matches the degrees asked for",
                                        q.model.name, gpus),
                 .hint = "give fewer of --tp, --pp, --dp and --ep, or another number of GPUs"});
}

struct Choice {
  FittingLayout best;
  std::string how;
};

FittingLayout planned(const Question& q, const Layout& layout) {
  return {.layout = layout, .report = plan_memory(q.model, q.precision, q.gpu, layout, q.options)};
}

/// The best usual layout on `gpus` GPUs as one instance or, where that cannot be, as few equal ones
/// as possible.
Choice choose_on(const Question& q, Integer gpus) {
  LayoutRequest request = q.request;
  Integer instances = 1;
  // Attention ranks that share no experts are instances of their own.
  if (request.dp && (!q.model.is_moe() || request.ep == 1) && gpus % *request.dp == 0) {
    instances = *std::exchange(request.dp, 1);
  }
  for (; instances <= gpus; ++instances) {
    if (gpus % instances != 0) continue;
    std::vector<FittingLayout> ranked =
        ranked_layouts(q.model, q.precision, q.gpu, gpus / instances, request, q.options);
    if (ranked.empty()) continue;
    FittingLayout best = std::move(ranked.front());
    best.layout.replicas = instances;
    const bool asked = q.request.tp || q.request.pp || q.request.dp || q.request.ep;
    const char* how = ranked.size() > 1 ? "most room for KV cache of the usual layouts"
                      : asked           ? "as asked"
                                        : "the usual layout";
    return {std::move(best), how};
  }
  refuse_layout(q, gpus);
}

Choice choose(const Question& q, const std::vector<FittingLayout>& smallest) {
  if (q.gpus) return choose_on(q, *q.gpus);
  if (q.request.tp || q.request.pp || q.request.dp || q.request.ep) {
    const Layout asked = completed(q);
    if (!check_layout(asked, q.model, q.options.redundant_experts).empty()) {
      refuse_layout(q, asked.gpus());
    }
    return {planned(q, normalised(asked)), "as asked"};
  }
  if (!smallest.empty()) return {smallest.front(), "the smallest that fits"};
  return choose_on(q, 1);
}

}  // namespace

int run_memory(const Arguments& arguments, std::ostream& out) {
  const po::options_description options = described_options();
  po::options_description all;
  all.add(options).add_options()("model", po::value<std::string>()->value_name("MODEL"));
  po::positional_options_description places;
  places.add("model", 1);
  po::variables_map values;
  if (!parse_options(arguments, all, places, values)) {
    out << kIntroduction << options;
    return kDone;
  }
  check_format(values["format"].as<std::string>(), {"table", "json"});
  const Question q = read_question(values);
  report::MemoryAnswer answer{.model = q.model.name,
                              .precision = q.precision.name,
                              .gpu = q.gpu.name,
                              .layout_choice = {},
                              .layout = {},
                              .options = q.options,
                              .kv_element = q.precision.kv_element,
                              .report = {},
                              .smallest = {},
                              .searched_gpus = kSearchedGpus};
  answer.smallest = smallest_fitting_layouts(q.model, q.precision, q.gpu, q.options, kSearchedGpus,
                                             kShownLayouts);
  Choice choice = choose(q, answer.smallest);
  answer.layout = choice.best.layout;
  answer.report = std::move(choice.best.report);
  answer.layout_choice = std::move(choice.how);
  out << (values["format"].as<std::string>() == "json" ? report::memory_json(answer)
                                                       : report::memory_table(answer));
  return answer.report.verdict == plan::Verdict::No ? kDoesNotFit : kDone;
}

}  // namespace moesim::cli
