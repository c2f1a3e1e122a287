#include "cli/catalog_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <boost/program_options.hpp>
#include <optional>
#include <ostream>
#include <string_view>

#include "cli/catalog_lists.h"
#include "core/diagnostics.h"
#include "core/text.h"
#include "scenario/catalog_reader.h"
#include "scenario/cluster_reader.h"
#include "scenario/hf_import.h"

namespace moesim::cli {
namespace {

namespace po = boost::program_options;
using scenario::CatalogParts;

constexpr const char* kIntroduction =
    "moesim catalog list KIND [FILTER] [--format table|json|csv]\n"
    "moesim catalog show KIND NAME [--precision FORMAT] [--format table|json|csv]\n"
    "moesim catalog import CONFIG.json [--name NAME] [--format text|json]\n\n"
    "KIND is one of models, gpus, fabrics, clusters, collectives, formats, engines, prices.\n\n"
    "list prints one line per entry; FILTER keeps those in which it occurs. CSV and JSON hold\n"
    "more columns than the table, sources among them.\n"
    "show prints one entry in full. For a model: parameters by part, size of the weights in its\n"
    "released format or the one given, KV cache per token, licence. For prices, NAME is a GPU or "
    "a\n"
    "provider.\n"
    "import reads the config.json of a model on Hugging Face and prints an entry to paste into a\n"
    "scenario (inline_model) or to keep beside it; a scenario can also name the file itself\n"
    "(huggingface_config).\n\n"
    "  moesim catalog list models llama\n"
    "  moesim catalog show model DeepSeek-V3 --precision Q4_K_M\n"
    "  moesim catalog show prices H100\n"
    "  moesim catalog import ~/models/my-model/config.json --name my-model\n\n"
    "The catalog is read from the folder catalog/ of $MOESIM_DATA, of the installed data, or of "
    "the\nsource tree, in this order.\n\n";

struct Kind {
  std::string_view plural;
  std::string_view singular;
  CatalogParts parts;
  Table (*list)(const catalog::Catalog&, const std::string&);
};

constexpr std::array kKinds = {
    Kind{"models", "model", CatalogParts::Models | CatalogParts::Formats, list_models},
    Kind{"gpus", "gpu", CatalogParts::Gpus, list_gpus},
    Kind{"fabrics", "fabric", CatalogParts::Fabrics, list_fabrics},
    Kind{"clusters", "cluster", CatalogParts::Gpus | CatalogParts::Fabrics, list_clusters},
    Kind{"collectives", "collective", CatalogParts::Collectives, list_collectives},
    Kind{"formats", "format", CatalogParts::Formats, list_formats},
    Kind{"engines", "engine", CatalogParts::Engines, list_engines},
    Kind{"prices", "price", CatalogParts::Prices | CatalogParts::Gpus, list_prices},
};

[[noreturn]] void refuse(std::string field, std::string message, std::string hint) {
  throw InputError(Diagnostic{
      .field = std::move(field), .message = std::move(message), .hint = std::move(hint)});
}

/// Refuses `name`, suggesting the nearest of `known`.
[[noreturn]] void refuse_name(const std::string& field, const std::string& name,
                              const std::vector<std::string>& known, const std::string& otherwise) {
  const std::string near = nearest_name(name, known);
  refuse(field, fmt::format("there is no \"{}\"", name),
         near.empty() ? otherwise : fmt::format("did you mean \"{}\"?", near));
}

const Kind& kind_called(const std::string& name) {
  std::vector<std::string> names;
  for (const Kind& kind : kKinds) {
    if (equal_ignoring_case(name, kind.plural) || equal_ignoring_case(name, kind.singular)) {
      return kind;
    }
    names.emplace_back(kind.plural);
  }
  refuse_name("KIND", name, names, fmt::format("use {}", fmt::join(names, ", ")));
}

/// The entry of that name, or an error that suggests the nearest name or alias.
template <class Entry>
const Entry& named(const std::vector<Entry>& entries, const Entry* found, const Kind& kind,
                   const std::string& name) {
  if (found != nullptr) return *found;
  std::vector<std::string> names;
  for (const Entry& entry : entries) {
    names.push_back(entry.name);
    names.insert(names.end(), entry.aliases.begin(), entry.aliases.end());
  }
  refuse_name(std::string(kind.singular), name, names,
              fmt::format("see moesim catalog list {}", kind.plural));
}

struct Request {
  std::vector<std::string> words;  ///< What stands after the verb.
  std::string format;
  std::optional<std::string> precision;
  std::string name;
};

Table model_record(const catalog::Catalog& catalog, const Kind& kind, const Request& request) {
  const std::string& name = request.words[2];
  const catalog::Model& model = named(catalog.models, catalog.find_model(name), kind, name);
  const std::string format = request.precision.value_or(model.native_precision);
  const auto precision = catalog.precision(format);
  if (!precision) {
    refuse_name("--precision", format, catalog.precision_names(),
                "see moesim catalog list formats");
  }
  return show_model(model, *precision);
}

/// Prices of a GPU, by any of its names, or those in which `name` occurs.
Table price_record(const catalog::Catalog& catalog, const std::string& name) {
  if (const catalog::Gpu* gpu = catalog.find_gpu(name)) {
    catalog::Catalog of_gpu;
    for (const catalog::Price& price : catalog.prices) {
      if (price.gpu == gpu->name) of_gpu.prices.push_back(price);
    }
    return list_prices(of_gpu, "");
  }
  Table table = list_prices(catalog, name);
  if (!table.rows.empty()) return table;
  std::vector<std::string> names = catalog.gpu_names();
  for (const catalog::Price& price : catalog.prices) names.push_back(price.provider);
  refuse_name("price", name, names, "see moesim catalog list prices");
}

int show(const Request& request, std::ostream& out) {
  if (request.words.size() != 3) {
    refuse("show", "needs KIND and NAME", "moesim catalog show model DeepSeek-V3");
  }
  const Kind& kind = kind_called(request.words[1]);
  const std::string& name = request.words[2];
  const catalog::Catalog catalog =
      scenario::read_catalog(scenario::find_catalog_directory(), kind.parts);
  if (kind.singular != "model" && request.precision) {
    refuse("--precision", "is only for models", "leave it out");
  }
  Table record;
  if (kind.singular == "price" || kind.singular == "collective") {
    record = kind.singular == "price" ? price_record(catalog, name) : kind.list(catalog, name);
    if (record.rows.empty()) {
      refuse("collective", fmt::format("there is no \"{}\"", name),
             "see moesim catalog list collectives");
    }
    print_table(record, request.format, out);
    return kDone;
  }
  if (kind.singular == "model") {
    record = model_record(catalog, kind, request);
  } else if (kind.singular == "gpu") {
    record = show_gpu(named(catalog.gpus, catalog.find_gpu(name), kind, name));
  } else if (kind.singular == "fabric") {
    record = show_fabric(named(catalog.fabrics, catalog.find_fabric(name), kind, name));
  } else if (kind.singular == "cluster") {
    record = show_cluster(scenario::read_preset(name, {}, catalog));
  } else if (kind.singular == "engine") {
    record = show_engine(named(catalog.engines, catalog.find_engine(name), kind, name));
  } else if (const catalog::PrecisionRecipe* recipe = catalog.find_recipe(name)) {
    record = show_recipe(*recipe);
  } else {
    record = show_format(named(catalog.formats, catalog.find_format(name), kind, name));
  }
  print_record(record, request.format, out);
  return kDone;
}

int list(const Request& request, std::ostream& out) {
  if (request.words.size() < 2 || request.words.size() > 3) {
    refuse("list", "needs KIND and at most one FILTER", "moesim catalog list models llama");
  }
  if (request.precision) refuse("--precision", "is only for show", "leave it out");
  const Kind& kind = kind_called(request.words[1]);
  const catalog::Catalog catalog =
      scenario::read_catalog(scenario::find_catalog_directory(), kind.parts);
  const std::string filter = request.words.size() == 3 ? request.words[2] : "";
  print_table(kind.list(catalog, filter), request.format, out);
  return kDone;
}

int import(const Request& request, std::ostream& out) {
  if (request.words.size() != 2) {
    refuse("import", "needs the path of one config.json", "moesim catalog import config.json");
  }
  if (request.precision) refuse("--precision", "is only for show", "leave it out");
  check_format(request.format, {"text", "json"});
  const catalog::Model model = scenario::import_hf_config(request.words[1], request.name);
  out << (request.format == "json" ? scenario::model_json(model) : scenario::model_text(model));
  return kDone;
}

}  // namespace

int run_catalog(const Arguments& arguments, std::ostream& out) {
  Request request;
  po::options_description options("Options", 100);
  auto add = options.add_options();
  add("format", po::value<std::string>()->value_name("FORMAT"),
      "table (default), json or csv; import: text (default) or json");
  add("precision", po::value<std::string>()->value_name("FORMAT"),
      "show model: size of the weights in this format");
  add("name", po::value(&request.name)->value_name("NAME"),
      "import: name of the model; default: after the file");
  add("help,h", "this text");
  po::options_description all;
  all.add(options).add_options()("word", po::value(&request.words));
  po::positional_options_description places;
  places.add("word", -1);
  po::variables_map values;
  if (!parse_options(arguments, all, places, values)) {
    out << kIntroduction << options;
    return kDone;
  }
  if (request.words.empty()) {
    refuse("catalog", "needs list, show or import", "see moesim catalog --help");
  }
  const std::string& action = request.words[0];
  if (values.count("precision") != 0) request.precision = values["precision"].as<std::string>();
  const bool is_import = action == "import";
  request.format = values.count("format") != 0 ? values["format"].as<std::string>()
                   : is_import                 ? "text"
                                               : "table";
  if (is_import) return import(request, out);
  if (!request.name.empty()) refuse("--name", "is only for import", "leave it out");
  check_format(request.format, {"table", "json", "csv"});
  if (action == "list") return list(request, out);
  if (action == "show") return show(request, out);
  refuse_name("catalog", action, {"list", "show", "import"}, "use list, show or import");
}

}  // namespace moesim::cli
