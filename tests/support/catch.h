// One spelling for Catch2 v2 (Debian 12) and v3 (Debian 13).
#pragma once
#include <string>
#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers_all.hpp>
namespace moesim::test {
inline auto contains_text(const std::string& s) { return Catch::Matchers::ContainsSubstring(s); }
}  // namespace moesim::test
#else
#include <catch2/catch.hpp>
namespace moesim::test {
inline auto contains_text(const std::string& s) { return Catch::Matchers::Contains(s); }
}  // namespace moesim::test
#endif
namespace moesim::test {
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
}  // namespace moesim::test
