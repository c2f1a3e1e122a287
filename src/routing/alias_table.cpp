#include "routing/alias_table.h"

#include <vector>

#include "core/check.h"

namespace moesim::routing {

void build_alias_table(std::span<const double> weight, std::span<std::uint32_t> columns) {
  MOESIM_CHECK(std::has_single_bit(columns.size()) && columns.size() >= weight.size(),
               "an alias table has a power of two of columns");
  double sum = 0.0;
  for (const double w : weight) sum += w;
  MOESIM_CHECK(sum > 0.0, "an alias table needs a positive weight");

  // Mass of each outcome in units of a column; columns without outcome weigh nothing.
  const std::size_t n = columns.size();
  std::vector<double> mass(n, 0.0);
  std::vector<std::uint32_t> under;
  std::vector<std::uint32_t> over;
  for (std::size_t i = 0; i < weight.size(); ++i) {
    mass[i] = weight[i] / sum * static_cast<double>(n);
  }
  for (std::size_t i = n; i-- > 0;) {
    (mass[i] < 1.0 ? under : over).push_back(static_cast<std::uint32_t>(i));
  }
  const auto word = [](double keep, std::uint32_t other) {
    const auto threshold = static_cast<std::uint32_t>(keep * 65536.0 + 0.5);
    return (threshold < 65535U ? threshold : 65535U) << 16 | other;
  };
  while (!under.empty() && !over.empty()) {
    const std::uint32_t small = under.back();
    const std::uint32_t large = over.back();
    under.pop_back();
    columns[small] = word(mass[small], large);
    mass[large] -= 1.0 - mass[small];
    if (mass[large] < 1.0) {
      over.pop_back();
      under.push_back(large);
    }
  }
  // Full columns: both answers are their own outcome. Rounding may leave a nearly full one in
  // `under`; a column without outcome can be left only by rounding and goes to the heaviest.
  std::uint32_t heaviest = 0;
  for (std::uint32_t i = 1; i < weight.size(); ++i) {
    if (weight[i] > weight[heaviest]) heaviest = i;
  }
  over.insert(over.end(), under.begin(), under.end());
  for (const std::uint32_t i : over)
    columns[i] = i < weight.size() && weight[i] > 0.0 ? i : heaviest;
}

}  // namespace moesim::routing
