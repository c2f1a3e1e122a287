#include "workload/arrivals.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/math.h"
#include "workload/rate_path.h"

namespace moesim::workload {
namespace {

/// Just inside SimTime's range.
constexpr double kEndOfClock = 9.0e6;

/// One renewal process on one rate path.
class SingleStream final : public ArrivalStream {
 public:
  SingleStream(const WorkloadModel& model, PerSecond rate, const GenerateOptions& options)
      : path_(model, rate, options.start, options.windows, options.seed),
        gaps_(options.seed, "workload.gap") {
    if (const auto* renewal = std::get_if<GammaRenewal>(&model.arrivals)) shape_ = renewal->shape;
    segment_ = path_.next();
    need_ = unit_gap();
  }

  std::optional<double> next() override {
    while (now_ < kEndOfClock) {
      const double available = (segment_.end - now_) * segment_.per_second;
      if (segment_.per_second > 0.0 && need_ < available) {
        now_ += need_ / segment_.per_second;
        need_ = unit_gap();
        if (now_ >= kEndOfClock) break;
        return now_;
      }
      if (segment_.per_second > 0.0) need_ -= available;
      now_ = segment_.end;
      segment_ = path_.next();
    }
    return std::nullopt;
  }

 private:
  double unit_gap() { return shape_ ? gaps_.gamma(*shape_) : gaps_.exponential(); }

  RatePath path_;
  RandomStream gaps_;
  std::optional<double> shape_;
  RateSegment segment_;
  double now_ = 0.0;
  double need_ = 0.0;  ///< Expected arrivals still to pass before the next one.
};

/// One client of a pool: renewal process whose law is that of the window in which a gap starts.
class ClientStream {
 public:
  ClientStream(const Client& client, const ClientPool& pool, double rate_factor,
               const GenerateOptions& options)
      : laws_(client.windows),
        window_(pool.window.base()),
        per_period_(pool.windows_per_period),
        rate_factor_(rate_factor),
        start_(options.start.base()),
        step_(static_cast<std::int64_t>(std::floor(start_ / window_))),
        gaps_(options.seed, "workload.gap", static_cast<std::uint64_t>(client.id)) {
    for (const ClientWindow& law : laws_) {
      unit_scale_.push_back(
          law.family == GapFamily::Weibull ? 1.0 / gamma_function(1.0 + 1.0 / law.shape) : 1.0);
    }
    const std::int64_t in_period = step_ % per_period_;
    while (law_ < laws_.size() && laws_[law_].window < in_period) ++law_;
  }

  [[nodiscard]] std::optional<double> next() {
    while (now_ < kEndOfClock) {
      const double end = static_cast<double>(step_ + 1) * window_ - start_;
      if (active()) {
        if (!need_) need_ = unit_gap();
        const double rate = laws_[law_].rate.base() * rate_factor_;
        if (*need_ < (end - now_) * rate) {
          now_ += *need_ / rate;
          need_.reset();
          return now_;
        }
        *need_ -= (end - now_) * rate;
      }
      enter_next_window(end);
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] bool active() const {
    return law_ < laws_.size() && laws_[law_].window == step_ % per_period_ &&
           laws_[law_].rate.base() > 0.0;
  }

  void enter_next_window(double end) {
    now_ = end;
    if (law_ < laws_.size() && laws_[law_].window == step_ % per_period_) ++law_;
    ++step_;
    if (step_ % per_period_ == 0) law_ = 0;
  }

  double unit_gap() {
    const ClientWindow& law = laws_[law_];
    if (law.family == GapFamily::Gamma) return gaps_.gamma(law.shape);
    // Weibull: a power of an exponential, of which 0 can be drawn.
    const double exponential = std::max(gaps_.exponential(), 1e-300);
    return unit_scale_[law_] * math::pow(exponential, 1.0 / law.shape);
  }

  std::vector<ClientWindow> laws_;
  std::vector<double> unit_scale_;  ///< 1 / mean of the unscaled law.
  double window_;
  std::int64_t per_period_;
  double rate_factor_;
  double start_;
  std::int64_t step_;  ///< Windows since time 0 of the period.
  RandomStream gaps_;
  std::size_t law_ = 0;  ///< Law of this window, or of the next one with traffic.
  double now_ = 0.0;
  std::optional<double> need_;
};

/// Sum of the streams of all clients; equal times in order of the clients.
class PoolStream final : public ArrivalStream {
 public:
  PoolStream(const ClientPool& pool, PerSecond rate, const GenerateOptions& options) {
    const double factor = rate / mean_rate(pool);
    for (const Client& client : pool.clients) {
      clients_.emplace_back(client, pool, factor, options);
      push(clients_.size() - 1);
    }
  }

  std::optional<double> next() override {
    if (heap_.empty()) return std::nullopt;
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
    const auto [time, client] = heap_.back();
    heap_.pop_back();
    push(client);
    return time;
  }

 private:
  void push(std::size_t client) {
    const std::optional<double> time = clients_[client].next();
    if (!time || *time >= kEndOfClock) return;
    heap_.emplace_back(*time, client);
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
  }

  std::vector<ClientStream> clients_;
  std::vector<std::pair<double, std::size_t>> heap_;
};

}  // namespace

double gamma_function(double x) {
  MOESIM_CHECK(x >= 1.0 && x <= 30.0, "gamma_function is for 1..30");
  // Stirling's series at y = x + 10, then back by the recurrence.
  constexpr double kHalfLogTwoPi = 0.91893853320467274178;
  double product = 1.0;
  double y = x;
  for (int i = 0; i < 10; ++i) {
    product *= y;
    y += 1.0;
  }
  const double inverse = 1.0 / y;
  const double square = inverse * inverse;
  const double series =
      inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0)));
  return math::exp((y - 0.5) * math::log(y) - y + kHalfLogTwoPi + series) / product;
}

PerSecond mean_rate(const ClientPool& pool) {
  PerSecond sum;
  for (const Client& client : pool.clients) {
    for (const ClientWindow& window : client.windows) sum += window.rate;
  }
  return sum / static_cast<double>(pool.windows_per_period);
}

PerSecond mean_rate(const Mmpp& chain) {
  PerSecond sum;
  for (std::size_t i = 0; i < chain.rates.size(); ++i) sum += chain.stationary[i] * chain.rates[i];
  return sum;
}

std::unique_ptr<ArrivalStream> make_arrival_stream(const WorkloadModel& model,
                                                   const GenerateOptions& options) {
  MOESIM_CHECK(options.rate || model.default_rate, "a generated workload needs a rate");
  const PerSecond rate = (options.rate ? *options.rate : *model.default_rate) * options.rate_scale;
  MOESIM_CHECK(std::isfinite(rate.base()) && rate.base() > 0.0,
               "the rate of a generated workload is finite and above 0");
  MOESIM_CHECK(options.start.base() >= 0.0, "the start in the rate curve is not negative");
  if (const auto* pool = std::get_if<ClientPool>(&model.arrivals)) {
    return std::make_unique<PoolStream>(*pool, rate, options);
  }
  return std::make_unique<SingleStream>(model, rate, options);
}

}  // namespace moesim::workload
