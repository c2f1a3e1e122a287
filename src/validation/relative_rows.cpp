#include "validation/relative_rows.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "validation/row_names.h"

namespace moesim::validation {
namespace {

using scenario::PublishedRow;

/// Degrees that a word such as "tp8" or "dp8ep" asks for.
struct Layout {
  std::optional<double> tp, pp, dp, ep;
  bool any = false;
  bool has_ep = false;
};

/// "tp8" -> tp 8; "gpus4" is not one. `word` ends at '_' or at the end of the name.
Layout layout_of(std::string_view word) {
  Layout layout;
  while (word.size() >= 2) {
    const std::string_view kind = word.substr(0, 2);
    std::optional<double>* degree = kind == "tp"   ? &layout.tp
                                    : kind == "pp" ? &layout.pp
                                    : kind == "dp" ? &layout.dp
                                    : kind == "ep" ? &layout.ep
                                                   : nullptr;
    if (degree == nullptr) return {};
    word.remove_prefix(2);
    const std::size_t digits = std::min(word.find_first_not_of("0123456789"), word.size());
    if (digits > 0) *degree = number_behind(word.substr(0, digits), "");
    word.remove_prefix(digits);
    layout.any = true;
    layout.has_ep = layout.has_ep || kind == "ep";
  }
  return word.empty() ? layout : Layout{};
}

bool has(const PublishedRow& row, const Layout& layout) {
  const auto fits = [](const std::optional<double>& wanted, const std::optional<double>& given) {
    return !wanted || given == wanted;
  };
  return fits(layout.tp, row.tp) && fits(layout.pp, row.pp) && fits(layout.dp, row.dp) &&
         fits(layout.ep, row.ep);
}

bool is_rate(const PublishedRow& row) {
  return row.metric.find("throughput") != std::string::npos && row.value.has_value() &&
         row.metric.find("simulated") == std::string::npos;
}

bool comparable(const PublishedRow& row, const PublishedRow& other) {
  const auto same = [](const std::optional<double>& a, const std::optional<double>& b) {
    return !a || a == b;
  };
  return is_rate(other) && other.family() == row.family() && other.model == row.model &&
         other.gpu == row.gpu && other.precision == row.precision && other.engine == row.engine &&
         (row.pd_mode.empty() || other.pd_mode == row.pd_mode) &&
         same(row.input_tokens, other.input_tokens) && same(row.output_tokens, other.output_tokens);
}

/// Numbers such as "22,476" or "2.2k" left and right of " vs ".
std::optional<double> published_number(std::string_view text) {
  std::string digits;
  bool thousand = false;
  for (const char c : text) {
    if ((c >= '0' && c <= '9') || c == '.') {
      digits += c;
    } else if (c == 'k') {
      thousand = true;
    } else if (c != ',') {
      break;
    }
  }
  constexpr double kThousand = 1000;
  const auto value = number_behind(digits, "");
  if (!value) return std::nullopt;
  return thousand ? kThousand * *value : *value;
}

std::optional<std::size_t> measured(double value, const PublishedRow& row,
                                    const std::vector<PublishedRow>& rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].value == value && is_rate(rows[i]) && rows[i].family() == row.family()) return i;
  }
  return std::nullopt;
}

std::optional<Pair> pair_of_note(const PublishedRow& row, const std::vector<PublishedRow>& rows) {
  const std::size_t vs = row.note.find(" vs ");
  if (vs == std::string::npos) return std::nullopt;
  std::size_t start = vs;
  while (start > 0 &&
         std::string_view("0123456789,.k").find(row.note[start - 1]) != std::string_view::npos) {
    --start;
  }
  const auto a = published_number(std::string_view(row.note).substr(start, vs - start));
  const auto b = published_number(std::string_view(row.note).substr(vs + 4));
  if (!a || !b) return std::nullopt;
  const auto above = measured(*a, row, rows);
  const auto below = measured(*b, row, rows);
  if (!above || !below) return std::nullopt;
  return Pair{*above, *below, false};
}

std::optional<Pair> pair_of_models(const PublishedRow& row, const std::vector<PublishedRow>& rows) {
  const std::size_t vs = row.model.find(" vs ");
  if (vs == std::string::npos) return std::nullopt;
  PublishedRow wanted = row;
  const auto find = [&](const std::string& model) -> std::optional<std::size_t> {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!rows[i].model.starts_with(model)) continue;
      wanted.model = rows[i].model;
      if (comparable(wanted, rows[i]) && rows[i].gpus == row.gpus && rows[i].tp == row.tp) return i;
    }
    return std::nullopt;
  };
  const auto above = find(row.model.substr(0, vs));
  const auto below = find(row.model.substr(vs + 4));
  if (!above || !below) return std::nullopt;
  return Pair{*above, *below, false};
}

std::optional<Pair> pair_of_gpus(const PublishedRow& row, const std::vector<PublishedRow>& rows) {
  if (!row.metric.starts_with("scaling_") || !row.metric.ends_with("_gpus")) return std::nullopt;
  const auto a = number_behind(row.metric, "scaling_");
  const auto b = number_behind(row.metric, "_over_");
  const auto find = [&](const std::optional<double>& gpus) -> std::optional<std::size_t> {
    for (std::size_t i = 0; gpus && i < rows.size(); ++i) {
      const PublishedRow& r = rows[i];
      if (is_rate(r) && r.family() == row.family() && r.model == row.model && r.gpu == row.gpu &&
          r.gpus == gpus && (r.request_rate && std::isinf(*r.request_rate))) {
        return i;
      }
    }
    return std::nullopt;
  };
  const auto above = find(a);
  const auto below = find(b);
  if (!above || !below) return std::nullopt;
  return Pair{*above, *below, false};
}

/// The best figure of pd_mode "disagg ..." against the best of "colocated".
std::optional<Pair> pair_of_pools(const PublishedRow& row, const std::vector<PublishedRow>& rows) {
  if (row.metric.find("pd_disagg") == std::string::npos) return std::nullopt;
  std::optional<std::size_t> above;
  std::optional<std::size_t> below;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const PublishedRow& r = rows[i];
    if (r.family() != row.family() || r.model != row.model || is_relative(r) || !r.value) continue;
    std::optional<std::size_t>& side = r.pd_mode.starts_with("disagg") ? above : below;
    if (!side || *rows[*side].value < *r.value) side = i;
  }
  if (!above || !below) return std::nullopt;
  return Pair{*above, *below, false};
}

/// Layouts A and B of "speedup_A_over_B".
std::optional<std::pair<Layout, Layout>> layouts_of(std::string_view name) {
  constexpr std::string_view kOver = "_over_";
  const std::size_t over = name.find(kOver);
  const std::size_t start = name.find('_');
  if (over == std::string::npos || start == std::string::npos || start >= over) return std::nullopt;
  const std::string_view rest = name.substr(over + kOver.size());
  const Layout a = layout_of(name.substr(start + 1, over - start - 1));
  const Layout b = layout_of(rest.substr(0, rest.find('_')));
  if (!a.any || !b.any) return std::nullopt;
  return std::pair{a, b};
}

std::optional<Pair> pair_of_layouts(const PublishedRow& row,
                                    const std::vector<PublishedRow>& rows) {
  const auto layouts = layouts_of(row.metric);
  if (!layouts) return std::nullopt;
  const auto& [a, b] = *layouts;
  std::optional<std::size_t> above;
  std::optional<std::size_t> below;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!comparable(row, rows[i])) continue;
    if (!above && has(rows[i], a)) above = i;
    if (!below && has(rows[i], b)) below = i;
  }
  if (!above || !below || *above == *below) return std::nullopt;
  const bool already = rows[*above].metric.ends_with("_per_gpu");
  return Pair{*above, *below, row.metric.ends_with("_per_gpu") && !already};
}

/// The row as a run of this layout; nothing if it does not take the row's GPUs.
std::optional<PublishedRow> side(const PublishedRow& row, const Layout& layout) {
  PublishedRow run = row;
  run.tp = layout.tp.value_or(1);
  run.pp = layout.pp.value_or(1);
  run.dp = layout.dp.value_or(1);
  const double gpus = *run.tp * *run.pp * *run.dp;
  if (!row.gpus || gpus != *row.gpus) return std::nullopt;
  run.ep = layout.has_ep ? layout.ep.value_or(gpus / *run.pp) : 1.0;
  run.metric = "throughput";
  run.unit = "tok/s";
  return run;
}

}  // namespace

bool is_relative(const PublishedRow& row) {
  return row.metric.starts_with("speedup_") || row.metric.starts_with("scaling_") ||
         (row.unit == "ratio" && !row.metric.starts_with("imbalance"));
}

std::optional<Pair> pair_of(const PublishedRow& row, const std::vector<PublishedRow>& rows) {
  for (const auto& find :
       {pair_of_note, pair_of_models, pair_of_gpus, pair_of_pools, pair_of_layouts}) {
    if (auto pair = find(row, rows)) return pair;
  }
  return std::nullopt;
}

std::optional<Sides> sides_of(const PublishedRow& row) {
  const auto layouts = layouts_of(row.metric);
  const bool loaded = row.concurrency_per_gpu || row.request_rate;
  if (!layouts || !loaded || !row.input_tokens || !row.output_tokens) return std::nullopt;
  auto above = side(row, layouts->first);
  auto below = side(row, layouts->second);
  if (!above || !below) return std::nullopt;
  return Sides{*std::move(above), *std::move(below)};
}

}  // namespace moesim::validation
