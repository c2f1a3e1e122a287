#include "placement/problem.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace moesim::placement {
namespace {

constexpr std::size_t kMaxMessages = 20;

/// Collects messages, up to a readable number.
class Findings {
 public:
  bool need(bool condition, const std::string& what) {
    if (!condition && !full()) errors_.push_back(what);
    return condition;
  }
  [[nodiscard]] bool full() const { return errors_.size() > kMaxMessages; }
  [[nodiscard]] std::size_t count() const { return errors_.size(); }
  [[nodiscard]] std::vector<std::string> take() {
    if (full()) errors_.back() = "and more";
    return std::move(errors_);
  }

 private:
  std::vector<std::string> errors_;
};

std::string text(std::int64_t n) { return std::to_string(n); }

bool between(std::int64_t n, std::int64_t most) { return n >= 1 && n <= most; }

/// Sizes that everything else is allocated by. Each factor is bounded before it is multiplied.
bool check_sizes(const PlacementShape& shape, Findings& findings) {
  const std::size_t before = findings.count();
  const auto need = [&](std::int64_t n, std::int64_t most, const std::string& what) {
    findings.need(between(n, most),
                  what + " must lie between 1 and " + text(most) + ", got " + text(n));
  };
  need(shape.moe_layers, kMaxMoeLayers, "MoE layers");
  need(shape.experts, routing::kMaxExperts, "experts");
  need(shape.ranks, kMaxRanks, "ranks");
  need(shape.slots_per_rank, routing::kMaxExperts, "slots per rank");
  need(shape.expert_groups, routing::kMaxExperts, "expert groups");
  if (findings.count() > before) return false;
  findings.need(
      shape.slots() <= kMaxSlotsPerLayer,
      "a layer may have at most " + text(kMaxSlotsPerLayer) + " slots, got " + text(shape.slots()));
  findings.need(shape.moe_layers * shape.slots() <= kMaxSlots,
                "all layers together may have at most " + text(kMaxSlots) + " slots, got " +
                    text(shape.moe_layers * shape.slots()));
  return findings.count() == before;
}

void check_shape(const PlacementShape& shape, Findings& findings) {
  if (!check_sizes(shape, findings)) return;
  findings.need(shape.slots() >= shape.experts,
                "has " + text(shape.slots()) + " slots for " + text(shape.experts) + " experts");
  findings.need(shape.slots_per_rank <= shape.experts, "a rank has " + text(shape.slots_per_rank) +
                                                           " slots for " + text(shape.experts) +
                                                           " experts: it would hold one twice");
  findings.need(
      shape.experts % shape.expert_groups == 0,
      text(shape.experts) + " experts do not divide into " + text(shape.expert_groups) + " groups");
  findings.need(std::ssize(shape.domain_of_rank) == shape.ranks,
                "names the domain of " + text(std::ssize(shape.domain_of_rank)) + " ranks, has " +
                    text(shape.ranks));
  std::int32_t last = -1;
  bool negative = false;
  for (const std::int32_t d : shape.domain_of_rank) {
    negative = negative || d < 0;
    last = std::max(last, d);
  }
  findings.need(!negative, "a rank has a negative domain");
  findings.need(last < kMaxRanks,
                "domains must be numbered below " + text(kMaxRanks) + ", got " + text(last));
  if (shape.rack_of_domain.empty()) return;
  findings.need(std::ssize(shape.rack_of_domain) > last,
                "names the rack of " + text(std::ssize(shape.rack_of_domain)) +
                    " domains, has domain " + text(last));
  findings.need(std::all_of(shape.rack_of_domain.begin(), shape.rack_of_domain.end(),
                            [](std::int32_t rack) { return rack >= 0; }),
                "a domain has a negative rack");
}

void check_routing(const Problem& problem, Findings& findings) {
  for (const std::string& error : routing::shape_errors(problem.routing)) {
    findings.need(false, "routing: " + error);
  }
  findings.need(problem.routing.moe_layers == problem.shape.moe_layers,
                "routing has " + text(problem.routing.moe_layers) + " MoE layers, slots have " +
                    text(problem.shape.moe_layers));
  findings.need(problem.routing.experts == problem.shape.experts,
                "routing has " + text(problem.routing.experts) + " experts, slots have " +
                    text(problem.shape.experts));
}

void check_load(const Workload& workload, const PlacementShape& shape, const std::string& name,
                Findings& findings) {
  if (!findings.need(std::ssize(workload.load) == shape.moe_layers * shape.experts,
                     name + "lists " + text(std::ssize(workload.load)) +
                         " loads instead of layers times experts, " +
                         text(shape.moe_layers * shape.experts))) {
    return;
  }
  for (std::int64_t l = 0; l < shape.moe_layers && !findings.full(); ++l) {
    double sum = 0.0;
    bool sound = true;
    for (std::int64_t e = 0; e < shape.experts && !findings.full(); ++e) {
      const double load = workload.load[static_cast<std::size_t>(l * shape.experts + e)];
      const auto at = [&] { return name + "layer " + text(l) + ", expert " + text(e) + ": load "; };
      if (!std::isfinite(load)) {
        sound = findings.need(false, at() + "is not a finite number");
      } else if (load < 0.0) {
        sound = findings.need(false, at() + "is negative: " + std::to_string(load));
      } else {
        sum += load;
      }
    }
    if (!sound) continue;
    findings.need(sum > 0.0, name + "layer " + text(l) + ": all loads are 0");
    findings.need(std::isfinite(sum), name + "layer " + text(l) + ": loads sum to infinity");
  }
}

/// The experts of one traced layer: in range, none twice in a token.
void check_row(const routing::TokenTrace& tokens, std::int64_t row, const std::string& at,
               Findings& findings) {
  const std::span<const std::uint16_t> experts = tokens.experts_of(row);
  const auto top_k = static_cast<std::size_t>(tokens.top_k);
  std::vector<std::size_t> last(static_cast<std::size_t>(tokens.experts), 0);  // Token + 1.
  for (std::size_t i = 0; i < experts.size() && !findings.full(); ++i) {
    const std::size_t token = i / top_k;
    const std::uint16_t e = experts[i];
    const auto where = [&] { return at + ", token " + std::to_string(token) + ": expert "; };
    if (e >= tokens.experts) {
      findings.need(false, where() + text(e) + " of " + text(tokens.experts) +
                               " does not exist (they are numbered from 0)");
      continue;
    }
    if (last[e] == token + 1) findings.need(false, where() + text(e) + " appears twice");
    last[e] = token + 1;
  }
}

void check_tokens(const Workload& workload, const Problem& problem, const std::string& name,
                  Findings& findings) {
  const routing::TokenTrace& tokens = workload.tokens;
  if (tokens.empty() && tokens.layer.empty() && tokens.expert.empty()) return;
  const std::size_t before = findings.count();
  findings.need(tokens.experts == problem.shape.experts,
                name + "tokens name " + text(tokens.experts) + " experts, slots have " +
                    text(problem.shape.experts));
  findings.need(tokens.top_k == problem.routing.top_k, name + "tokens have " + text(tokens.top_k) +
                                                           " experts each, the routing " +
                                                           text(problem.routing.top_k));
  findings.need(!tokens.empty() && !tokens.layer.empty(),
                name + "tokens need at least one layer and one token");
  for (std::size_t i = 0; i < tokens.layer.size(); ++i) {
    const std::int32_t l = tokens.layer[i];
    findings.need(l >= 0 && l < problem.shape.moe_layers,
                  name + "tokens of layer " + text(l) + ", has " + text(problem.shape.moe_layers) +
                      " layers");
    findings.need(i == 0 || tokens.layer[i - 1] < l,
                  name + "tokens of layer " + text(l) + " do not come in ascending order");
  }
  if (findings.count() > before) return;
  if (!findings.need(std::ssize(tokens.expert) == tokens.rows() * tokens.tokens() * tokens.top_k,
                     name + "tokens list " + text(std::ssize(tokens.expert)) +
                         " experts instead of layers times tokens times experts per token, " +
                         text(tokens.rows() * tokens.tokens() * tokens.top_k))) {
    return;
  }
  for (std::int64_t row = 0; row < tokens.rows() && !findings.full(); ++row) {
    check_row(tokens, row, name + "layer " + text(tokens.layer[static_cast<std::size_t>(row)]),
              findings);
  }
}

void check_current(const Problem& problem, Findings& findings) {
  const PlacementShape& now = problem.current->shape;
  const PlacementShape& shape = problem.shape;
  const bool alike = now.moe_layers == shape.moe_layers && now.experts == shape.experts &&
                     now.ranks == shape.ranks && now.slots_per_rank == shape.slots_per_rank;
  if (!findings.need(alike, "current placement: has " + text(now.moe_layers) + " layers, " +
                                text(now.experts) + " experts, " + text(now.ranks) + " ranks of " +
                                text(now.slots_per_rank) + " slots; the problem " +
                                text(shape.moe_layers) + ", " + text(shape.experts) + ", " +
                                text(shape.ranks) + " of " + text(shape.slots_per_rank))) {
    return;
  }
  findings.need(now.domain_of_rank == shape.domain_of_rank,
                "current placement: its ranks lie on other domains than the problem's");
  for (const std::string& error : verify(*problem.current)) {
    findings.need(false, "current placement: " + error);
  }
}

}  // namespace

std::vector<std::string> verify(const PlacementShape& shape) {
  Findings findings;
  check_shape(shape, findings);
  return findings.take();
}

std::vector<std::string> verify(const Problem& problem) {
  Findings findings;
  check_shape(problem.shape, findings);
  if (findings.count() > 0) return findings.take();
  check_routing(problem, findings);
  findings.need(between(std::ssize(problem.workloads), kMaxWorkloads),
                "needs between 1 and " + text(kMaxWorkloads) + " workloads, has " +
                    text(std::ssize(problem.workloads)));
  if (findings.count() > 0) return findings.take();
  for (const Workload& workload : problem.workloads) {
    const std::string name = "workload " + workload.name + ": ";
    findings.need(std::isfinite(workload.weight) && workload.weight > 0.0,
                  name + "weight must be above 0");
    check_load(workload, problem.shape, name, findings);
    check_tokens(workload, problem, name, findings);
  }
  if (problem.current) check_current(problem, findings);
  return findings.take();
}

}  // namespace moesim::placement
