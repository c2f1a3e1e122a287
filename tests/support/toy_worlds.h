// Small worlds of round numbers, so that every expectation of a test can be redone by hand.
#pragma once

#include <cstdint>

#include "catalog/fabric.h"
#include "catalog/gpu.h"
#include "catalog/model.h"
#include "catalog/precision.h"
#include "core/units.h"
#include "topology/cluster.h"

namespace moesim::test {

/// 1000 TFLOP/s in bf16 (fp8 twice, fp4 four times that), 1 TB/s, 80 GiB, NVSwitch of 100 GB/s.
inline catalog::Gpu toy_gpu() {
  using namespace moesim::literals;
  catalog::Gpu gpu;
  gpu.name = "toy";
  gpu.vendor = "toy works";
  gpu.memory = 80_GiB;
  gpu.memory_bandwidth = 1_TBps;
  gpu.fp32 = 100_TFLOPs;
  gpu.tf32 = 500_TFLOPs;
  gpu.bf16 = 1000_TFLOPs;
  gpu.fp8 = 2000_TFLOPs;
  gpu.fp4 = 4000_TFLOPs;
  gpu.int8 = 2000_TFLOPs;
  gpu.scale_up = catalog::ScaleUpKind::NvSwitch;
  gpu.scale_up_bandwidth = 100_GBps;
  gpu.scale_up_pair_bandwidth = 100_GBps;
  gpu.scale_up_domain = 8;
  gpu.pcie_bandwidth = 50_GBps;
  gpu.nic_bandwidth = 10_GBps;
  gpu.tdp = 500_W;
  gpu.source = "made up";
  return gpu;
}

inline catalog::Fabric toy_fabric(catalog::FabricKind kind, BytesPerSecond bandwidth,
                                  Seconds latency) {
  catalog::Fabric fabric;
  fabric.name = "toy fabric";
  fabric.kind = kind;
  fabric.bandwidth = bandwidth;
  fabric.efficiency = 1.0;
  fabric.latency = latency;
  fabric.source = "made up";
  return fabric;
}

/// NVSwitch nodes, one NIC per GPU, rails below one leaf each. Scale-up 100 GB/s and 2 us, PCIe
/// 50 GB/s and 1 us, NIC 10 GB/s and 4 us, 0.5 us per switch.
inline topology::Cluster toy_cluster(std::int64_t nodes, std::int64_t gpus_per_node) {
  using namespace moesim::literals;
  topology::Cluster cluster;
  cluster.name = "toy";
  cluster.gpu = toy_gpu();
  cluster.nodes = nodes;
  cluster.gpus_per_node = gpus_per_node;
  cluster.nodes_per_scale_up_domain = 1;
  cluster.scale_up = toy_fabric(catalog::FabricKind::NvLink, 100_GBps, 2_us);
  cluster.pcie = toy_fabric(catalog::FabricKind::Pcie, 50_GBps, 1_us);
  cluster.nic = toy_fabric(catalog::FabricKind::InfiniBand, 10_GBps, 4_us);
  cluster.nics_per_node = gpus_per_node;
  cluster.scale_out = topology::ScaleOut::Rail;
  cluster.leaf_ports = 64;
  cluster.oversubscription = 1.0;
  cluster.switch_latency = 0.5_us;
  return cluster;
}

/// A weight format of `bits` per weight that multiplies in `math`.
inline catalog::WeightFormat toy_format(double bits, catalog::MathFormat math) {
  catalog::WeightFormat format;
  format.name = "toy format";
  format.bits_per_weight = bits;
  format.math = math;
  format.source = "made up";
  return format;
}

}  // namespace moesim::test
