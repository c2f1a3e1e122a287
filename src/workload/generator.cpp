#include "workload/generator.h"

#include <utility>

#include "core/check.h"
#include "workload/arrivals.h"

namespace moesim::workload {
namespace {

class GeneratedSource final : public RequestSource {
 public:
  GeneratedSource(const WorkloadModel& model, const GenerateOptions& options)
      : lengths_(model, options.seed), notes_(model_notes(model)), limit_(options.max_requests) {
    if (!is_closed_loop(model)) arrivals_ = make_arrival_stream(model, options);
    if (options.duration) end_ = SimTime::from(*options.duration);
  }

  std::optional<Request> next() override {
    if (done_ || (limit_ && number_ >= *limit_)) return std::nullopt;
    SimTime arrival;
    if (arrivals_) {
      const std::optional<double> seconds = arrivals_->next();
      if (seconds) arrival = SimTime::from(Seconds::from_base(*seconds));
      if (!seconds || (end_ && arrival >= *end_)) {
        done_ = true;
        return std::nullopt;
      }
    }
    const Lengths lengths = lengths_.at(number_++);
    return Request{.arrival = arrival,
                   .input_tokens = lengths.input_tokens,
                   .output_tokens = lengths.output_tokens,
                   .session = -1,
                   .prefix = {},
                   .after_previous_answer = false};
  }

  std::vector<std::string> notes() const override { return notes_; }

 private:
  LengthSampler lengths_;
  std::unique_ptr<ArrivalStream> arrivals_;  ///< Null in a closed loop.
  std::vector<std::string> notes_;
  std::optional<std::int64_t> limit_;
  std::optional<SimTime> end_;
  std::int64_t number_ = 0;
  bool done_ = false;
};

}  // namespace

bool is_closed_loop(const WorkloadModel& model) {
  return std::holds_alternative<ClosedLoop>(model.arrivals);
}

std::unique_ptr<RequestSource> make_generated_source(const WorkloadModel& model,
                                                     const GenerateOptions& options) {
  return std::make_unique<GeneratedSource>(model, options);
}

}  // namespace moesim::workload
