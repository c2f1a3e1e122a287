#include "routing/affinity_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include "core/check.h"
#include "core/math.h"
#include "core/random.h"
#include "core/text.h"
#include "routing/affinity_fit.h"
#include "routing/expert_race.h"

namespace moesim::routing {
namespace {

/// Parts of a score are cut off here, so that three of them and the noise stay within a float.
constexpr double kMostPart = 28.0;
/// Tokens of the rough fit, rounds of it, rounds of the fine one.
constexpr std::size_t kRoughTokens = 4096;
constexpr int kRoughRounds = 5;
constexpr int kFineRounds = 4;
/// How far an offset may move in each fine fit.
constexpr std::array<double, 3> kMargins = {0.4, 0.25, 0.25};

constexpr std::array<AffinityPreset, 3> kAffinityPresets = {
    {{.name = "deepseek_v2_lite_traces",
      .parameters = {},
      .source = "fitted to token traces of DeepSeek-V2-Lite (64 experts, top 6, 26 layers, four "
                "text domains) that DeepSeek published with ESFT (2024), the weaker of two fits"},
     {.name = "deepseek_v2_lite_traces_strong",
      .parameters = {.dimensions = 8, .strength = 6.0},
      .source = "the same traces, the fit nearest to their next-layer predictability"},
     {.name = "none",
      .parameters = {.strength = 0.0},
      .source = "no affinity: every token has the layer's popularity"}}};

/// `count` vectors of `dimensions` standard normal numbers.
std::vector<double> normal_vectors(RandomStream stream, std::int64_t count,
                                   std::int64_t dimensions) {
  std::vector<double> numbers(static_cast<std::size_t>(count * dimensions));
  for (double& x : numbers) x = stream.normal();
  return numbers;
}

/// Classes and topics of all tokens: what a token keeps through all layers.
struct Population {
  Population(const AffinityParameters& parameters, std::int64_t tokens, std::uint64_t seed,
             std::uint64_t sample);
  std::vector<double> class_vector;  ///< [class * D]
  std::vector<double> topic_vector;  ///< [topic * D]
  std::vector<std::uint32_t> class_of;
  std::vector<std::uint32_t> topic_of;
  std::vector<std::uint64_t> request;
};

Population::Population(const AffinityParameters& p, std::int64_t tokens, std::uint64_t seed,
                       std::uint64_t sample)
    : class_vector(normal_vectors(RandomStream(seed, "token classes"), p.classes, p.dimensions)),
      topic_vector(normal_vectors(RandomStream(seed, "request topics"), p.topics, p.dimensions)) {
  const auto n = static_cast<std::size_t>(tokens);
  std::vector<double> up_to(static_cast<std::size_t>(p.classes));  // Zipf(1), cumulated.
  double sum = 0.0;
  for (std::size_t c = 0; c < up_to.size(); ++c) {
    sum += 1.0 / static_cast<double>(c + 1);
    up_to[c] = sum;
  }
  RandomStream classes(seed, "class of tokens", sample);
  class_of.reserve(n);
  for (std::size_t t = 0; t < n; ++t) {
    const auto at = std::upper_bound(up_to.begin(), up_to.end() - 1, classes.uniform() * sum);
    class_of.push_back(static_cast<std::uint32_t>(at - up_to.begin()));
  }
  // Every topic equally often, in random order (Fisher, Yates).
  const auto length = static_cast<std::size_t>(p.request_tokens);
  std::vector<std::uint32_t> topics((n + length - 1) / length);
  for (std::size_t r = 0; r < topics.size(); ++r) {
    topics[r] = static_cast<std::uint32_t>(r % static_cast<std::size_t>(p.topics));
  }
  RandomStream order(seed, "topic of requests", sample);
  for (std::size_t r = topics.size(); r > 1; --r) std::swap(topics[r - 1], topics[order.below(r)]);
  for (std::size_t t = 0; t < n; ++t) {
    topic_of.push_back(topics[t / length]);
    request.push_back(t / length);
  }
}

/// Draws the tokens of one layer after the other.
class LayerDraw {
 public:
  LayerDraw(const RoutingShape& shape, const AffinityParameters& parameters,
            const Population& population)
      : layout_(shape), parameters_(parameters), population_(population), race_(layout_) {}

  /// `chosen` [tokens of the population * top_k].
  void draw(std::uint64_t layer, std::span<const double> share, std::uint64_t seed,
            std::uint64_t sample, std::span<std::uint16_t> chosen);

 private:
  void set_vectors(std::uint64_t layer, std::uint64_t seed);
  /// factor[row * places + place] = exp(-scale <vector of row, vector of the place's expert>).
  void set_factors(const std::vector<double>& vectors, double scale, float nobody,
                   std::vector<float>& factor) const;
  void token_times(ArrivalNoise& noise, std::size_t token, float* times) const {
    noise.times(&class_factor_[population_.class_of[token] * layout_.places],
                &topic_factor_[population_.topic_of[token] * layout_.places], layout_.places,
                times);
  }
  /// Variance of each expert's affinity over all tokens.
  [[nodiscard]] std::vector<double> variances() const;
  void fit_roughly(OffsetFit& fit, ArrivalNoise noise);
  void list_candidates(const OffsetFit& fit, ArrivalNoise noise, double margin);
  bool fit_finely(OffsetFit& fit, std::span<std::uint16_t> chosen);
  [[nodiscard]] std::vector<std::int64_t> count(std::span<const std::uint16_t> chosen) const;

  RaceLayout layout_;
  AffinityParameters parameters_;
  const Population& population_;
  ExpertRace race_;
  std::vector<double> expert_vector_;  ///< [expert * D]
  std::vector<float> class_factor_;
  std::vector<float> topic_factor_;
  // Experts that each token may choose, with their times under the centre of the fine fit.
  std::vector<std::size_t> first_candidate_;
  std::vector<std::uint16_t> candidate_;
  std::vector<float> candidate_time_;
};

void LayerDraw::set_factors(const std::vector<double>& vectors, double scale, float nobody,
                            std::vector<float>& factor) const {
  const auto dimensions = static_cast<std::size_t>(parameters_.dimensions);
  const std::size_t rows = vectors.size() / dimensions;
  factor.assign(rows * layout_.places, nobody);
  for (std::size_t row = 0; row < rows; ++row) {
    const double* u = &vectors[row * dimensions];
    float* out = &factor[row * layout_.places];
    for (std::size_t e = 0; e < layout_.experts; ++e) {
      const double* v = &expert_vector_[e * dimensions];
      double product = 0.0;
      for (std::size_t d = 0; d < dimensions; ++d) product += u[d] * v[d];
      const double part = std::clamp(scale * product, -kMostPart, kMostPart);
      out[layout_.place(e)] = static_cast<float>(math::exp(-part));
    }
  }
}

void LayerDraw::set_vectors(std::uint64_t layer, std::uint64_t seed) {
  expert_vector_ =
      normal_vectors(RandomStream(seed, "expert affinity", layer),
                     static_cast<std::int64_t>(layout_.experts), parameters_.dimensions);
  const double scale =
      parameters_.strength / std::sqrt(static_cast<double>(parameters_.dimensions));
  // Nobody arrives at a place without an expert.
  set_factors(population_.class_vector, scale * std::sqrt(1.0 - parameters_.topic_share),
              std::numeric_limits<float>::infinity(), class_factor_);
  set_factors(population_.topic_vector, scale * std::sqrt(parameters_.topic_share), 1.0F,
              topic_factor_);
}

std::vector<double> LayerDraw::variances() const {
  const auto dimensions = static_cast<std::size_t>(parameters_.dimensions);
  std::vector<double> variances(layout_.experts, 0.0);
  const double scale = parameters_.strength * parameters_.strength;
  for (std::size_t i = 0; i < expert_vector_.size(); ++i) {
    variances[i / dimensions] +=
        scale * expert_vector_[i] * expert_vector_[i] / static_cast<double>(dimensions);
  }
  return variances;
}

std::vector<std::int64_t> LayerDraw::count(std::span<const std::uint16_t> chosen) const {
  std::vector<std::int64_t> count(layout_.experts, 0);
  for (const std::uint16_t e : chosen) ++count[e];
  return count;
}

void LayerDraw::fit_roughly(OffsetFit& fit, ArrivalNoise noise) {
  const std::size_t all = population_.class_of.size();
  const std::size_t tokens = std::min(all, kRoughTokens);
  std::vector<float> times(tokens * layout_.places);
  for (std::size_t i = 0; i < tokens; ++i) {
    token_times(noise, i * all / tokens, &times[i * layout_.places]);
  }
  std::vector<float> scaled(layout_.places);
  std::vector<std::uint16_t> chosen(tokens * layout_.top_k);
  for (int round = 0; round < kRoughRounds; ++round) {
    for (std::size_t i = 0; i < tokens; ++i) {
      scale_times(&times[i * layout_.places], fit.factor().data(), layout_.places, scaled.data());
      race_.choose(scaled.data(), &chosen[i * layout_.top_k]);
    }
    if (fit.improve(count(chosen), static_cast<std::int64_t>(tokens))) return;
  }
}

void LayerDraw::list_candidates(const OffsetFit& fit, ArrivalNoise noise, double margin) {
  first_candidate_.assign(1, 0);
  candidate_.clear();
  candidate_time_.clear();
  std::vector<float> times(layout_.places);
  for (std::size_t t = 0; t < population_.class_of.size(); ++t) {
    token_times(noise, t, times.data());
    scale_times(times.data(), fit.factor().data(), layout_.places, times.data());
    race_.possible(times.data(), static_cast<float>(margin), candidate_);
    for (std::size_t i = candidate_time_.size(); i < candidate_.size(); ++i) {
      candidate_time_.push_back(times[candidate_[i]]);
    }
    first_candidate_.push_back(candidate_.size());
  }
}

bool LayerDraw::fit_finely(OffsetFit& fit, std::span<std::uint16_t> chosen) {
  const std::size_t tokens = population_.class_of.size();
  std::vector<float> times(layout_.places);
  for (int round = 0; round < kFineRounds; ++round) {
    const std::vector<float> change = fit.change();
    for (std::size_t t = 0; t < tokens; ++t) {
      const std::size_t begin = first_candidate_[t];
      const std::size_t size = first_candidate_[t + 1] - begin;
      for (std::size_t i = 0; i < size; ++i) {
        times[i] = candidate_time_[begin + i] * change[candidate_[begin + i]];
      }
      race_.choose_among(std::span(candidate_).subspan(begin, size), times.data(),
                         &chosen[t * layout_.top_k]);
    }
    if (fit.improve(count(chosen), static_cast<std::int64_t>(tokens))) return true;
  }
  return false;
}

void LayerDraw::draw(std::uint64_t layer, std::span<const double> share, std::uint64_t seed,
                     std::uint64_t sample, std::span<std::uint16_t> chosen) {
  set_vectors(layer, seed);
  OffsetFit fit(layout_, share, variances());
  const std::uint64_t entity = mix64(sample) + layer;
  fit_roughly(fit, ArrivalNoise(RandomStream(seed, "rough token noise", entity)));
  const ArrivalNoise noise(RandomStream(seed, "token noise", entity));
  for (const double margin : kMargins) {
    fit.stay_within(margin);
    list_candidates(fit, noise, margin);
    if (fit_finely(fit, chosen)) return;
  }
}

}  // namespace

std::vector<std::string> affinity_errors(const AffinityParameters& p) {
  std::vector<std::string> errors;
  const auto check = [&](std::string_view name, double value, double least, double most) {
    if (value >= least && value <= most) return;
    errors.push_back(std::string(name) + " must be " + format_number(least) + " to " +
                     format_number(most) + ", got " + format_number(value));
  };
  const auto whole = [&](std::string_view name, std::int64_t value, std::int64_t most) {
    check(name, static_cast<double>(value), 1.0, static_cast<double>(most));
  };
  whole("dimensions", p.dimensions, kMostDimensions);
  check("strength", p.strength, 0.0, kMostStrength);
  check("topic_share", p.topic_share, 0.0, 1.0);
  whole("classes", p.classes, kMostClasses);
  whole("topics", p.topics, kMostTopics);
  whole("request_tokens", p.request_tokens, kMostRequestTokens);
  return errors;
}

std::span<const AffinityPreset> affinity_presets() { return kAffinityPresets; }

std::optional<AffinityPreset> find_affinity_preset(std::string_view name) {
  const auto* found = std::find_if(kAffinityPresets.begin(), kAffinityPresets.end(),
                                   [&](const AffinityPreset& p) { return p.name == name; });
  if (found == kAffinityPresets.end()) return std::nullopt;
  return *found;
}

TokenTrace draw_tokens(const RoutingShape& shape, const Popularity& popularity,
                       const AffinityParameters& parameters, std::int64_t tokens,
                       std::uint64_t seed, std::uint64_t sample) {
  MOESIM_CHECK(shape_errors(shape).empty(), "routing shape was refused before");
  MOESIM_CHECK(affinity_errors(parameters).empty(), "affinity was refused before");
  MOESIM_CHECK(tokens >= 1 && tokens <= kMaxDrawnTokens, "number of tokens was refused before");
  MOESIM_CHECK(std::ssize(popularity.share) == shape.moe_layers * shape.experts,
               "a popularity has one share per layer and expert");
  const Population population(parameters, std::max(tokens, kFitTokens), seed, sample);
  TokenTrace trace{
      .experts = shape.experts, .top_k = shape.top_k, .layer = {}, .request = {}, .expert = {}};
  trace.request.assign(population.request.begin(), population.request.begin() + tokens);
  LayerDraw draw(shape, parameters, population);
  std::vector<std::uint16_t> chosen(population.request.size() *
                                    static_cast<std::size_t>(shape.top_k));
  const auto experts = static_cast<std::size_t>(shape.experts);
  trace.expert.reserve(static_cast<std::size_t>(shape.moe_layers * tokens * shape.top_k));
  for (std::int64_t layer = 0; layer < shape.moe_layers; ++layer) {
    const auto share =
        std::span(popularity.share).subspan(static_cast<std::size_t>(layer) * experts, experts);
    draw.draw(static_cast<std::uint64_t>(layer), share, seed, sample, chosen);
    trace.layer.push_back(static_cast<std::int32_t>(layer));
    trace.expert.insert(trace.expert.end(), chosen.begin(), chosen.begin() + tokens * shape.top_k);
  }
  return trace;
}

double load_deviation(const TokenTrace& tokens, const Popularity& popularity) {
  const auto experts = static_cast<std::size_t>(tokens.experts);
  double deviation = 0.0;
  for (std::int64_t row = 0; row < tokens.rows(); ++row) {
    std::vector<double> load(experts, 0.0);
    const auto chosen = tokens.experts_of(row);
    for (const std::uint16_t e : chosen) load[e] += 1.0 / static_cast<double>(chosen.size());
    const auto layer = static_cast<std::size_t>(tokens.layer[static_cast<std::size_t>(row)]);
    for (std::size_t e = 0; e < experts; ++e) {
      deviation += std::abs(load[e] - popularity.share[layer * experts + e]);
    }
  }
  return deviation / static_cast<double>(std::max<std::int64_t>(tokens.rows(), 1));
}

}  // namespace moesim::routing
