#include "operators/kernel_format.h"

#include <algorithm>
#include <array>

namespace moesim::operators {
namespace {

using catalog::MathFormat;

// Bytes: bits of the format and its scales (a 32-bit scale per 128x128 weights or 128 activations
// for fp8b, 8 bits per 16 for nvfp4, 8 bits per 32 for mxfp4, 16 bits per 128 for int4).
constexpr std::array<KernelFormat, 7> kFormats = {{
    {"bf16", 2.0, 2.0, MathFormat::Bf16},
    {"fp8", 1.0, 1.0, MathFormat::Fp8},
    {"fp8b", 1.000244140625, 1.03125, MathFormat::Fp8},
    {"nvfp4", 0.5625, 0.5625, MathFormat::Fp4},
    {"mxfp4a16", 0.53125, 2.0, MathFormat::Bf16},
    {"mxfp4a8", 0.53125, 1.03125, MathFormat::Fp8},
    {"int4a16", 0.515625, 2.0, MathFormat::Bf16},
}};

/// Whether the GPU multiplies in the format, or can only hold its weights in it.
bool has_arithmetic(const catalog::Gpu& gpu, MathFormat math) {
  switch (math) {
    case MathFormat::Fp4:
      return gpu.fp4 > FlopsPerSecond{};
    case MathFormat::Fp8:
      return gpu.fp8 > FlopsPerSecond{};
    case MathFormat::Int8:
      return gpu.int8 > FlopsPerSecond{};
    case MathFormat::Bf16:
    case MathFormat::Fp32:
      break;
  }
  return true;
}

}  // namespace

// Widths alone tell per-tensor from per-block scales.
std::string_view dtype_of(const catalog::WeightFormat& format) {
  constexpr double kFewBits = 5.3;
  switch (format.math) {
    case MathFormat::Fp4:
      return "nvfp4";
    case MathFormat::Fp8:
      if (format.bits_per_weight < kFewBits) return "mxfp4a8";
      return format.bits_per_weight > 8.0 ? "fp8b" : "fp8";
    case MathFormat::Int8:
      return "fp8";
    case MathFormat::Bf16:
      if (format.bits_per_weight >= kFewBits) return "bf16";
      return format.name.starts_with("mxfp4") ? "mxfp4a16" : "int4a16";
    case MathFormat::Fp32:
      break;
  }
  return "bf16";
}

std::optional<KernelFormat> kernel_format(std::string_view dtype) {
  for (const KernelFormat& format : kFormats) {
    if (format.dtype == dtype) return format;
  }
  return std::nullopt;
}

std::span<const std::string_view> kernel_dtypes() {
  static const std::array<std::string_view, kFormats.size()> names = [] {
    std::array<std::string_view, kFormats.size()> all;
    std::transform(kFormats.begin(), kFormats.end(), all.begin(),
                   [](const KernelFormat& format) { return format.dtype; });
    return all;
  }();
  return names;
}

std::vector<std::string_view> dtypes_for(const catalog::WeightFormat& format,
                                         const catalog::Gpu& gpu) {
  const std::string_view own = dtype_of(format);
  if (!has_arithmetic(gpu, format.math)) {
    // Weights are read in their format and multiplied in bf16.
    return own == "fp8" || own == "fp8b"
               ? std::vector<std::string_view>{"bf16"}
               : std::vector<std::string_view>{"int4a16", "mxfp4a16", "bf16"};
  }
  // Integer kernels were not measured: those of fp8, or of bf16 where the GPU has no fp8.
  if (format.math == MathFormat::Int8 && gpu.fp8 <= FlopsPerSecond{}) return {"bf16"};
  if (own == "fp8") return {"fp8", "fp8b", "bf16"};
  if (own == "fp8b") return {"fp8b", "fp8", "bf16"};
  if (own == "nvfp4") return {"nvfp4", "mxfp4a8", "fp8", "fp8b", "bf16"};
  if (own == "mxfp4a16") {
    // Where the GPU multiplies 4-bit numbers, engines narrow the activations as well.
    if (has_arithmetic(gpu, MathFormat::Fp4)) return {"mxfp4a8", "mxfp4a16", "int4a16", "bf16"};
    return {"mxfp4a16", "int4a16", "bf16"};
  }
  if (own == "mxfp4a8") return {"mxfp4a8", "mxfp4a16", "nvfp4", "fp8", "fp8b", "bf16"};
  if (own == "int4a16") return {"int4a16", "mxfp4a16", "bf16"};
  return {"bf16"};
}

}  // namespace moesim::operators
