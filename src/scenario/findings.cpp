#include "scenario/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "core/text.h"

namespace moesim::scenario {
namespace {

constexpr std::size_t kLimit = 100;

/// "a.b[2].c" -> "a.b[2]" -> "a.b" -> "a" -> "".
std::string parent_path(const std::string& path) {
  if (!path.empty() && path.back() == ']') return path.substr(0, path.rfind('['));
  const std::size_t dot = path.rfind('.');
  return dot == std::string::npos ? std::string() : path.substr(0, dot);
}

}  // namespace

std::string join_path(std::string_view parent, std::string_view name) {
  if (parent.empty()) return std::string(name);
  if (name.empty()) return std::string(parent);
  return fmt::format("{}.{}", parent, name);
}

std::string shown(std::string_view text) {
  constexpr std::size_t kShownBytes = 40;
  std::size_t end = std::min(text.size(), kShownBytes);
  // Do not cut a UTF-8 character in two: 10xxxxxx continues one.
  while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) {
    --end;
  }
  std::string result = "\"";
  for (const char c : text.substr(0, end)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result + (end < text.size() ? "...\"" : "\"");
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string nearest = nearest_name(name, candidates);
  return nearest.empty() ? std::string() : fmt::format("did you mean \"{}\"?", nearest);
}

void Findings::set_override(const std::string& path, const std::string& option) {
  // What was written below the path is replaced: its places no longer tell anything.
  const auto below = [&](const auto& entry) {
    return entry.first.size() > path.size() && entry.first.starts_with(path) &&
           (entry.first[path.size()] == '.' || entry.first[path.size()] == '[');
  };
  std::erase_if(overrides_, below);
  std::erase_if(places_, below);
  overrides_[path] = option;
}

Diagnostic Findings::located(const std::string& path) const {
  Diagnostic diagnostic;
  diagnostic.file = file_;
  diagnostic.line = 1;
  diagnostic.column = 1;
  for (std::string at = path; !at.empty(); at = parent_path(at)) {
    if (const auto it = overrides_.find(at); it != overrides_.end()) {
      diagnostic.file = it->second;
      diagnostic.line = 0;
      diagnostic.column = 0;
      return diagnostic;
    }
    if (const auto it = places_.find(at); it != places_.end()) {
      diagnostic.line = it->second.line;
      diagnostic.column = it->second.column;
      return diagnostic;
    }
  }
  return diagnostic;
}

void Findings::add(Diagnostic diagnostic) {
  if (found_.size() >= kLimit) {
    ++overflow_;
  } else {
    found_.push_back(std::move(diagnostic));
  }
}

void Findings::add_below(const std::string& path, Diagnostic diagnostic) {
  if (diagnostic.file.empty() || diagnostic.file == file_) {
    const std::string field = join_path(path, diagnostic.field);
    Diagnostic at = located(field);
    at.field = field;
    at.message = std::move(diagnostic.message);
    at.hint = std::move(diagnostic.hint);
    add(std::move(at));
  } else {
    add(std::move(diagnostic));
  }
}

void Findings::error(const std::string& path, std::string message, std::string hint) {
  Diagnostic diagnostic = located(path);
  diagnostic.field = path;
  diagnostic.message = std::move(message);
  diagnostic.hint = std::move(hint);
  add(std::move(diagnostic));
}

void Findings::missing(const std::string& path, std::string message, std::string hint) {
  if (!any_at(path)) error(path, std::move(message), std::move(hint));
}

void Findings::error_at(Place place, const std::string& path, std::string message,
                        std::string hint) {
  add({file_, place.line, place.column, path, std::move(message), std::move(hint)});
}

void Findings::override_error(const std::string& option, const std::string& path,
                              std::string message, std::string hint) {
  add({option, 0, 0, path, std::move(message), std::move(hint)});
}

bool Findings::any_at(const std::string& path) const {
  return std::any_of(found_.begin(), found_.end(), [&](const Diagnostic& d) {
    return d.field.starts_with(path) &&
           (d.field.size() == path.size() || d.field[path.size()] == '.' ||
            d.field[path.size()] == '[');
  });
}

void Findings::throw_if_any() const {
  if (!any()) return;
  std::vector<Diagnostic> sorted;
  std::set<std::string> seen;
  for (const Diagnostic& diagnostic : found_) {
    if (seen.insert(to_string(diagnostic)).second) sorted.push_back(diagnostic);
  }
  const auto key = [&](const Diagnostic& d) {
    return std::make_tuple(d.file == file_ ? 0 : 1, d.file == file_ ? d.line : 0,
                           d.file == file_ ? d.column : 0);
  };
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](const Diagnostic& a, const Diagnostic& b) { return key(a) < key(b); });
  if (overflow_ > 0) {
    sorted.push_back({file_, 0, 0, "", fmt::format("{} more mistakes are not shown", overflow_),
                      "mend the first ones and try again"});
  }
  throw InputError(std::move(sorted));
}

}  // namespace moesim::scenario
