// The entries of the catalog as tables: one row per entry, and one entry in full.
//
// Layer: cli.
#pragma once

#include <optional>
#include <string>

#include "catalog/catalog.h"
#include "cli/catalog_table.h"
#include "scenario/cluster_reader.h"

namespace moesim::cli {

/// Keeps the rows in which some text contains `filter`, in any case; all of them for "".
[[nodiscard]] Table filtered(Table table, const std::string& filter);

// Lists; texts that `filter` is not part of (without regard to case) are left out.
[[nodiscard]] Table list_models(const catalog::Catalog& catalog, const std::string& filter);
[[nodiscard]] Table list_gpus(const catalog::Catalog& catalog, const std::string& filter);
[[nodiscard]] Table list_fabrics(const catalog::Catalog& catalog, const std::string& filter);
[[nodiscard]] Table list_clusters(const catalog::Catalog& catalog, const std::string& filter);
[[nodiscard]] Table list_collectives(const catalog::Catalog& catalog, const std::string& filter);
[[nodiscard]] Table list_formats(const catalog::Catalog& catalog, const std::string& filter);
[[nodiscard]] Table list_engines(const catalog::Catalog& catalog, const std::string& filter);
[[nodiscard]] Table list_prices(const catalog::Catalog& catalog, const std::string& filter);

// One entry: a table of one row.
[[nodiscard]] Table show_model(const catalog::Model& model, const catalog::Precision& precision);
[[nodiscard]] Table show_gpu(const catalog::Gpu& gpu);
[[nodiscard]] Table show_fabric(const catalog::Fabric& fabric);
[[nodiscard]] Table show_cluster(const scenario::NamedCluster& cluster);
[[nodiscard]] Table show_format(const catalog::WeightFormat& format);
[[nodiscard]] Table show_recipe(const catalog::PrecisionRecipe& recipe);
[[nodiscard]] Table show_engine(const catalog::Engine& engine);

}  // namespace moesim::cli
