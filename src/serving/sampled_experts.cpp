#include "serving/sampled_experts.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace moesim::serving {
namespace {

/// Records of a corner at most, and at least before its mean may be certain enough (large batches
/// need fewer: kMostTokens).
constexpr std::size_t kMostRecords = 16;
constexpr std::size_t kLeastRecords = 3;
/// Fewer than these must agree twice as well.
constexpr std::size_t kFewRecords = 6;
/// Standard error of a corner's mean, as a share of it, at which it gets no more records.
constexpr double kEnoughCertain = 0.004;

/// Tokens of all its records at which a corner gets no more: the more a batch has, the less its
/// iterations differ, and the longer each takes to draw.
constexpr double kMostTokens = 16'384;

/// Steps of the excess: 0, 1, .. 4, then one an octave.
std::vector<double> make_steps() {
  std::vector<double> steps{0, 1, 2, 3};
  for (double octave = 4; octave < 1e7; octave *= 2) steps.push_back(octave);
  return steps;
}

const std::vector<double>& excess_steps() {
  static const std::vector<double> kSteps = make_steps();
  return kSteps;
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Tokens by which one step of the excess goes: an eighth of an even share, at least one.
double step_size(std::int64_t tokens, std::int64_t ranks) {
  return std::max(1.0, static_cast<double>(tokens) / static_cast<double>(8 * ranks));
}

struct Between {
  std::size_t low;
  double above;  ///< Share of the way to the next node.
};

template <class T>
Between between(std::span<const T> nodes, double x) {
  const auto next = std::upper_bound(nodes.begin(), nodes.end(), x, [](double value, T node) {
    return value < static_cast<double>(node);
  });
  MOESIM_CHECK(next != nodes.begin() && next != nodes.end(), "beyond the grid of batches");
  const auto low = static_cast<std::size_t>(next - nodes.begin()) - 1;
  const auto a = static_cast<double>(nodes[low]);
  const auto b = static_cast<double>(nodes[low + 1]);
  return {low, (x - a) / (b - a)};
}

void scale(LimitedTime& time, double factor) {
  for (Seconds& s : time.by) s = factor * s;
}

Seconds total_of(const ExpertLayerTime& t) {
  return t.dispatch.sum() + t.slowest + t.combine.sum();
}

}  // namespace

std::span<const std::int64_t> token_nodes() {
  static const std::vector<std::int64_t> kNodes = [] {
    std::vector<std::int64_t> nodes;
    for (std::int64_t n = 0; n < 32; ++n) nodes.push_back(n);
    for (std::int64_t octave = 32; octave <= std::int64_t{1} << 32; octave *= 2) {
      const std::int64_t parts = octave < 1024 ? 8 : 4;
      for (std::int64_t part = parts; part < 2 * parts; ++part) {
        nodes.push_back(octave * part / parts);
      }
    }
    return nodes;
  }();
  return kNodes;
}

void move_batch(std::span<const RankBatch> ranks, std::int64_t tokens, std::int64_t largest,
                std::vector<RankBatch>& moved) {
  moved.assign(ranks.begin(), ranks.end());
  const auto count = static_cast<double>(ranks.size());
  double sum = 0;
  double most = 0;
  for (const RankBatch& batch : ranks) {
    sum += batch.tokens();
    most = std::max<double>(most, batch.tokens());
  }
  const double mean = sum / count;
  const double new_mean = static_cast<double>(tokens) / count;
  const double stretch =
      most > mean ? (static_cast<double>(largest) - new_mean) / (most - mean) : 0.0;
  const auto place = [&](const RankBatch& batch) {
    return std::max(0.0, new_mean + stretch * (batch.tokens() - mean));
  };
  // Ranks that would fall below nothing take from those between nothing and the fullest.
  double placed = 0;
  double movable = 0;
  for (const RankBatch& batch : ranks) {
    placed += place(batch);
    if (batch.tokens() < most) movable += place(batch);
  }
  const double excess = placed - static_cast<double>(tokens);
  const double keep = movable > excess ? 1.0 - excess / movable : 1.0;
  double real = 0;
  std::int64_t whole = 0;
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    const RankBatch& from = ranks[r];
    RankBatch& to = moved[r];
    real += place(from) * (from.tokens() < most ? keep : 1.0);
    const auto end = r + 1 == ranks.size() ? tokens : static_cast<std::int64_t>(real + 0.5);
    const auto own = static_cast<std::int32_t>(std::max<std::int64_t>(0, end - whole));
    whole += own;
    const std::int64_t had = from.tokens();
    to.prefill_tokens =
        had == 0
            ? 0
            : static_cast<std::int32_t>((std::int64_t{from.prefill_tokens} * own + had / 2) / had);
    // For the experts each token to verify is one of its own.
    to.decode_sequences = own - to.prefill_tokens;
    to.decode_queries = 1;
    to.prefill_chunks = std::min(from.prefill_chunks, to.prefill_tokens);
  }
}

std::size_t SampledExperts::corner(const BatchKind& kind, std::size_t node, std::size_t step,
                                   std::int64_t tokens, std::int64_t largest) {
  const Key key{kind, {static_cast<std::int32_t>(node), static_cast<std::int32_t>(step)}};
  const auto [entry, added] = known_.try_emplace(key, corners_.size());
  if (added) corners_.push_back({.tokens = tokens, .largest = largest});
  return entry->second;
}

void SampledExperts::add_row(std::size_t node, double weight, std::int64_t ranks,
                             std::int64_t excess, std::int64_t largest, const BatchKind& kind,
                             const KindOf& kind_of) {
  const std::int64_t tokens = token_nodes()[node];
  const double size = step_size(tokens, ranks);
  const std::vector<double>& steps = excess_steps();
  const Between at = between(std::span<const double>(steps), static_cast<double>(excess) / size);
  for (const std::size_t end : {std::size_t{0}, std::size_t{1}}) {
    const double share = weight * (end == 0 ? 1.0 - at.above : at.above);
    if (share <= 0.0) continue;
    std::int64_t most =
        ceil_div(tokens, ranks) + static_cast<std::int64_t>(steps[at.low + end] * size + 0.5);
    most = std::min(most, tokens);
    // Beyond the limit of a buffer tokens would travel in another way.
    if (kind_of(most) != kind) most = std::max(largest, ceil_div(tokens, ranks));
    around_.push_back({corner(kind, node, at.low + end, tokens, most), share});
  }
}

void SampledExperts::surround(std::span<const RankBatch> ranks, std::int64_t tokens,
                              std::int64_t largest, const BatchKind& kind, const KindOf& kind_of) {
  const auto count = std::ssize(ranks);
  const std::int64_t excess = largest - ceil_div(tokens, count);
  const Between at = between(token_nodes(), static_cast<double>(tokens));
  around_.clear();
  add_row(at.low, 1.0 - at.above, count, excess, largest, kind, kind_of);
  if (at.above > 0.0) add_row(at.low + 1, at.above, count, excess, largest, kind, kind_of);
}

void SampledExperts::add_record(std::size_t corner, std::span<const RankBatch> ranks,
                                placement::Copies copies, const Draw& draw) {
  move_batch(ranks, corners_[corner].tokens, corners_[corner].largest, moved_);
  ExpertRecord record = draw(moved_);
  ++draws_;
  record.tokens = corners_[corner].tokens;
  tokens(copies).drawn += static_cast<double>(record.tokens);
  for (const ExpertLayerTime& t : record.layers) record.total += total_of(t);
  Corner& at = corners_[corner];
  at.records.push_back(std::move(record));
  const auto n = static_cast<double>(at.records.size());
  Seconds sum;
  for (const ExpertRecord& r : at.records) sum += r.total;
  at.mean = sum / n;
  double squares = 0;
  for (const ExpertRecord& r : at.records) {
    const double off = at.mean > Seconds{} ? r.total / at.mean - 1.0 : 0.0;
    squares += off * off;
  }
  const double allowed = at.records.size() < kFewRecords ? 0.5 * kEnoughCertain : kEnoughCertain;
  const bool certain = squares <= allowed * allowed * n * (n - 1.0);
  const bool enough = n * static_cast<double>(at.tokens) >= kMostTokens;
  at.complete = at.records.size() >= kMostRecords || enough ||
                (at.records.size() >= kLeastRecords && certain);
}

std::size_t SampledExperts::choose() {
  double at = stream_.uniform();
  for (const Weighted& w : around_) {
    at -= w.weight;
    if (at < 0.0) return w.corner;
  }
  return around_.back().corner;
}

std::span<const ExpertLayerTime> SampledExperts::sample(std::span<const RankBatch> ranks,
                                                        const KindOf& kind_of, const Draw& draw) {
  std::int64_t tokens_here = 0;
  std::int64_t largest = 0;
  for (const RankBatch& batch : ranks) {
    tokens_here += batch.tokens();
    largest = std::max<std::int64_t>(largest, batch.tokens());
  }
  const BatchKind kind = kind_of(largest);
  surround(ranks, tokens_here, largest, kind, kind_of);
  ++samples_;
  const std::size_t chosen = choose();
  const bool fresh = !corners_[chosen].complete;
  if (fresh) add_record(chosen, ranks, kind.copies, draw);
  Seconds expected;
  for (const Weighted& w : around_) {
    if (corners_[w.corner].records.empty()) add_record(w.corner, ranks, kind.copies, draw);
    expected += w.weight * corners_[w.corner].mean;
  }
  Corner& from = corners_[chosen];
  ExpertRecord& record =
      fresh ? from.records.back()
            : from.records[static_cast<std::size_t>(stream_.below(from.records.size()))];
  const double factor = from.mean > Seconds{} ? expected / from.mean : 1.0;
  sampled_ = record.layers;
  for (ExpertLayerTime& t : sampled_) {
    scale(t.dispatch, factor);
    scale(t.mean, factor);
    scale(t.combine, factor);
    t.slowest = factor * t.slowest;
  }
  record.used += static_cast<double>(tokens_here) / static_cast<double>(record.tokens);
  tokens(kind.copies).served += static_cast<double>(tokens_here);
  return sampled_;
}

void SampledExperts::count_exact(placement::Copies copies, std::int64_t count) {
  tokens(copies).served += static_cast<double>(count);
  tokens(copies).drawn += static_cast<double>(count);
}

double SampledExperts::served_over_drawn(placement::Copies copies) const {
  const Tokens& t = tokens_[copies == placement::Copies::PerPick ? 1 : 0];
  return t.drawn > 0.0 ? t.served / t.drawn : 0.0;
}

void SampledExperts::add_statistics(ExpertStatistics& statistics) const {
  if (!past_.mean_load.empty()) statistics.add(1.0, past_);
  for (const Corner& corner : corners_) {
    for (const ExpertRecord& record : corner.records) {
      if (record.used > 0.0) statistics.add(record.used, record.statistics);
    }
  }
}

void SampledExperts::forget() {
  ExpertStatistics so_far;
  for (const Corner& corner : corners_) {
    if (corner.records.empty()) continue;
    so_far.mean_load.resize(corner.records.front().statistics.mean_load.size());
    so_far.max_load.resize(so_far.mean_load.size());
    break;
  }
  if (so_far.mean_load.empty()) return;  // nothing was drawn since the last time
  add_statistics(so_far);
  past_ = std::move(so_far);
  known_.clear();
  corners_.clear();
}

}  // namespace moesim::serving
