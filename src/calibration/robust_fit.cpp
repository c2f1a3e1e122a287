#include "calibration/robust_fit.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "core/random.h"

namespace moesim::calibration {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Coordinates in which steps are taken: logarithms of coefficients that vary by factors.
class Coordinates {
 public:
  explicit Coordinates(std::span<const operators::CoefficientSpec> specs) : specs_(specs) {
    for (const operators::CoefficientSpec& spec : specs) {
      MOESIM_CHECK(spec.lower <= spec.start && spec.start <= spec.upper,
                   "a coefficient starts outside its bounds");
    }
  }
  [[nodiscard]] double from(std::size_t i, double value) const {
    return logarithmic(i) ? std::log(value) : value;
  }
  [[nodiscard]] double to(std::size_t i, double coordinate) const {
    const double value = logarithmic(i) ? std::exp(coordinate) : coordinate;
    return std::clamp(value, specs_[i].lower, specs_[i].upper);
  }
  [[nodiscard]] double low(std::size_t i) const { return from(i, specs_[i].lower); }
  [[nodiscard]] double high(std::size_t i) const { return from(i, specs_[i].upper); }
  [[nodiscard]] std::size_t size() const { return specs_.size(); }
  void values(const VectorXd& point, std::vector<double>& out) const {
    for (std::size_t i = 0; i < size(); ++i) out[i] = to(i, point[static_cast<Index>(i)]);
  }

 private:
  [[nodiscard]] bool logarithmic(std::size_t i) const { return specs_[i].lower > 0.0; }
  std::span<const operators::CoefficientSpec> specs_;
};

class Search {
 public:
  Search(const Coordinates& coordinates, std::span<const double> measured,
         const Prediction& predict, double scale)
      : coordinates_(coordinates),
        measured_(measured),
        predict_(predict),
        scale_(scale),
        values_(coordinates.size()),
        predicted_(measured.size()) {}

  /// Residuals at `point` and the mean loss; infinite where a prediction is not positive.
  double evaluate(const VectorXd& point, VectorXd& residuals) {
    coordinates_.values(point, values_);
    predict_(values_, predicted_);
    double loss = 0;
    for (std::size_t i = 0; i < measured_.size(); ++i) {
      if (!(predicted_[i] > 0.0) || !std::isfinite(predicted_[i])) return kInfinity;
      const double r = std::log(predicted_[i] / measured_[i]);
      residuals[static_cast<Index>(i)] = r;
      loss += scale_ * scale_ * (std::sqrt(1.0 + (r / scale_) * (r / scale_)) - 1.0);
    }
    return loss / static_cast<double>(measured_.size());
  }

  FitResult descend(VectorXd point, int iterations) {
    const auto rows = static_cast<Index>(measured_.size());
    const auto columns = static_cast<Index>(coordinates_.size());
    VectorXd residuals(rows);
    VectorXd trial_residuals(rows);
    MatrixXd jacobian(rows, columns);
    double loss = evaluate(point, residuals);
    if (loss == kInfinity) return {.coefficients = {}, .loss = kInfinity};
    double damping = 1e-2;
    constexpr double kMostDamping = 1e8;
    for (int step = 0; step < iterations && damping < kMostDamping; ++step) {
      differentiate(point, residuals, trial_residuals, jacobian);
      const VectorXd weights = residuals.unaryExpr(
          [&](double r) { return 1.0 / std::sqrt(1.0 + (r / scale_) * (r / scale_)); });
      const MatrixXd weighted = weights.asDiagonal() * jacobian;
      const MatrixXd normal = jacobian.transpose() * weighted;
      const VectorXd gradient = weighted.transpose() * residuals;
      bool improved = false;
      while (!improved && damping < kMostDamping) {
        MatrixXd damped = normal;
        for (Index i = 0; i < columns; ++i) damped(i, i) += damping * (normal(i, i) + 1e-9);
        const VectorXd trial = bounded(point - damped.ldlt().solve(gradient));
        const double trial_loss = evaluate(trial, trial_residuals);
        if (trial_loss < loss) {
          improved = true;
          const double gain = (loss - trial_loss) / loss;
          point = trial;
          loss = trial_loss;
          residuals.swap(trial_residuals);
          damping = std::max(damping * 0.3, 1e-9);
          constexpr double kConverged = 1e-6;
          if (gain < kConverged) damping = kMostDamping;
        } else {
          damping *= 4.0;
        }
      }
    }
    FitResult result{.coefficients = std::vector<double>(coordinates_.size()), .loss = loss};
    coordinates_.values(point, result.coefficients);
    return result;
  }

  /// Puts coefficients that no row depends on back to their start: random starts moved them.
  void settle(std::span<const operators::CoefficientSpec> specs, FitResult& best) {
    VectorXd residuals(static_cast<Index>(measured_.size()));
    VectorXd point(static_cast<Index>(specs.size()));
    for (std::size_t i = 0; i < specs.size(); ++i) {
      point[static_cast<Index>(i)] = coordinates_.from(i, best.coefficients[i]);
    }
    const double reached = evaluate(point, residuals);
    for (std::size_t i = 0; i < specs.size(); ++i) {
      const auto c = static_cast<Index>(i);
      const double fitted = point[c];
      point[c] = coordinates_.from(i, specs[i].start);
      if (evaluate(point, residuals) == reached) {
        best.coefficients[i] = specs[i].start;
      } else {
        point[c] = fitted;
      }
    }
  }

 private:
  void differentiate(const VectorXd& point, const VectorXd& residuals, VectorXd& moved,
                     MatrixXd& jacobian) {
    constexpr double kStep = 1e-4;
    VectorXd shifted = point;
    for (Index i = 0; i < jacobian.cols(); ++i) {
      const auto c = static_cast<std::size_t>(i);
      const double span = std::max(coordinates_.high(c) - coordinates_.low(c), kStep);
      double step = kStep * std::min(span, 1.0);
      if (point[i] + step > coordinates_.high(c)) step = -step;
      shifted[i] = point[i] + step;
      if (evaluate(shifted, moved) == kInfinity) {
        jacobian.col(i).setZero();
      } else {
        jacobian.col(i) = (moved - residuals) / step;
      }
      shifted[i] = point[i];
    }
  }
  [[nodiscard]] VectorXd bounded(VectorXd point) const {
    for (Index i = 0; i < point.size(); ++i) {
      const auto c = static_cast<std::size_t>(i);
      point[i] = std::clamp(std::isfinite(point[i]) ? point[i] : coordinates_.low(c),
                            coordinates_.low(c), coordinates_.high(c));
    }
    return point;
  }

  const Coordinates& coordinates_;
  std::span<const double> measured_;
  const Prediction& predict_;
  double scale_;
  std::vector<double> values_;
  std::vector<double> predicted_;
};

}  // namespace

FitResult robust_fit(std::span<const operators::CoefficientSpec> specs,
                     std::span<const double> measured, const Prediction& predict,
                     const FitSettings& settings) {
  MOESIM_CHECK(!measured.empty(), "there is nothing to fit to");
  const Coordinates coordinates(specs);
  Search search(coordinates, measured, predict, settings.loss_scale);
  FitResult best{.coefficients = {}, .loss = kInfinity};
  for (int start = 0; start < settings.starts; ++start) {
    VectorXd point(static_cast<Index>(specs.size()));
    RandomStream random(1, "fit start", static_cast<std::uint64_t>(start));
    for (std::size_t i = 0; i < specs.size(); ++i) {
      double at = coordinates.from(i, specs[i].start);
      if (start > 0) {
        // Half way towards a random place between the bounds.
        const double low = coordinates.low(i);
        const double high = coordinates.high(i);
        at += 0.5 * (low + random.uniform() * (high - low) - at);
      }
      point[static_cast<Index>(i)] = at;
    }
    FitResult found = search.descend(std::move(point), settings.iterations);
    if (found.loss < best.loss) best = std::move(found);
  }
  if (best.loss < kInfinity) search.settle(specs, best);
  return best;
}

}  // namespace moesim::calibration
