#include "catalog/model.h"

#include "core/check.h"

namespace moesim::catalog {

std::int64_t Model::layers() const {
  std::int64_t n = 0;
  for (const LayerRun& run : runs) n += run.count;
  return n;
}

std::int64_t Model::moe_layers() const {
  std::int64_t n = 0;
  for (const LayerRun& run : runs) {
    if (kinds[static_cast<std::size_t>(run.kind)].feed_forward.is_moe()) n += run.count;
  }
  return n;
}

const LayerKind& Model::layer(std::int64_t index) const {
  for (const LayerRun& run : runs) {
    if (index < run.count) return kinds[static_cast<std::size_t>(run.kind)];
    index -= run.count;
  }
  MOESIM_CHECK(false, "a layer index lies beyond the model");
}

}  // namespace moesim::catalog
