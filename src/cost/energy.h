// Energy of a deployment: board power from how busy arithmetic and memory are, and its bill.
//
// Model:   while iterations run, power(compute utilisation, memory utilisation) of the GPU's curve;
//          idle power otherwise. Facility power adds what stands around the GPU: its all-in power
//          less its rating, where published.
// Source:  curve fitted to measured board power (docs/models/power.md); docs/models/cost.md.
// Omits:   phases of different power inside a run (their mean utilisation counts), clock limits.
// Layer:   cost.
#pragma once

#include <string>

#include "catalog/curve.h"
#include "catalog/gpu.h"
#include "catalog/precision.h"
#include "core/units.h"

namespace moesim::cost {

/// What one GPU does on average over the run.
struct GpuActivity {
  double busy = 0;         ///< Share of the time in which iterations run.
  double flops_per_s = 0;  ///< Over the whole time.
  double bytes_per_s = 0;  ///< Of memory, over the whole time.
};

struct Energy {
  bool known = false;  ///< False: the catalog has no power of the GPU.
  bool estimate = false;
  double error = 0;  ///< Median error of the power curve.
  Watts board;       ///< Mean of one GPU.
  Watts facility;    ///< The same with its share of host, network and cooling.
  double all_gpus_kwh_per_month = 0;
  double joules_per_output_token = 0;  ///< At facility power.
  double usd_per_month = 0;
};

/// `curves` may be null. `dollars_per_kwh` 0: no bill.
[[nodiscard]] Energy energy(const catalog::Gpu& gpu, const catalog::WeightFormat& weights,
                            const catalog::CurveSet* curves, const GpuActivity& activity,
                            double gpus, double output_tokens_per_s, double hours_per_month,
                            double dollars_per_kwh);

}  // namespace moesim::cost
