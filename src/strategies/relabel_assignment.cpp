#include "strategies/relabel_assignment.h"

#include <algorithm>
#include <limits>

namespace moesim::strategies {
namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
constexpr std::int32_t kFar = std::numeric_limits<std::int32_t>::max();

class Assignment {
 public:
  Assignment(std::span<const std::int32_t> cost, std::size_t n)
      : cost_(cost), n_(n), price_(n), row_of_(n, kNone), column_of_(n, kNone), from_(n), far_(n) {
    reduce_columns();
    for (std::size_t row = 0; row < n; ++row) {
      if (column_of_[row] == kNone) augment(row);
    }
  }
  [[nodiscard]] std::vector<std::size_t> columns() && { return std::move(column_of_); }

 private:
  [[nodiscard]] const std::int32_t* row(std::size_t i) const { return cost_.data() + i * n_; }

  /// Price of a column: its least cost; its row gets it if the row is free.
  void reduce_columns() {
    for (std::size_t j = n_; j-- > 0;) {
      std::size_t least = 0;
      for (std::size_t i = 1; i < n_; ++i) {
        if (row(i)[j] < row(least)[j]) least = i;
      }
      price_[j] = row(least)[j];
      if (column_of_[least] == kNone) assign(least, j);
    }
    tighten();
  }
  void assign(std::size_t i, std::size_t j) {
    column_of_[i] = j;
    row_of_[j] = i;
  }
  /// Rows hold a column that costs them least beyond its price, or none.
  void tighten() {
    for (std::size_t i = 0; i < n_; ++i) {
      const std::size_t j = column_of_[i];
      if (j == kNone) continue;
      std::int32_t least = kFar;
      for (std::size_t h = 0; h < n_; ++h) least = std::min(least, row(i)[h] - price_[h]);
      if (row(i)[j] - price_[j] == least) continue;
      row_of_[j] = column_of_[i] = kNone;
    }
  }
  /// Shortest path (Dijkstra over columns) from a free row to a free column.
  void augment(std::size_t free_row) {
    std::vector<std::size_t>& columns = order_;
    columns.resize(n_);
    for (std::size_t j = 0; j < n_; ++j) {
      columns[j] = j;
      far_[j] = row(free_row)[j] - price_[j];
      from_[j] = free_row;
    }
    std::size_t done = 0;
    std::int32_t distance = 0;
    std::size_t last = kNone;
    while (last == kNone) {
      std::size_t nearest = done;
      for (std::size_t c = done + 1; c < n_; ++c) {
        const bool nearer = far_[columns[c]] < far_[columns[nearest]];
        const bool opens = far_[columns[c]] == far_[columns[nearest]] &&
                           row_of_[columns[c]] == kNone && row_of_[columns[nearest]] != kNone;
        if (nearer || opens) nearest = c;
      }
      std::swap(columns[done], columns[nearest]);
      const std::size_t j = columns[done];
      distance = far_[j];
      if (row_of_[j] == kNone) {
        last = j;
        break;
      }
      ++done;
      relax(row_of_[j], j, distance, done);
    }
    for (std::size_t c = 0; c < done; ++c) price_[columns[c]] += far_[columns[c]] - distance;
    for (std::size_t j = last;;) {
      const std::size_t i = from_[j];
      std::swap(j, column_of_[i]);
      row_of_[column_of_[i]] = i;
      if (i == free_row) break;
    }
  }
  void relax(std::size_t i, std::size_t j, std::int32_t distance, std::size_t done) {
    const std::int32_t base = distance - (row(i)[j] - price_[j]);
    for (std::size_t c = done; c < n_; ++c) {
      const std::size_t h = order_[c];
      const std::int32_t length = base + row(i)[h] - price_[h];
      if (length < far_[h]) {
        far_[h] = length;
        from_[h] = i;
      }
    }
  }

  std::span<const std::int32_t> cost_;
  std::size_t n_;
  std::vector<std::int32_t> price_;
  std::vector<std::size_t> row_of_;
  std::vector<std::size_t> column_of_;
  std::vector<std::size_t> from_;
  std::vector<std::int32_t> far_;
  std::vector<std::size_t> order_;
};

}  // namespace

std::vector<std::size_t> least_cost_assignment(std::span<const std::int32_t> cost, std::size_t n) {
  if (n == 0) return {};
  return Assignment(cost, n).columns();
}

}  // namespace moesim::strategies
