#include "routing/expert_race.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "core/math.h"

namespace moesim::routing {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::uint16_t kNobody = 0xffff;

std::size_t whole_vectors(std::size_t n) { return (n + 3) / 4 * 4; }

/// Pieces of an ungrouped layer: enough that the first two of each hold the top_k closely.
std::size_t pieces(std::size_t places, std::size_t top_k) {
  std::size_t blocks = std::min<std::size_t>(places / 4, std::max<std::size_t>(8, 2 * top_k));
  while (places / 4 % blocks != 0) --blocks;
  return blocks;
}

/// log2(1 + f) / f on [sqrt(1/2) - 1, sqrt(2) - 1], interpolated at Chebyshev's points.
constexpr std::array<float, 7> kLog2Series = {1.442696523F,   -0.7213601786F, 0.4806131255F,
                                              -0.3595244553F, 0.2961195572F,  -0.2679638705F,
                                              0.1681865911F};

/// -log2 of (x >> 8 | 1) / 2^24 for four words.
__m128 minus_log2(__m128i x) {
  const __m128 n = _mm_cvtepi32_ps(_mm_or_si128(_mm_srli_epi32(x, 8), _mm_set1_epi32(1)));
  // n = fraction * 2^exponent with fraction in [sqrt(1/2), sqrt(2)), as in core/math.cpp.
  const __m128i root_half = _mm_set1_epi32(0x3f3504f3);
  const __m128i bits = _mm_add_epi32(_mm_castps_si128(n), _mm_set1_epi32(0x3f800000 - 0x3f3504f3));
  const __m128 exponent = _mm_cvtepi32_ps(_mm_srli_epi32(bits, 23));
  const __m128 fraction =
      _mm_castsi128_ps(_mm_add_epi32(_mm_and_si128(bits, _mm_set1_epi32(0x007fffff)), root_half));
  const __m128 f = _mm_sub_ps(fraction, _mm_set1_ps(1.0F));
  __m128 sum = _mm_set1_ps(kLog2Series.back());
  for (std::size_t i = kLog2Series.size() - 1; i-- > 0;) {
    sum = _mm_add_ps(_mm_mul_ps(sum, f), _mm_set1_ps(kLog2Series[i]));
  }
  return _mm_sub_ps(_mm_sub_ps(_mm_set1_ps(127.0F + 24.0F), exponent), _mm_mul_ps(sum, f));
}

/// Keeps the two least of (first, second) and (a, b), each pair ascending.
void merge(__m128& first, __m128& second, __m128 a, __m128 b) {
  const __m128 later = _mm_max_ps(first, a);
  first = _mm_min_ps(first, a);
  second = _mm_min_ps(later, _mm_min_ps(second, b));
}

/// Indices of the `wanted` least of `count` values, ascending; of equal ones the first. The array
/// must have room for three more values, which are overwritten. Returns how many there are.
std::size_t mark_least(float* values, std::size_t count, std::size_t wanted,
                       std::uint16_t* indices) {
  std::fill_n(values + count, 3, kInfinity);
  std::size_t marked = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const __m128 value = _mm_set1_ps(values[i]);
    __m128i less = _mm_setzero_si128();  // Minus the number of smaller ones, in four parts.
    for (std::size_t j = 0; j < count; j += 4) {
      less = _mm_add_epi32(less, _mm_castps_si128(_mm_cmplt_ps(_mm_loadu_ps(values + j), value)));
    }
    less = _mm_add_epi32(less, _mm_shuffle_epi32(less, 0x4e));
    less = _mm_add_epi32(less, _mm_shuffle_epi32(less, 0xb1));
    indices[marked] = static_cast<std::uint16_t>(i);
    marked += static_cast<std::size_t>(-_mm_cvtsi128_si32(less) < static_cast<int>(wanted));
  }
  for (std::size_t at = marked; marked > wanted;) {  // Equal values at the border: a rare case.
    float last = values[indices[0]];
    for (std::size_t i = 1; i < marked; ++i) last = std::max(last, values[indices[i]]);
    do --at;
    while (values[indices[at]] != last);
    std::copy(indices + at + 1, indices + marked, indices + at);
    --marked;
  }
  return marked;
}

}  // namespace

RaceLayout::RaceLayout(const RoutingShape& shape)
    : experts(static_cast<std::size_t>(shape.experts)),
      top_k(static_cast<std::size_t>(shape.top_k)),
      groups(static_cast<std::size_t>(shape.groups)),
      top_groups(static_cast<std::size_t>(shape.top_groups)),
      size(experts / groups),
      stride(whole_vectors(size)),
      places(groups * stride),
      blocks(groups > 1 ? groups : pieces(places, top_k)),
      block_stride(places / blocks) {}

ArrivalNoise::ArrivalNoise(RandomStream stream) {
  for (__m128i& word : state_) {
    const auto low = static_cast<std::int64_t>(stream.next());
    const auto high = static_cast<std::int64_t>(stream.next());
    word = _mm_set_epi64x(high, low);
  }
}

void ArrivalNoise::times(const float* one, const float* other, std::size_t places, float* times) {
  __m128i s0 = state_[0];
  __m128i s1 = state_[1];
  __m128i s2 = state_[2];
  __m128i s3 = state_[3];
  for (std::size_t p = 0; p < places; p += 4) {
    const __m128i word = _mm_add_epi32(s0, s3);
    const __m128i t = _mm_slli_epi32(s1, 9);
    s2 = _mm_xor_si128(s2, s0);
    s3 = _mm_xor_si128(s3, s1);
    s1 = _mm_xor_si128(s1, s2);
    s0 = _mm_xor_si128(s0, s3);
    s2 = _mm_xor_si128(s2, t);
    s3 = _mm_or_si128(_mm_slli_epi32(s3, 11), _mm_srli_epi32(s3, 21));
    const __m128 factor = _mm_mul_ps(_mm_loadu_ps(one + p), _mm_loadu_ps(other + p));
    _mm_storeu_ps(times + p, _mm_mul_ps(minus_log2(word), factor));
  }
  state_[0] = s0;
  state_[1] = s1;
  state_[2] = s2;
  state_[3] = s3;
}

void scale_times(const float* times, const float* factor, std::size_t places, float* out) {
  for (std::size_t p = 0; p < places; p += 4) {
    _mm_storeu_ps(out + p, _mm_mul_ps(_mm_loadu_ps(times + p), _mm_loadu_ps(factor + p)));
  }
}

ExpertRace::ExpertRace(const RaceLayout& layout)
    : layout_(layout),
      expert_of_place_(layout.places, kNobody),
      group_of_place_(layout.places, 0),
      both_(2 * layout.blocks) {
  for (std::size_t p = 0; p < layout.places; ++p) {
    group_of_place_[p] = static_cast<std::uint16_t>(p / layout.stride);
  }
  for (std::size_t e = 0; e < layout.experts; ++e) {
    expert_of_place_[layout.place(e)] = static_cast<std::uint16_t>(e);
  }
}

void ExpertRace::find_first_two(const float* times) {
  for (std::size_t b = 0; b < layout_.blocks; ++b) {
    const float* block = times + b * layout_.block_stride;
    __m128 first = _mm_loadu_ps(block);
    __m128 second = _mm_set1_ps(kInfinity);
    for (std::size_t i = 4; i < layout_.block_stride; i += 4) {
      const __m128 time = _mm_loadu_ps(block + i);
      second = _mm_min_ps(second, _mm_max_ps(first, time));
      first = _mm_min_ps(first, time);
    }
    merge(first, second, _mm_movehl_ps(first, first), _mm_movehl_ps(second, second));
    merge(first, second, _mm_shuffle_ps(first, first, 1), _mm_shuffle_ps(second, second, 1));
    two_.first[b] = _mm_cvtss_f32(first);
    two_.second[b] = _mm_cvtss_f32(second);
  }
}

float ExpertRace::keep_groups(std::size_t groups) {
  for (std::size_t g = 0; g < groups; ++g) {
    product_[g] = layout_.size == 1 ? two_.first[g] : two_.first[g] * two_.second[g];
  }
  const std::size_t kept = mark_least(product_.data(), groups, layout_.top_groups, kept_.data());
  float last = 0.0F;
  for (std::size_t i = 0; i < kept; ++i) last = std::max(last, product_[kept_[i]]);
  return last;
}

float ExpertRace::bound() {
  if (layout_.groups > 1) {
    if (2 * layout_.top_groups < layout_.top_k || layout_.size == 1) return kInfinity;
    float latest = 0.0F;
    for (std::size_t i = 0; i < layout_.top_groups; ++i) {
      latest = std::max(latest, two_.second[kept_[i]]);
    }
    return latest;
  }
  if (2 * layout_.blocks < layout_.top_k) return kInfinity;
  const auto middle = std::copy_n(two_.first.begin(), layout_.blocks, both_.begin());
  std::copy_n(two_.second.begin(), layout_.blocks, middle);
  const auto kth = both_.begin() + static_cast<std::ptrdiff_t>(layout_.top_k) - 1;
  std::nth_element(both_.begin(), kth, both_.end());
  return *kth;
}

void ExpertRace::collect(const float* times, std::size_t begin, std::size_t end, float latest) {
  const __m128 limit = _mm_set1_ps(latest);
  for (std::size_t p = begin; p < end; p += 4) {
    const __m128 time = _mm_loadu_ps(times + p);
    auto in_time = static_cast<unsigned>(_mm_movemask_ps(_mm_cmple_ps(time, limit)));
    for (; in_time != 0; in_time &= in_time - 1) {
      const std::size_t place = p + static_cast<std::size_t>(std::countr_zero(in_time));
      if (expert_of_place_[place] == kNobody) continue;  // Only if the limit is infinite.
      place_[found_] = static_cast<std::uint16_t>(place);
      time_[found_++] = times[place];
    }
  }
}

void ExpertRace::finish(std::uint16_t* chosen) {
  mark_least(time_.data(), found_, layout_.top_k, kept_.data());
  for (std::size_t i = 0; i < layout_.top_k; ++i) chosen[i] = expert_of_place_[place_[kept_[i]]];
}

void ExpertRace::choose(const float* times, std::uint16_t* chosen) {
  find_first_two(times);
  found_ = 0;
  if (layout_.groups == 1) {
    collect(times, 0, layout_.places, bound());
  } else {
    keep_groups(layout_.groups);
    const float latest = bound();
    for (std::size_t i = 0; i < layout_.top_groups; ++i) {
      const std::size_t begin = kept_[i] * layout_.stride;
      collect(times, begin, begin + layout_.stride, latest);
    }
  }
  finish(chosen);
}

void ExpertRace::possible(const float* times, float margin, std::vector<std::uint16_t>& places) {
  // Every time may be multiplied by exp(-margin) to exp(margin), products of two by the square; a
  // little more for the rounding of the factors.
  const auto spread = static_cast<float>(math::exp(2.0 * static_cast<double>(margin) + 1e-5));
  find_first_two(times);
  found_ = 0;
  if (layout_.groups == 1) {
    collect(times, 0, layout_.places, bound() * spread);
  } else {
    const float worst = keep_groups(layout_.groups) * spread * spread;
    std::size_t groups = 0;
    float latest = 2 * layout_.top_groups < layout_.top_k || layout_.size == 1 ? kInfinity : 0.0F;
    for (std::size_t g = 0; g < layout_.groups; ++g) {
      if (product_[g] > worst) continue;
      kept_[groups++] = static_cast<std::uint16_t>(g);
      latest = std::max(latest, two_.second[g]);
    }
    for (std::size_t i = 0; i < groups; ++i) {
      const std::size_t begin = kept_[i] * layout_.stride;
      collect(times, begin, begin + layout_.stride, latest * spread);
    }
  }
  places.insert(places.end(), place_.begin(), place_.begin() + static_cast<std::ptrdiff_t>(found_));
}

void ExpertRace::choose_among(std::span<const std::uint16_t> places, const float* times,
                              std::uint16_t* chosen) {
  found_ = 0;
  if (layout_.groups == 1) {
    found_ = places.size();
    std::copy(places.begin(), places.end(), place_.begin());
    std::copy_n(times, found_, time_.begin());
    finish(chosen);
    return;
  }
  std::fill_n(two_.first.begin(), layout_.groups, kInfinity);
  std::fill_n(two_.second.begin(), layout_.groups, kInfinity);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const std::size_t g = group_of_place_[places[i]];
    two_.second[g] = std::min(two_.second[g], std::max(two_.first[g], times[i]));
    two_.first[g] = std::min(two_.first[g], times[i]);
  }
  keep_groups(layout_.groups);
  const float latest = bound();
  std::size_t next = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const std::size_t g = group_of_place_[places[i]];
    while (next < layout_.top_groups && kept_[next] < g) ++next;
    place_[found_] = places[i];
    time_[found_] = times[i];
    const bool kept = next < layout_.top_groups && kept_[next] == g;
    found_ += static_cast<std::size_t>(kept && times[i] <= latest);
  }
  finish(chosen);
}

}  // namespace moesim::routing
