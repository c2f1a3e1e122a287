// A GPU as its data sheet describes it. All rates are dense (no sparsity factor).
//
// Source of each entry: scenarios/catalog/gpus.txtpb.
// Layer: catalog.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "catalog/precision.h"
#include "core/units.h"

namespace moesim::catalog {

enum class ScaleUpKind { NvSwitch, NvLinkBridge, XgmiMesh, Pcie };

struct Gpu {
  std::string name;
  std::vector<std::string> aliases;
  std::string vendor;
  std::string architecture;
  Bytes memory;             ///< What the driver shows, or the vendor's label read as documented.
  std::string memory_type;  ///< "HBM3"
  BytesPerSecond memory_bandwidth;
  FlopsPerSecond fp32;
  FlopsPerSecond tf32;
  FlopsPerSecond bf16;
  FlopsPerSecond fp8;  ///< 0 = no such unit: arithmetic falls back to the next wider format.
  FlopsPerSecond fp4;
  FlopsPerSecond int8;
  FlopsPerSecond measured_bf16;  ///< Best matrix multiply found: a ceiling; 0 = not published.
  FlopsPerSecond measured_fp8;
  ScaleUpKind scale_up = ScaleUpKind::NvSwitch;
  std::string scale_up_name;               ///< "NVLink4"
  BytesPerSecond scale_up_bandwidth;       ///< Per GPU and direction, all peers together.
  BytesPerSecond scale_up_pair_bandwidth;  ///< Per direction between one pair.
  int scale_up_domain = 1;                 ///< GPUs that reach each other over it.
  BytesPerSecond pcie_bandwidth;           ///< Per direction.
  BytesPerSecond nic_bandwidth;            ///< Usual NIC per GPU and direction.
  std::int64_t sms = 0;                    ///< Multiprocessors (compute units); 0 = not published.
  Watts tdp;
  Watts all_in_power;  ///< With host, network and cooling; 0 = not published.
  std::string source;
  std::string note;

  /// Peak rate in `format`, falling back fp4 -> fp8 -> int8/bf16 -> fp32 as the hardware would.
  [[nodiscard]] FlopsPerSecond peak(MathFormat format) const;
};

}  // namespace moesim::catalog
