// Weight formats and which tensor class of a model is held in which.
//
// Bits per weight count block scales (fp8_block128: 8.00195). The number format that arithmetic
// runs in decides which peak of the GPU applies.
// Source: scenarios/catalog/formats.txtpb.
// Layer: catalog.
#pragma once

#include <string>
#include <vector>

#include "core/units.h"

namespace moesim::catalog {

/// Number format of a matrix multiply: selects the peak rate of the GPU.
enum class MathFormat { Fp32, Bf16, Fp8, Fp4, Int8 };

struct WeightFormat {
  std::string name;
  std::vector<std::string> aliases;
  double bits_per_weight = 16.0;
  MathFormat math = MathFormat::Bf16;  ///< Weight-only formats multiply in bf16.
  bool whole_file =
      false;  ///< The figure is the mean over all tensors (GGUF), embeddings included.
  bool experts_only =
      false;  ///< Applies to routed experts; the rest stays bf16 (MXFP4 of gpt-oss).
  std::string source;
  std::string note;
  [[nodiscard]] Bytes bytes_per_weight() const { return bits_per_weight / 8.0 * kByte; }
};

/// A released mixture of formats by name ("mxfp4_experts+bf16"): experts in one, other linear
/// weights in another, embedding, head, router and norms in a third.
struct PrecisionRecipe {
  std::string name;
  std::vector<std::string> aliases;
  std::string experts;
  std::string linear;
  std::string rest;
  std::string source;
  std::string note;
};

/// One format per tensor class. Made from a format name by Catalog::precision().
struct Precision {
  std::string name;
  WeightFormat attention;
  WeightFormat dense_ffn;
  WeightFormat routed_experts;
  WeightFormat shared_experts;
  WeightFormat router;
  WeightFormat embedding;
  WeightFormat head;
  WeightFormat norms;
  Bytes kv_element = Bytes::from_base(2.0);          ///< One cached element (2 B bf16, 1 B fp8).
  Bytes activation_element = Bytes::from_base(2.0);  ///< One activation between operators.
  Bytes dispatch_element =
      Bytes::from_base(2.0);  ///< One activation sent to an expert (fp8: 1 B + scales).
  Bytes combine_element = Bytes::from_base(2.0);
};

}  // namespace moesim::catalog
