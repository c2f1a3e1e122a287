// Number formats of kernels by the names that curves use, and what they mean in bytes and rates.
//
// "fp8" has one scale per tensor, "fp8b" one per 128x128 block of weights (and per 128
// activations), "nvfp4" one per 16; "mxfp4a16", "mxfp4a8" and "int4a16" hold 4-bit weights and
// wider activations. Source of the sizes: scenarios/catalog/formats.txtpb. Layer: operators.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "catalog/gpu.h"
#include "catalog/precision.h"

namespace moesim::operators {

struct KernelFormat {
  std::string_view dtype;
  double weight_bytes = 2;      ///< Per weight, scales included.
  double activation_bytes = 2;  ///< Per element read by the multiply, scales included.
  catalog::MathFormat math = catalog::MathFormat::Bf16;
};

/// What a curve's dtype means; nothing for an unknown name.
[[nodiscard]] std::optional<KernelFormat> kernel_format(std::string_view dtype);
/// All known names.
[[nodiscard]] std::span<const std::string_view> kernel_dtypes();

/// What curves call weights in `format`.
[[nodiscard]] std::string_view dtype_of(const catalog::WeightFormat& format);

/// The dtypes whose curves can stand for weights in `format` on `gpu`, best first: the format
/// itself where the GPU has its arithmetic, then what such kernels are most like.
[[nodiscard]] std::vector<std::string_view> dtypes_for(const catalog::WeightFormat& format,
                                                       const catalog::Gpu& gpu);

}  // namespace moesim::operators
