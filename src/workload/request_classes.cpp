#include "workload/request_classes.h"

#include <utility>

#include "core/check.h"
#include "core/random.h"
#include "workload/generator.h"

namespace moesim::workload {
namespace {

class ClassSource final : public RequestSource {
 public:
  ClassSource(std::unique_ptr<RequestSource> source, const std::vector<RequestClass>& classes,
              const WorkloadModel* model, std::uint64_t seed)
      : source_(std::move(source)), seed_(seed) {
    double sum = 0;
    for (const RequestClass& each : classes) {
      bounds_.push_back(sum += each.share);
      std::optional<LengthSampler>& lengths = lengths_.emplace_back();
      if (!each.input && !each.output) continue;
      MOESIM_CHECK(model != nullptr, "a class of recorded requests has lengths of its own");
      WorkloadModel own = *model;
      if (each.input) own.input = each.input;
      if (each.output) own.output = each.output;
      lengths.emplace(own, seed);
    }
  }

  std::optional<Request> next() override {
    std::optional<Request> request = source_->next();
    if (!request) return request;
    const std::int64_t number = taken_++;
    const auto at = class_of(*request, number);
    request->service_class = static_cast<std::int32_t>(at);
    if (lengths_[at]) {
      const Lengths own = lengths_[at]->at(number);
      request->input_tokens = own.input_tokens;
      request->output_tokens = own.output_tokens;
    }
    return request;
  }
  std::span<const std::uint64_t> hash_ids() const override { return source_->hash_ids(); }
  std::int32_t hash_block_tokens() const override { return source_->hash_block_tokens(); }
  std::vector<std::string> notes() const override { return source_->notes(); }

 private:
  [[nodiscard]] std::size_t class_of(const Request& request, std::int64_t number) const {
    const bool turn = request.session >= 0;
    RandomStream draw(seed_, turn ? "classes of sessions" : "classes of requests",
                      static_cast<std::uint64_t>(turn ? request.session : number));
    const double x = draw.uniform() * bounds_.back();
    std::size_t at = 0;
    while (at + 1 < bounds_.size() && x >= bounds_[at]) ++at;
    return at;
  }

  std::unique_ptr<RequestSource> source_;
  std::vector<double> bounds_;                         ///< Sums of the shares up to each class.
  std::vector<std::optional<LengthSampler>> lengths_;  ///< Of classes with lengths of their own.
  std::uint64_t seed_;
  std::int64_t taken_ = 0;
};

}  // namespace

std::unique_ptr<RequestSource> give_classes(std::unique_ptr<RequestSource> source,
                                            const std::vector<RequestClass>& classes,
                                            const WorkloadModel* model, std::uint64_t seed) {
  MOESIM_CHECK(!classes.empty(), "requests are given classes of which there are none");
  return std::make_unique<ClassSource>(std::move(source), classes, model, seed);
}

}  // namespace moesim::workload
