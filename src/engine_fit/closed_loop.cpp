#include "engine_fit/closed_loop.h"

#include <algorithm>
#include <cmath>
#include <queue>

#include "core/check.h"
#include "core/random.h"
#include "serving/expert_plan.h"
#include "serving/rank_scheduler.h"

namespace moesim::engine_fit {
namespace {

using serving::RankBatch;
using serving::StepPart;

double& at(WorkSum& sum, Work work) { return sum[static_cast<std::size_t>(work)]; }

/// Number of the bucket of a count; buckets grow by the share `width`.
std::uint64_t bucket(double count, double width) {
  if (count <= 0.0) return 0;
  return 1 + static_cast<std::uint64_t>(std::floor(std::log(count) / width + 1e-9));
}

std::uint64_t key_of(const std::vector<RankBatch>& ranks) {
  constexpr double kSequences = 0.02;
  constexpr double kContext = 0.05;
  constexpr double kPrompt = 0.08;
  double sequences = 0, most_sequences = 0, context = 0, prompt = 0, most_prompt = 0, seen = 0;
  std::uint64_t prefilling = 0;
  for (const RankBatch& r : ranks) {
    sequences += r.decode_sequences;
    most_sequences = std::max<double>(most_sequences, r.decode_sequences);
    context +=
        static_cast<double>(*std::max_element(r.decode_context.begin(), r.decode_context.end()));
    prompt += r.prefill_tokens;
    most_prompt = std::max<double>(most_prompt, r.prefill_tokens);
    seen += *std::max_element(r.prefill_pairs.begin(), r.prefill_pairs.end());
    prefilling += r.prefill_tokens > 0 ? 1 : 0;
  }
  // Prompts make an iteration long and take longest to price: fewer kinds of those.
  const double coarse = (ranks.size() > 1 ? 3.0 : 1.0) * (prompt > 0 ? 2.0 : 1.0);
  std::uint64_t key = mix64(bucket(sequences, kSequences * coarse * (prompt > 0 ? 3.0 : 1.0)));
  if (ranks.size() > 1) {
    key = mix64(key ^ bucket(most_sequences, 2 * kSequences * coarse));
    key = mix64(key ^ bucket(most_prompt, kPrompt * coarse));
  }
  key = mix64(key ^ bucket(context, kContext * coarse));
  key = mix64(key ^ bucket(prompt, kPrompt * (ranks.size() > 1 ? 3.0 : 1.0)));
  key = mix64(key ^ bucket(seen, 2 * kPrompt * coarse));
  return mix64(key ^ bucket(static_cast<double>(prefilling), ranks.size() > 1 ? 0.5 : 0.1));
}

}  // namespace

double weigh(const WorkSum& work, const WorkSum& weights) {
  double sum = 0;
  for (std::size_t i = 0; i < kWorks; ++i) sum += work[i] * weights[i];
  return sum;
}

IterationPrices::IterationPrices(const scenario::Scenario& s)
    : deployment_(s.deployment),
      topology_(deployment_.cluster),
      model_(deployment_),
      experts_(serving::make_expert_plan(deployment_, topology_, s.run.seed)) {
  deployment_.overhead.reset();  // Kernels alone: what the engine adds is what is looked for.
  cost_ = std::make_unique<serving::InstanceCost>(deployment_, model_, topology_,
                                                  experts_ ? &*experts_ : nullptr, 0, s.run.seed);
}

const WorkSum& IterationPrices::price(const std::vector<RankBatch>& ranks) {
  const auto [entry, fresh] = known_.try_emplace(key_of(ranks));
  if (!fresh) return entry->second;
  WorkSum& work = entry->second;
  for (const serving::StepTime& stage : cost_->price(ranks)) {
    const auto seconds = [&](StepPart part) { return stage[part] / kSecond; };
    at(work, Work::Kernels) += stage.total / kSecond - seconds(StepPart::Overhead);
    at(work, Work::Exchanges) +=
        seconds(StepPart::AllReduce) + seconds(StepPart::Dispatch) + seconds(StepPart::Combine);
    at(work, Work::Experts) += seconds(StepPart::Experts) + seconds(StepPart::Waiting);
    at(work, Work::Attention) += seconds(StepPart::Attention);
    for (const serving::LimitedTime& limits : stage.limits) {
      at(work, Work::Launches) += limits[serving::Limit::Launch] / kSecond;
    }
  }
  at(work, Work::Iterations) = 1;
  std::int32_t most = 0;
  std::int32_t prompt = 0;
  for (const RankBatch& r : ranks) {
    most = std::max(most, r.decode_sequences + r.prefill_chunks);
    prompt = std::max(prompt, r.prefill_tokens);
  }
  at(work, Work::Sequences) = most;
  at(work, Work::Prompts) = prompt > 0 ? 1 : 0;
  at(work, Work::PromptTokens) = prompt;
  return work;
}

namespace {

struct Arrival {
  double time = 0;
  std::int64_t request = 0;
  bool operator>(const Arrival& other) const {
    return time != other.time ? time > other.time : request > other.request;
  }
};

class Loop final : public serving::StepListener {
 public:
  Loop(IterationPrices& prices, const LoopSettings& settings, const LoopConstants& constants);
  [[nodiscard]] LoopResult run();

  void gaps(SimTime, std::int64_t) override {}
  void first_token(const serving::Sequence& s, SimTime) override {
    records_[static_cast<std::size_t>(s.request)].first_token = sum_;
  }
  void finished(const serving::Sequence& s, SimTime) override;

 private:
  struct Record {
    WorkSum arrival{};
    WorkSum first_token{};
  };
  void arrive(double time);
  void take_arrivals();
  /// False: nothing runs until the next arrival.
  bool iterate();

  IterationPrices& prices_;
  const LoopSettings& settings_;
  const LoopConstants& constants_;
  workload::LengthSampler lengths_;
  RandomStream delays_;
  serving::SequencePool pool_;
  std::vector<serving::RankScheduler> ranks_;
  std::vector<RankBatch> batches_;
  std::priority_queue<Arrival, std::vector<Arrival>, std::greater<>> arrivals_;
  std::vector<Record> records_;
  WorkSum sum_{};
  double now_ = 0;
  WorkSum last_begin_{};  ///< Sums and clock when the last iteration began.
  double last_start_ = 0;
  std::size_t next_rank_ = 0;
  LoopResult result_;
  std::int64_t skip_ = 0;
  std::int64_t wanted_ = 0;
};

Loop::Loop(IterationPrices& prices, const LoopSettings& settings, const LoopConstants& constants)
    : prices_(prices),
      settings_(settings),
      constants_(constants),
      lengths_(settings.lengths, settings.seed),
      delays_(settings.seed, "client delays") {
  const serving::Deployment& d = prices.deployment();
  batches_.resize(static_cast<std::size_t>(d.layout.dp));
  for (std::size_t r = 0; r < batches_.size(); ++r) {
    ranks_.emplace_back(settings.scheduler, settings.kv_blocks, 1, prices.laws(), pool_);
  }
  skip_ = settings.skip;
  wanted_ = settings.wanted;
}

void Loop::arrive(double time) {
  arrivals_.push({time, static_cast<std::int64_t>(records_.size())});
  records_.emplace_back();
}

void Loop::take_arrivals() {
  while (!arrivals_.empty() && arrivals_.top().time <= now_) {
    const Arrival arrival = arrivals_.top();
    arrivals_.pop();
    const serving::SequenceIndex index = pool_.take();
    serving::Sequence& s = pool_[index];
    const workload::Lengths lengths = lengths_.at(arrival.request);
    s.request = arrival.request;
    s.input_tokens = lengths.input_tokens;
    s.output_tokens = std::max(2, lengths.output_tokens);
    s.prefill_target = lengths.input_tokens;
    WorkSum& seen = records_[static_cast<std::size_t>(arrival.request)].arrival;
    const double length = now_ - last_start_;
    const double share =
        length > 0.0 ? std::clamp((arrival.time - last_start_) / length, 0.0, 1.0) : 1.0;
    for (std::size_t i = 0; i < kWorks; ++i) {
      seen[i] = last_begin_[i] + share * (sum_[i] - last_begin_[i]);
    }
    std::size_t best = next_rank_ % ranks_.size();
    for (std::size_t k = 0; k < ranks_.size(); ++k) {
      const std::size_t r = (next_rank_ + k) % ranks_.size();
      if (ranks_[r].requests() < ranks_[best].requests()) best = r;
    }
    next_rank_ = best + 1;
    ranks_[best].enqueue(index);
  }
}

void Loop::finished(const serving::Sequence& s, SimTime) {
  const Record& record = records_[static_cast<std::size_t>(s.request)];
  if (s.request >= skip_ && s.request < skip_ + wanted_) {
    ++result_.requests;
    const double tokens = s.output_tokens - 1;
    for (std::size_t i = 0; i < kWorks; ++i) {
      result_.ttft[i] += record.first_token[i] - record.arrival[i];
      result_.tpot[i] += (sum_[i] - record.first_token[i]) / tokens;
    }
  }
  arrive(now_ + constants_.client_delay * delays_.exponential());
}

bool Loop::iterate() {
  const SimTime clock = SimTime::from(now_ * kSecond);
  std::int64_t tokens = 0;
  for (std::size_t r = 0; r < ranks_.size(); ++r) {
    batches_[r] = ranks_[r].has_work(0) ? ranks_[r].plan(0, clock) : RankBatch{};
    tokens += batches_[r].tokens();
  }
  if (tokens == 0) return false;
  const WorkSum& work = prices_.price(batches_);
  last_begin_ = sum_;
  last_start_ = now_;
  for (std::size_t i = 0; i < kWorks; ++i) sum_[i] += work[i];
  now_ += weigh(work, constants_.weights);
  const SimTime end = SimTime::from(now_ * kSecond);
  for (serving::RankScheduler& rank : ranks_) rank.finish(0, end, *this);
  return true;
}

LoopResult Loop::run() {
  for (std::int64_t i = 0; i < settings_.concurrency; ++i) arrive(0.0);
  int idle = 0;
  while (result_.requests < wanted_) {
    take_arrivals();
    if (iterate()) {
      idle = 0;
      continue;
    }
    if (arrivals_.empty()) {
      MOESIM_CHECK(++idle < 3, "a closed loop stands still");
      continue;
    }
    now_ = std::max(now_, arrivals_.top().time);
    last_begin_ = sum_;
    last_start_ = now_;
  }
  const auto n = static_cast<double>(result_.requests);
  for (std::size_t i = 0; i < kWorks; ++i) {
    result_.ttft[i] /= n;
    result_.tpot[i] /= n;
  }
  return result_;
}

}  // namespace

LoopResult run_closed_loop(IterationPrices& prices, const LoopSettings& settings,
                           const LoopConstants& constants) {
  return Loop(prices, settings, constants).run();
}

}  // namespace moesim::engine_fit
