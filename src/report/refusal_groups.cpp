#include <algorithm>
#include <map>
#include <utility>

#include "report/sweep_report.h"

namespace moesim::report {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Text and numbers in turns: "needs ", "32", " GPUs, the cluster has ", "16", "".
std::vector<std::string> split_numbers(const std::string& text) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool in_number = parts.size() % 2 == 0;
    const bool fraction =
        in_number && text[i] == '.' && i + 1 < text.size() && is_digit(text[i + 1]);
    if ((is_digit(text[i]) || fraction) != in_number) parts.emplace_back();
    parts.back() += text[i];
  }
  if (parts.size() % 2 == 0) parts.emplace_back();
  return parts;
}

std::string words_of(const std::vector<std::string>& parts) {
  std::string words;
  for (std::size_t i = 0; i < parts.size(); i += 2) words += parts[i] + "N";
  return words;
}

struct Open {
  RefusalGroup group;
  std::vector<std::string> parts;
};

}  // namespace

std::vector<RefusalGroup> refusal_groups(const sweep::SweepResult& sweep) {
  std::map<std::pair<sweep::Refusal, std::string>, Open> by_words;
  for (std::size_t i = 0; i < sweep.candidates.size(); ++i) {
    const sweep::Candidate& c = sweep.candidates[i].candidate;
    if (c.refusal == sweep::Refusal::None) continue;
    std::vector<std::string> parts = split_numbers(c.reason);
    Open& open = by_words[{c.refusal, words_of(parts)}];
    if (open.parts.empty()) {
      open.parts = std::move(parts);
    } else {
      for (std::size_t p = 1; p < parts.size(); p += 2) {
        if (open.parts[p] != parts[p]) open.parts[p] = "N";
      }
    }
    open.group.refusal = c.refusal;
    open.group.candidates.push_back(i);
  }
  std::vector<RefusalGroup> groups;
  for (auto& [words, open] : by_words) {
    for (const std::string& part : open.parts) open.group.reason += part;
    groups.push_back(std::move(open.group));
  }
  std::sort(groups.begin(), groups.end(), [](const RefusalGroup& a, const RefusalGroup& b) {
    if (a.candidates.size() != b.candidates.size()) {
      return a.candidates.size() > b.candidates.size();
    }
    return a.candidates.front() < b.candidates.front();
  });
  return groups;
}

}  // namespace moesim::report
