#include "scenario/catalog_reader.h"

#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <memory>
#include <set>
#include <utility>

#include "core/check.h"
#include "core/text.h"
#include "scenario/catalog_convert.h"
#include "scenario/curve_files.h"
#include "scenario/message_reader.h"
#include "scenario/syntax_errors.h"

namespace moesim::scenario {
namespace {

namespace fs = std::filesystem;
using google::protobuf::TextFormat;

struct PartFile {
  CatalogParts part;
  const char* file;
};
constexpr PartFile kFiles[] = {{CatalogParts::Models, "models.txtpb"},
                               {CatalogParts::Gpus, "gpus.txtpb"},
                               {CatalogParts::Fabrics, "fabrics.txtpb"},
                               {CatalogParts::Formats, "formats.txtpb"},
                               {CatalogParts::Engines, "engines.txtpb"},
                               {CatalogParts::Engines, "engine_overheads.txtpb"},
                               {CatalogParts::Engines, "prediction_errors.txtpb"},
                               {CatalogParts::Prices, "prices.txtpb"},
                               {CatalogParts::Collectives, "collectives.txtpb"}};

/// Every name and alias of a kind once.
template <class Entry>
void check_names(const MessageScope& scope, const char* field, const std::vector<Entry>& entries) {
  std::set<std::string> seen;
  for (const Entry& entry : entries) {
    std::vector<std::string> names = entry.aliases;
    names.push_back(entry.name);
    for (const std::string& name : names) {
      if (!seen.insert(to_lower(name)).second) {
        scope.error(field, "has the name \"" + name + "\" twice", "rename one entry or alias");
      }
    }
  }
}

void convert(const proto::CatalogFile& file, Document& document, catalog::Catalog& out) {
  const MessageScope root(document, file);
  const auto each = [&](const auto& messages, const char* field, auto& entries, auto make) {
    for (int i = 0; i < messages.size(); ++i) {
      entries.push_back(make(messages.Get(i), MessageScope(root, messages.Get(i), field, i)));
    }
  };
  each(file.model(), "model", out.models, convert_model);
  each(file.gpu(), "gpu", out.gpus, convert_gpu);
  each(file.fabric(), "fabric", out.fabrics, convert_fabric);
  each(file.collective(), "collective", out.measurements,
       [](const auto&, const MessageScope& scope) { return convert_collective(scope); });
  each(file.format(), "format", out.formats, convert_format);
  each(file.recipe(), "recipe", out.recipes,
       [](const auto&, const MessageScope& scope) { return convert_recipe(scope); });
  each(file.engine(), "engine", out.engines, convert_engine);
  each(file.engine_overhead(), "engine_overhead", out.engine_overheads, convert_overhead);
  each(file.prediction_error(), "prediction_error", out.scored_figures, convert_prediction_error);
  each(file.price(), "price", out.prices,
       [](const auto&, const MessageScope& scope) { return convert_price(scope); });
  check_names(root, "model", out.models);
  check_names(root, "gpu", out.gpus);
  check_names(root, "fabric", out.fabrics);
  check_names(root, "engine", out.engines);
  check_names(root, "format", out.formats);
}

template <class Entry>
void append(std::vector<Entry>&& from, std::vector<Entry>& to) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

/// Adds what one file held.
void merge(catalog::Catalog&& part, catalog::Catalog& out) {
  append(std::move(part.models), out.models);
  append(std::move(part.gpus), out.gpus);
  append(std::move(part.fabrics), out.fabrics);
  append(std::move(part.measurements), out.measurements);
  append(std::move(part.formats), out.formats);
  append(std::move(part.recipes), out.recipes);
  append(std::move(part.engines), out.engines);
  append(std::move(part.engine_overheads), out.engine_overheads);
  append(std::move(part.scored_figures), out.scored_figures);
  append(std::move(part.prices), out.prices);
}

/// Reads one file into `out`.
void read_part(const std::string& path, catalog::Catalog& out, std::vector<Diagnostic>& found) {
  const std::string text = read_file(path, kMaxInputBytes);
  Document document{.file = path};
  proto::CatalogFile file;
  if (parse_text(text, document, nullptr, file)) {
    catalog::Catalog part;
    convert(file, document, part);
    if (document.diagnostics.empty()) {
      merge(std::move(part), out);
      return;
    }
    // Something is wrong: parse again, this time with the places of the fields.
    TextFormat::ParseInfoTree places;
    Document again{.file = path, .places = &places};
    proto::CatalogFile second;
    static_cast<void>(parse_text(text, again, &places, second));
    catalog::Catalog ignored;
    convert(second, again, ignored);
    document = std::move(again);
  }
  found.insert(found.end(), document.diagnostics.begin(), document.diagnostics.end());
}

/// Names that one part uses of another.
void check_references(const catalog::Catalog& catalog, CatalogParts parts,
                      const std::string& directory, std::vector<Diagnostic>& found) {
  const auto unknown = [&](const char* file, std::string field, const std::string& name) {
    found.push_back({.file = directory + "/" + file,
                     .field = std::move(field),
                     .message = "names the unknown \"" + name + "\"",
                     .hint = "use the name of an entry"});
  };
  for (const catalog::EngineOverhead& overhead : catalog.engine_overheads) {
    if (catalog.find_engine(overhead.engine) == nullptr) {
      unknown("engine_overheads.txtpb", "engine", overhead.engine);
    }
  }
  for (const catalog::ScoredFigure& scored : catalog.scored_figures) {
    if (catalog.find_engine(scored.situation.engine) == nullptr) {
      unknown("prediction_errors.txtpb", scored.row + ".engine", scored.situation.engine);
    }
  }
  if (!contains(parts, CatalogParts::Formats)) return;
  for (const catalog::PrecisionRecipe& recipe : catalog.recipes) {
    for (const std::string& name : {recipe.experts, recipe.linear, recipe.rest}) {
      if (catalog.find_format(name) == nullptr) unknown("formats.txtpb", recipe.name, name);
    }
  }
  for (const catalog::Model& model : catalog.models) {
    if (!catalog.precision(model.native_precision)) {
      unknown("models.txtpb", model.name + ".native_precision", model.native_precision);
    }
  }
}

bool is_data_directory(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path / "catalog", ignored);
}

}  // namespace

catalog::Catalog read_catalog(const std::string& directory, CatalogParts parts) {
  catalog::Catalog catalog;
  std::vector<Diagnostic> found;
  for (const PartFile& entry : kFiles) {
    if (contains(parts, entry.part)) read_part(directory + "/" + entry.file, catalog, found);
  }
  if (found.empty()) check_references(catalog, parts, directory, found);
  if (!found.empty()) throw InputError(std::move(found));
  if (contains(parts, CatalogParts::Curves)) {
    catalog.curves =
        std::make_shared<const catalog::CurveSet>(read_curves(directory + "/curves", catalog.gpus));
  }
  return catalog;
}

std::string find_data_directory() {
  std::string looked_at;
  const auto usable = [&](const fs::path& path) {
    if (is_data_directory(path)) return true;
    looked_at += (looked_at.empty() ? "" : ", ") + path.string();
    return false;
  };
  const char* chosen = std::getenv("MOESIM_DATA");
  if (chosen != nullptr && *chosen != '\0') {
    if (usable(chosen)) return chosen;
    throw IoError("MOESIM_DATA is " + std::string(chosen) +
                  ", which has no folder \"catalog\"; it must name the folder \"scenarios\"");
  }
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  if (!program.empty()) {
    const fs::path beside = (program.parent_path() / MOESIM_INSTALL_DATA_DIR).lexically_normal();
    if (usable(beside)) return beside.string();
  }
  if (usable(MOESIM_SOURCE_DATA_DIR)) return MOESIM_SOURCE_DATA_DIR;
  throw IoError("the catalog is in none of " + looked_at +
                "; set MOESIM_DATA to the folder \"scenarios\"");
}

std::string find_catalog_directory() { return find_data_directory() + "/catalog"; }

catalog::Catalog read_run_catalog() {
  return read_catalog(find_catalog_directory(), CatalogParts::Run | CatalogParts::Prices);
}

std::string model_text(const catalog::Model& model) {
  proto::CatalogFile file;
  *file.add_model() = model_message(model);
  TextFormat::Printer printer;
  printer.SetUseUtf8StringEscaping(true);
  std::string text;
  MOESIM_CHECK(printer.PrintToString(file, &text), "a model cannot be printed");
  return text;
}

std::string model_json(const catalog::Model& model) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto status =
      google::protobuf::util::MessageToJsonString(model_message(model), &text, options);
  MOESIM_CHECK(status.ok(), "a model cannot be printed as JSON");
  return text;
}

}  // namespace moesim::scenario
