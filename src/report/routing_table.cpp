#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <span>

#include "report/routing_figures.h"
#include "report/routing_report.h"
#include "report/text_layout.h"

namespace moesim::report {
namespace {

constexpr std::size_t kLabelWidth = 42;
constexpr std::size_t kColumnWidth = 14;
/// Sources side by side on a page, with a column of published figures.
constexpr std::size_t kSourcesAbreast = 3;

std::string number(std::optional<double> value) {
  return value ? fmt::format("{:.3f}", *value) : "-";
}

std::string published_text(const std::vector<RoutingSource>& sources, std::string_view field) {
  for (const RoutingSource& source : sources) {
    for (const routing::PublishedFigure& p : source.published) {
      if (p.figure != field) continue;
      return p.lowest == p.highest ? fmt::format("{:.3g}", p.lowest)
                                   : fmt::format("{:.2f} to {:.2f}", p.lowest, p.highest);
    }
  }
  return "";
}

std::string letter(std::size_t index) { return fmt::format("[{}]", index + 1); }

std::string means(std::span<const RoutingSource> sources, std::size_t first,
                  const std::vector<RoutingSource>& all) {
  const bool published = std::any_of(all.begin(), all.end(),
                                     [](const RoutingSource& s) { return !s.published.empty(); });
  std::string text = left("Mean over layers", kLabelWidth);
  std::vector<routing::LayerStatistics> of_sources;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    text += right(letter(first + i), kColumnWidth);
    of_sources.push_back(routing::mean_statistics(sources[i].layers));
  }
  text += published ? right("published", kColumnWidth) + "\n" : "\n";
  for (const RoutingFigure& figure : routing_figures()) {
    text += "  " + left(figure.words, kLabelWidth - 2);
    for (const routing::LayerStatistics& mean : of_sources) {
      text += right(number(figure.value(mean)), kColumnWidth);
    }
    const std::string beside = published ? published_text(all, figure.field) : "";
    text += beside.empty() ? "\n" : right(beside, kColumnWidth) + "\n";
  }
  return text;
}

std::string layers_of(const RoutingSource& source, std::size_t index) {
  constexpr std::size_t kLayerWidth = 6;
  const auto width = [](const RoutingFigure& f) {
    return std::max<std::size_t>(text_width(f.column), 5) + 1;
  };
  std::vector<RoutingFigure> figures;  // Those that some layer has.
  for (const RoutingFigure& figure : routing_figures()) {
    if (std::any_of(source.layers.begin(), source.layers.end(),
                    [&](const auto& l) { return figure.value(l).has_value(); }) &&
        figure.field != "unused_experts" && figure.field != "load_gini") {
      figures.push_back(figure);
    }
  }
  std::string text = fmt::format("\nLayers of {}\n{}", letter(index), right("layer", kLayerWidth));
  for (const RoutingFigure& figure : figures) text += right(figure.column, width(figure));
  text += "\n";
  for (const routing::LayerStatistics& layer : source.layers) {
    text += right(std::to_string(layer.layer), kLayerWidth);
    for (const RoutingFigure& figure : figures) {
      const std::optional<double> value = figure.value(layer);
      text += right(value ? fmt::format("{:.2f}", *value) : "-", width(figure));
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string routing_table(const std::vector<RoutingSource>& sources, bool by_layer) {
  std::string text;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const RoutingSource& s = sources[i];
    const std::string tokens =
        s.tokens > 0 ? fmt::format(", top {}, {} tokens", s.top_k, s.tokens) : "";
    const std::string groups = s.groups > 1 ? fmt::format(" in {} groups", s.groups) : "";
    text += labelled(letter(i),
                     fmt::format("{}: {} of {} layers, {} experts{}{}. {}", s.name, s.kind,
                                 s.layers.size(), s.experts, groups, tokens, s.description),
                     4);
  }
  for (std::size_t first = 0; first < sources.size(); first += kSourcesAbreast) {
    const auto page =
        std::span(sources).subspan(first, std::min(kSourcesAbreast, sources.size() - first));
    text += "\n" + means(page, first, sources);
  }
  std::vector<std::string_view> cited;
  for (const RoutingSource& s : sources) {
    for (const routing::PublishedFigure& p : s.published) {
      if (std::find(cited.begin(), cited.end(), p.source) == cited.end()) cited.push_back(p.source);
    }
  }
  if (!cited.empty()) text += "\n";
  for (const std::string_view source : cited) text += labelled("Published:", source, 11);
  if (by_layer) {
    for (std::size_t i = 0; i < sources.size(); ++i) text += layers_of(sources[i], i);
  }
  return text;
}

}  // namespace moesim::report
