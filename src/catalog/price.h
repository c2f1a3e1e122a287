// Dated prices: rent per GPU-hour, API per token, total cost of ownership, power.
//
// Prices move: every print names provider, term and date.
// Source of each entry: scenarios/catalog/prices.txtpb.
// Layer: catalog.
#pragma once

#include <string>

namespace moesim::catalog {

struct Price {
  std::string category;  ///< rent, rent-band, tco, power, api, ...
  std::string provider;
  std::string item;
  std::string gpu;  ///< Catalog name of the GPU; empty if none.
  int gpus = 0;
  std::string term;  ///< on-demand, spot, reserved, ...
  double low = 0;    ///< In `unit`; equals high unless the source prints a band.
  double high = 0;
  std::string unit;  ///< USD/GPU-h, USD/Mtoken, kW/GPU, ...
  std::string date;
  std::string basis;
  std::string source;
  std::string note;
};

}  // namespace moesim::catalog
