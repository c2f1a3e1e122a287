#include "sweep/varied_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string_view>
#include <utility>

#include "core/check.h"
#include "core/diagnostics.h"

namespace moesim::sweep {
namespace {

constexpr std::size_t kMostVariants = 100;

std::string trimmed(std::string_view text) {
  const std::size_t from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return std::string(text.substr(from, text.find_last_not_of(" \t") - from + 1));
}

/// Parts between commas that stand in no quotes, braces or brackets.
std::vector<std::string> split_values(std::string_view text) {
  std::vector<std::string> values;
  std::string value;
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ',' && depth <= 0 && !quoted) {
      values.push_back(trimmed(value));
      value.clear();
      continue;
    }
    value += c;
    if (quoted && c == '\\' && i + 1 < text.size()) {
      value += text[++i];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '{' || c == '[')) {
      ++depth;
    } else if (!quoted && (c == '}' || c == ']')) {
      --depth;
    }
  }
  values.push_back(trimmed(value));
  return values;
}

Diagnostic mistake(const std::string& option, std::string message, std::string hint) {
  return {.file = "--vary " + option, .message = std::move(message), .hint = std::move(hint)};
}

/// What is wrong with the values of one axis; nothing if they are good.
std::vector<Diagnostic> value_mistakes(const std::string& option,
                                       const std::vector<std::string>& values) {
  std::vector<Diagnostic> found;
  const bool none = values.size() == 1 && values[0].empty();
  if (none) {
    found.push_back(mistake(option, "names no values", "write --vary field=one,other"));
    return found;
  }
  if (values.size() == 1) {
    found.push_back(
        mistake(option, "has one value, which varies nothing", "give two or more, or use --set"));
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i].empty()) {
      found.push_back(mistake(option, fmt::format("value {} is empty", i + 1),
                              "write a value between any two commas"));
    } else if (std::find(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(i),
                         values[i]) != values.begin() + static_cast<std::ptrdiff_t>(i)) {
      found.push_back(mistake(option, fmt::format("{} stands twice", values[i]), "leave one out"));
    }
  }
  return found;
}

std::string last_part(const std::string& field) {
  const std::size_t dot = field.rfind('.');
  return dot == std::string::npos ? field : field.substr(dot + 1);
}

/// Whether a reader sees what "eplb" is, but not what "32" or "true" is.
bool is_word(const std::string& value) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return letter(value.front()) && value != "true" && value != "false";
}

/// What stands for each field in names.
std::vector<std::string> short_names(const std::vector<scenario::SweepAxis>& axes) {
  std::vector<std::string> names;
  for (const scenario::SweepAxis& axis : axes) {
    const std::string part = last_part(axis.field);
    const auto alike = std::count_if(
        axes.begin(), axes.end(),
        [&](const scenario::SweepAxis& other) { return last_part(other.field) == part; });
    names.push_back(alike > 1 ? axis.field : part);
  }
  return names;
}

}  // namespace

std::vector<scenario::SweepAxis> parse_varied_fields(const std::vector<std::string>& options) {
  std::vector<scenario::SweepAxis> axes;
  std::vector<Diagnostic> found;
  std::size_t variants = 1;
  for (const std::string& option : options) {
    const std::size_t equals = option.find('=');
    if (equals == std::string::npos) {
      found.push_back(mistake(option, "has no '='", "write --vary field=one,other"));
      continue;
    }
    scenario::SweepAxis axis{.field = trimmed(option.substr(0, equals)),
                             .values = split_values(std::string_view(option).substr(equals + 1))};
    if (axis.field.empty()) {
      found.push_back(mistake(option, "names no field", "write --vary field=one,other"));
    } else if (std::any_of(axes.begin(), axes.end(), [&](const scenario::SweepAxis& other) {
                 return other.field == axis.field;
               })) {
      found.push_back(mistake(option, fmt::format("{} is varied already", axis.field),
                              "give all its values in one --vary"));
    }
    std::vector<Diagnostic> of_values = value_mistakes(option, axis.values);
    std::move(of_values.begin(), of_values.end(), std::back_inserter(found));
    variants *= std::min(axis.values.size(), kMostVariants + 1);
    variants = std::min(variants, kMostVariants + 1);
    axes.push_back(std::move(axis));
  }
  if (variants > kMostVariants) {
    found.push_back(
        {.field = "--vary",
         .message = fmt::format("gives more than {} variants to compare", kMostVariants),
         .hint = "vary less, or use moesim sweep"});
  }
  if (!found.empty()) throw InputError(std::move(found));
  return axes;
}

std::vector<NamedSettings> combinations(const std::vector<scenario::SweepAxis>& axes) {
  const std::vector<std::string> names = short_names(axes);
  const bool words = axes.size() == 1 && std::all_of(axes[0].values.begin(), axes[0].values.end(),
                                                     [](const auto& v) { return is_word(v); });
  std::vector<NamedSettings> all = {NamedSettings{}};
  for (std::size_t a = 0; a < axes.size(); ++a) {
    MOESIM_CHECK(!axes[a].values.empty(), "a varied field without values");
    std::vector<NamedSettings> longer;
    for (const NamedSettings& before : all) {
      for (const std::string& value : axes[a].values) {
        NamedSettings next = before;
        if (!next.name.empty()) next.name += ", ";
        next.name += words ? value : names[a] + "=" + value;
        next.settings.push_back({.field = axes[a].field, .value = value});
        longer.push_back(std::move(next));
      }
    }
    all = std::move(longer);
  }
  return all;
}

}  // namespace moesim::sweep
