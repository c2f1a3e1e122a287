// Whether the GPU has the arithmetic that the weights ask for, and what stands in for it if not.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "catalog/parameters.h"
#include "scenario/resolver.h"

namespace moesim::scenario {
namespace {

using catalog::MathFormat;

const char* name_of(MathFormat math) {
  switch (math) {
    case MathFormat::Fp32:
      return "fp32";
    case MathFormat::Bf16:
      return "bf16";
    case MathFormat::Fp8:
      return "fp8";
    case MathFormat::Fp4:
      return "fp4";
    case MathFormat::Int8:
      return "int8";
  }
  return "bf16";
}

FlopsPerSecond own_rate(const catalog::Gpu& gpu, MathFormat math) {
  switch (math) {
    case MathFormat::Fp32:
      return gpu.fp32;
    case MathFormat::Bf16:
      return gpu.bf16;
    case MathFormat::Fp8:
      return gpu.fp8;
    case MathFormat::Fp4:
      return gpu.fp4;
    case MathFormat::Int8:
      return gpu.int8;
  }
  return gpu.bf16;
}

/// The wider format whose rate Gpu::peak() takes for fp8 and fp4.
MathFormat widened(const catalog::Gpu& gpu, MathFormat math) {
  const bool has_fp8 = gpu.fp8 > FlopsPerSecond{};
  return math == MathFormat::Fp4 && has_fp8 ? MathFormat::Fp8 : MathFormat::Bf16;
}

/// Formats of the weights that take part in multiplies, each once.
std::vector<const catalog::WeightFormat*> multiplied(const catalog::Precision& precision,
                                                     const catalog::ModelParameters& parameters) {
  std::vector<const catalog::WeightFormat*> formats;
  const auto add = [&](std::int64_t count, const catalog::WeightFormat& format) {
    for (const catalog::WeightFormat* known : formats) {
      if (known->name == format.name) return;
    }
    if (count > 0) formats.push_back(&format);
  };
  add(parameters.attention, precision.attention);
  add(parameters.dense_ffn, precision.dense_ffn);
  add(parameters.routed_experts, precision.routed_experts);
  add(parameters.shared_experts, precision.shared_experts);
  add(parameters.head, precision.head);
  return formats;
}

}  // namespace

/// Engines multiply fp8 and fp4 weights in a wider format where the GPU lacks the units
/// (weight-only kernels); for int8 with int8 activations, and for fp32, nothing stands in.
void Resolver::check_arithmetic() {
  const serving::Deployment& d = scenario_.deployment;
  if (!has_model_ || !has_gpu_ || d.precision.name.empty()) return;
  const catalog::Gpu& gpu = d.cluster.gpu;
  for (const catalog::WeightFormat* format :
       multiplied(d.precision, catalog::count_parameters(d.model))) {
    const MathFormat math = format->math;
    if (own_rate(gpu, math) > FlopsPerSecond{}) continue;
    if (math == MathFormat::Fp32 || math == MathFormat::Int8) {
      error("deployment.precision",
            fmt::format("{} multiplies in {}, of which {} has no rate", format->name, name_of(math),
                        gpu.name),
            fmt::format("use another precision, or give {} in inline_gpu", name_of(math)));
      continue;
    }
    note(fmt::format("{} has no {} arithmetic: weights in {} are multiplied in {}", gpu.name,
                     name_of(math), format->name, name_of(widened(gpu, math))));
  }
}

}  // namespace moesim::scenario
