// Small worlds and messages for the tests of engine files.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "core/diagnostics.h"
#include "interchange/model_layers.h"
#include "placement/placement.h"

namespace moesim::test {

/// All mistakes of what `read` refuses, or "" if it reads.
template <class Read>
std::string mistakes_of(Read&& read) {
  try {
    static_cast<void>(read());
  } catch (const InputError& error) {
    return error.what();
  } catch (const IoError& error) {
    return error.what();
  }
  return "";
}

inline void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// Two MoE layers of four experts on two ranks of three slots; one dense layer first.
inline placement::PlacementShape toy_slots() {
  return {.moe_layers = 2,
          .experts = 4,
          .ranks = 2,
          .slots_per_rank = 3,
          .expert_groups = 1,
          .domain_of_rank = {0, 0},
          .rack_of_domain = {}};
}

inline interchange::ModelLayers toy_layers() { return interchange::dense_first(1, 2); }

inline placement::Placement toy_placement() {
  return {.shape = toy_slots(),
          .expert_of_slot = {0, 1, 2, 3, 0, 1,  //
                             3, 2, 1, 0, 2, 3},
          .strategy = "toy"};
}

}  // namespace moesim::test
