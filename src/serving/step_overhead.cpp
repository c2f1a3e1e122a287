#include "serving/step_overhead.h"

#include <algorithm>

#include "core/random.h"

namespace moesim::serving {

Seconds engine_host_time(const Deployment& deployment, std::span<const RankBatch> ranks,
                         bool first_stage, std::int64_t layers) {
  if (!deployment.overhead) {
    return first_stage ? deployment.engine.iteration_overhead : Seconds{};
  }
  const catalog::EngineOverhead& o = *deployment.overhead;
  std::int32_t sequences = 0;
  bool prompts = false;
  for (const RankBatch& batch : ranks) {
    sequences = std::max(sequences, batch.decode_sequences + batch.prefill_chunks);
    prompts = prompts || batch.prefill_tokens > 0;
  }
  Seconds time = static_cast<double>(layers) * o.per_layer;
  if (prompts) time += static_cast<double>(layers) * o.prompt_layer;
  if (first_stage) time += o.iteration + static_cast<double>(sequences) * o.per_sequence;
  return time;
}

double kernel_stretch(const Deployment& deployment) {
  return deployment.overhead ? deployment.overhead->stretch : 1.0;
}

void add_engine_overhead(const Deployment& deployment, std::span<const RankBatch> ranks,
                         bool first_stage, std::int64_t layers, StepTime& time) {
  const double stretch = kernel_stretch(deployment);
  if (stretch != 1.0) {
    const Seconds migration = time[StepPart::Migration];
    time.total = migration + stretch * (time.total - migration);
    for (std::size_t part = 0; part < kStepParts; ++part) {
      if (part == static_cast<std::size_t>(StepPart::Migration)) continue;
      time.parts[part] *= stretch;
      for (Seconds& limited : time.limits[part].by) limited *= stretch;
    }
  }
  // Either half of a split iteration launches every layer.
  const std::int64_t launched = time.split ? 2 * layers : layers;
  const Seconds host = engine_host_time(deployment, ranks, first_stage, launched);
  time[StepPart::Overhead] += host;
  time.total += host;
}

Seconds delay_of_request(const Deployment& deployment, std::uint64_t seed, std::int64_t number) {
  if (!deployment.overhead || deployment.overhead->per_request == Seconds{}) return Seconds{};
  RandomStream chance(seed, "serving.delay", static_cast<std::uint64_t>(number));
  return chance.exponential() * deployment.overhead->per_request;
}

}  // namespace moesim::serving
