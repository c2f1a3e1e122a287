// Whole-number tensors of a safetensors file.
//
// Form:   8 bytes little-endian length n of the header; n bytes JSON {name: {dtype, shape,
//         data_offsets: [begin, end]}, "__metadata__": ...}; raw values, offsets count from there.
// Source: format description of the safetensors library (Hugging Face), version 0.4.
// Omits:  floating types and U64.
// Layer:  interchange (internal).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "interchange/findings.h"

namespace moesim::interchange {

/// A vector of whole numbers.
struct NumberTensor {
  std::string name;
  std::vector<std::int64_t> values;
};

/// All tensors, in the order of the header. Each must have one dimension of at most `most_values`
/// and the type I32 or I64. Mistakes go to the findings.
[[nodiscard]] std::vector<NumberTensor> parse_safetensors(std::string_view bytes,
                                                          std::int64_t most_values,
                                                          Findings& findings);

}  // namespace moesim::interchange
