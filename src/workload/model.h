// Parametric description of a workload: when requests arrive and how long they are.
//
// Model:   arrivals are a renewal process of unit rate, time-changed by the cumulated rate
//              r(t) = rate * curve(t) * modulation(t) * state(t);
//          gaps are exponential (Poisson, MMPP) or Gamma; `curve` is a periodic step function,
//          `modulation` a lognormal factor of mean 1 redrawn each step, `state` a Markov chain.
//          Lengths come from an inverse distribution function; input and output are joined by a
//          Gaussian copula of the given rank correlation.
// Source:  fitted to published traces; each preset in scenarios/catalog/workloads.txtpb names its
//          own. Client pools: Xiang et al., "ServeGen", arXiv 2505.09999, 2025.
// Omits:   sessions and prefix reuse of generated requests (kept as data, named in the notes).
// Layer:   workload.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/diagnostics.h"
#include "core/units.h"

namespace moesim::workload {

/// Exponential gaps.
struct Poisson {};

/// Gamma gaps; coefficient of variation 1/sqrt(shape).
struct GammaRenewal {
  double shape = 1.0;
};

/// Markov-modulated Poisson process that may change state once a bin. `rates` are those at which
/// the model was fitted; they are scaled so that their stationary mean is the rate asked for.
struct Mmpp {
  Seconds bin = {};
  std::vector<PerSecond> rates = {};                 ///< One per state.
  std::vector<std::vector<double>> transition = {};  ///< Row-stochastic, per bin.
  std::vector<double> stationary = {};               ///< Probability of each state at the start.
};

/// `concurrency` users who each send the next request when the last answer is complete.
struct ClosedLoop {
  std::int64_t concurrency = 1;
};

enum class GapFamily : std::uint8_t { Gamma, Weibull };

/// Rate and gap law of one client during one window.
struct ClientWindow {
  std::int32_t window = 0;  ///< Number of the window in the period.
  GapFamily family = GapFamily::Gamma;
  PerSecond rate = {};
  double shape = 1.0;
};

/// One client: its windows with traffic, ascending; silent in all others.
struct Client {
  std::int32_t id = 0;
  std::vector<ClientWindow> windows = {};
};

/// Sum of independent renewal clients whose rate and gap law change with the window.
struct ClientPool {
  Seconds window = {};  ///< Length of a window.
  std::int32_t windows_per_period = 0;
  std::vector<Client> clients = {};
  std::string file = {};  ///< Where the table is, until it is read (scenarios/workloads/...).
};

using ArrivalProcess = std::variant<Poisson, GammaRenewal, Mmpp, ClosedLoop, ClientPool>;

/// Periodic step function that multiplies the rate.
struct RateCurve {
  Seconds step = {};
  std::vector<double> multiplier = {};  ///< Mean 1 over the period; period = step * size.
  std::string start = {};  ///< What time 0 of the curve means, e.g. "Sunday 00:00 UTC".
};

/// Lognormal factor of mean 1 on the rate, drawn anew each step.
struct RateModulation {
  Seconds step = {};
  double cv = 0.0;
};

/// Always the same length.
struct FixedLength {
  std::int32_t tokens = 1;
};

/// Each of min..max equally likely.
struct UniformLength {
  std::int32_t min = 1;
  std::int32_t max = 1;
};

/// exp(Normal(log median, sigma)), rounded, kept within min..max.
struct LognormalLength {
  double median = 1.0;
  double sigma = 0.0;
  std::int32_t min = 1;
  std::int32_t max = 1'000'000;
};

/// Quantiles, joined by straight lines in log tokens; flat beyond the first and last level.
struct GridLength {
  std::vector<double> levels = {};  ///< Ascending, within [0, 1].
  std::vector<double> tokens = {};  ///< Not descending, same size.
};

using LengthLaw = std::variant<FixedLength, UniformLength, LognormalLength, GridLength>;

/// What is known of shared prefixes. Data only: generated requests carry no prefix blocks.
struct PrefixStructure {
  std::int32_t block_tokens = 0;  ///< 0: not known.
  std::optional<double> reuse_fraction =
      std::nullopt;       ///< Share of input tokens seen before, infinite cache.
  std::string text = {};  ///< The published figures, in words.
};

/// A named workload.
struct WorkloadModel {
  std::string name = {};
  std::string text = {};    ///< One line for lists.
  std::string source = {};  ///< Where it comes from, licence, what was derived.
  ArrivalProcess arrivals = {};
  std::optional<PerSecond> default_rate =
      std::nullopt;  ///< Mean rate over the period of the curve.
  std::optional<RateCurve> curve = std::nullopt;
  std::optional<RateModulation> modulation = std::nullopt;
  std::optional<LengthLaw> input = std::nullopt;
  std::optional<LengthLaw> output = std::nullopt;
  std::optional<double> rank_correlation =
      std::nullopt;  ///< Spearman, input with output; absent: independent.
  std::optional<PrefixStructure> prefix = std::nullopt;
  std::vector<std::string> notes = {};  ///< Remarks a reader of results should know.
};

/// Every mistake of a model, `field` relative to the model ("arrivals.gamma.shape"); the caller
/// adds file and line. Empty: the model can be sampled. Missing lengths are a mistake here, so
/// fill in those of the scenario first.
[[nodiscard]] std::vector<Diagnostic> check_model(const WorkloadModel& model);

/// What a generated run leaves out of the model ("prefix reuse not applied ..."), for the report.
[[nodiscard]] std::vector<std::string> model_notes(const WorkloadModel& model);

/// Reads the table of a ClientPool: CSV client_id,window,rate_per_s,family,shape after comment
/// lines "# window_s=600" and "# windows_per_period=144". Throws InputError.
[[nodiscard]] ClientPool read_client_pool(std::string_view bytes, std::string_view file_name);

}  // namespace moesim::workload
