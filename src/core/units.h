// Physical quantities whose units the compiler checks; they cost nothing at run time.
//
// Base units: second, byte, flop, US dollar, token. `Bytes / BytesPerSecond` is `Seconds`;
// `Bytes + Seconds` does not compile. Construct by literal (`80_GiB`, `900_GBps`) or by
// `n * kByte`; read back by dividing (`t / 1.0_us`).
// GB is 10^9 B, GiB is 2^30 B, Gb is 10^9 bit; the three are never mixed.
// Layer: core.
#pragma once

#include <compare>

namespace moesim {

/// A double tagged with the exponents of second, byte, flop, dollar, token and joule.
template <int S, int B, int F, int D, int T, int J = 0>
class Quantity {
 public:
  constexpr Quantity() = default;
  /// Value in base units (s, B, flop, USD, token, J). For `core`, `report` and unit factories only.
  [[nodiscard]] static constexpr Quantity from_base(double value) {
    Quantity q;
    q.value_ = value;
    return q;
  }
  [[nodiscard]] constexpr double base() const { return value_; }

  friend constexpr auto operator<=>(Quantity, Quantity) = default;
  constexpr Quantity& operator+=(Quantity o) {
    value_ += o.value_;
    return *this;
  }
  constexpr Quantity& operator-=(Quantity o) {
    value_ -= o.value_;
    return *this;
  }
  constexpr Quantity& operator*=(double x) {
    value_ *= x;
    return *this;
  }
  constexpr Quantity& operator/=(double x) {
    value_ /= x;
    return *this;
  }
  friend constexpr Quantity operator+(Quantity a, Quantity b) {
    return from_base(a.value_ + b.value_);
  }
  friend constexpr Quantity operator-(Quantity a, Quantity b) {
    return from_base(a.value_ - b.value_);
  }
  friend constexpr Quantity operator-(Quantity a) { return from_base(-a.value_); }
  friend constexpr Quantity operator*(Quantity a, double x) { return from_base(a.value_ * x); }
  friend constexpr Quantity operator*(double x, Quantity a) { return from_base(x * a.value_); }
  friend constexpr Quantity operator/(Quantity a, double x) { return from_base(a.value_ / x); }

 private:
  double value_ = 0.0;
};

template <int S1, int B1, int F1, int D1, int T1, int J1, int S2, int B2, int F2, int D2, int T2,
          int J2>
constexpr auto operator*(Quantity<S1, B1, F1, D1, T1, J1> a, Quantity<S2, B2, F2, D2, T2, J2> b) {
  if constexpr (S1 + S2 == 0 && B1 + B2 == 0 && F1 + F2 == 0 && D1 + D2 == 0 && T1 + T2 == 0 &&
                J1 + J2 == 0) {
    return a.base() * b.base();
  } else {
    return Quantity<S1 + S2, B1 + B2, F1 + F2, D1 + D2, T1 + T2, J1 + J2>::from_base(a.base() *
                                                                                     b.base());
  }
}

template <int S1, int B1, int F1, int D1, int T1, int J1, int S2, int B2, int F2, int D2, int T2,
          int J2>
constexpr auto operator/(Quantity<S1, B1, F1, D1, T1, J1> a, Quantity<S2, B2, F2, D2, T2, J2> b) {
  if constexpr (S1 == S2 && B1 == B2 && F1 == F2 && D1 == D2 && T1 == T2 && J1 == J2) {
    return a.base() / b.base();
  } else {
    return Quantity<S1 - S2, B1 - B2, F1 - F2, D1 - D2, T1 - T2, J1 - J2>::from_base(a.base() /
                                                                                     b.base());
  }
}

template <int S, int B, int F, int D, int T, int J>
constexpr auto operator/(double x, Quantity<S, B, F, D, T, J> q) {
  return Quantity<-S, -B, -F, -D, -T, -J>::from_base(x / q.base());
}

using Seconds = Quantity<1, 0, 0, 0, 0>;
using Bytes = Quantity<0, 1, 0, 0, 0>;
using Flops = Quantity<0, 0, 1, 0, 0>;  ///< A number of floating-point operations.
using Dollars = Quantity<0, 0, 0, 1, 0>;
using Tokens = Quantity<0, 0, 0, 0, 1>;
using Joules = Quantity<0, 0, 0, 0, 0, 1>;
using BytesPerSecond = Quantity<-1, 1, 0, 0, 0>;
using FlopsPerSecond = Quantity<-1, 0, 1, 0, 0>;
using PerSecond = Quantity<-1, 0, 0, 0, 0>;
using TokensPerSecond = Quantity<-1, 0, 0, 0, 1>;
using DollarsPerSecond = Quantity<-1, 0, 0, 1, 0>;
using DollarsPerToken = Quantity<0, 0, 0, 1, -1>;
using BytesPerToken = Quantity<0, 1, 0, 0, -1>;
using Watts = Quantity<-1, 0, 0, 0, 0, 1>;

inline constexpr Seconds kSecond = Seconds::from_base(1.0);
inline constexpr Bytes kByte = Bytes::from_base(1.0);
inline constexpr Flops kFlop = Flops::from_base(1.0);
inline constexpr Dollars kDollar = Dollars::from_base(1.0);
inline constexpr Tokens kToken = Tokens::from_base(1.0);
inline constexpr Watts kWatt = Watts::from_base(1.0);

inline namespace literals {
// One line per unit: name, factor to the base unit.
#define MOESIM_UNIT(Type, suffix, factor)                      \
  constexpr Type operator""_##suffix(long double v) {          \
    return Type::from_base(static_cast<double>(v) * (factor)); \
  }                                                            \
  constexpr Type operator""_##suffix(unsigned long long v) {   \
    return Type::from_base(static_cast<double>(v) * (factor)); \
  }
MOESIM_UNIT(Seconds, s, 1.0)
MOESIM_UNIT(Seconds, ms, 1e-3)
MOESIM_UNIT(Seconds, us, 1e-6)
MOESIM_UNIT(Seconds, ns, 1e-9)
MOESIM_UNIT(Seconds, h, 3600.0)
MOESIM_UNIT(Bytes, B, 1.0)
MOESIM_UNIT(Bytes, kB, 1e3)
MOESIM_UNIT(Bytes, MB, 1e6)
MOESIM_UNIT(Bytes, GB, 1e9)
MOESIM_UNIT(Bytes, TB, 1e12)
MOESIM_UNIT(Bytes, KiB, 1024.0)
MOESIM_UNIT(Bytes, MiB, 1048576.0)
MOESIM_UNIT(Bytes, GiB, 1073741824.0)
MOESIM_UNIT(BytesPerSecond, Bps, 1.0)
MOESIM_UNIT(BytesPerSecond, MBps, 1e6)
MOESIM_UNIT(BytesPerSecond, GBps, 1e9)
MOESIM_UNIT(BytesPerSecond, TBps, 1e12)
MOESIM_UNIT(BytesPerSecond, Gbitps, 1e9 / 8.0)
MOESIM_UNIT(FlopsPerSecond, GFLOPs, 1e9)
MOESIM_UNIT(FlopsPerSecond, TFLOPs, 1e12)
MOESIM_UNIT(FlopsPerSecond, PFLOPs, 1e15)
MOESIM_UNIT(Dollars, USD, 1.0)
MOESIM_UNIT(DollarsPerSecond, USDph, 1.0 / 3600.0)
MOESIM_UNIT(Watts, W, 1.0)
MOESIM_UNIT(Watts, kW, 1e3)
MOESIM_UNIT(PerSecond, per_s, 1.0)
#undef MOESIM_UNIT
}  // namespace literals

}  // namespace moesim
