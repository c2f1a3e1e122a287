// Files of curves: what is written is read back, and every mistake is named with its place.
#include "scenario/curve_files.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/diagnostics.h"
#include "operators/coefficient.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/scenario/reading.h"

namespace moesim::scenario {
namespace {

std::span<const catalog::Gpu> gpus() { return test::shipped_catalog().gpus; }

std::string problems_of(const std::string& text) {
  try {
    static_cast<void>(parse_curves(text, "c.txtpb", gpus()));
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

catalog::Curve curve_of(const std::string& operation) {
  catalog::Curve curve{.key = {.operation = operation, .gpu = "H100-SXM"},
                       .coefficients = {},
                       .rows = 123,
                       .groups = 45,
                       .cross_validated = {.median = 0.05, .p90 = 0.2, .low = 0.8, .high = 1.25},
                       .transferred = {},
                       .source = "made up: \"quotes\", {braces} and µs"};
  for (const operators::CoefficientSpec& spec : operators::coefficients_of(operation)) {
    curve.coefficients.push_back({std::string(spec.name), spec.start});
  }
  return curve;
}

/// The text of one engine all-reduce curve with `from` replaced by `to`.
std::string changed(const std::string& from, const std::string& to) {
  std::string text = curves_text(std::vector{curve_of("engine_all_reduce")});
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("curves come back from their file as they were") {
  for (const std::string_view operation : operators::curve_operations()) {
    INFO(operation);
    catalog::Curve first = curve_of(std::string(operation));
    catalog::Curve second = first;
    second.key.gpu = "B200";
    second.key.dtype = "fp8b";
    second.key.engine = "sglang";
    second.key.variant = "fp8 kv";
    second.transferred = catalog::ErrorBand{.median = 0.5, .p90 = 2, .low = 0.25, .high = 4};
    const std::string text = curves_text(std::vector{first, second});
    const std::vector<catalog::Curve> read = parse_curves(text, "c.txtpb", gpus());
    REQUIRE(read.size() == 2);
    CHECK(read[0].key == first.key);
    CHECK(read[1].key == second.key);
    CHECK(read[1].transferred == second.transferred);
    CHECK_FALSE(read[0].transferred.has_value());
    CHECK(read[0].cross_validated == first.cross_validated);
    CHECK(read[0].rows == 123);
    CHECK(read[0].groups == 45);
    CHECK(read[0].source == first.source);
    REQUIRE(read[0].coefficients.size() == first.coefficients.size());
    for (std::size_t i = 0; i < read[0].coefficients.size(); ++i) {
      CHECK(read[0].coefficients[i].name == first.coefficients[i].name);
      CHECK(read[0].coefficients[i].value == Approx(first.coefficients[i].value).epsilon(1e-5));
    }
    // Six digits are all there is: written again, the text is the same.
    CHECK(curves_text(read) == text);
  }
}

TEST_CASE("the shipped files are as the writer writes them") {
  const std::string folder = std::string(MOESIM_SOURCE_DIR) + "/scenarios/catalog/curves";
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".txtpb") continue;
    INFO(entry.path().string());
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::vector<catalog::Curve> curves = parse_curves(text, entry.path().string(), gpus());
    CHECK(curves_text(curves) == text);
    for (const catalog::Curve& curve : curves) {
      CHECK(curve.key.operation == entry.path().stem().string());
      CHECK_FALSE(curve.source.empty());
      CHECK(curve.rows >= static_cast<std::int64_t>(curve.coefficients.size()));
    }
    ++files;
  }
  CHECK(files == operators::curve_operations().size());
}

TEST_CASE("mistakes in a file of curves are named with their place") {
  const std::string first = std::string(operators::coefficients_of("engine_all_reduce")[0].name);
  CHECK(problems_of(changed("engine_all_reduce", "engine_allreduce")) ==
        "c.txtpb:2:3: error: curve[0].operation: is \"engine_allreduce\", which has no curves; did "
        "you mean \"engine_all_reduce\"?");
  CHECK(problems_of(changed("H100-SXM", "H100-SXN")) ==
        "c.txtpb:3:3: error: curve[0].gpu: \"H100-SXN\" is no GPU of the catalog; use its full "
        "name");
  CHECK(problems_of(changed("  rows", "  dtype: \"fp7\"\n  rows"))
            .find("curve[0].dtype: \"fp7\" is no number format of kernels") != std::string::npos);
  CHECK(problems_of(changed("\"" + first + "\"", "\"unheard_of\""))
            .find("coefficient: " + first + " is missing; fit the curve again") !=
        std::string::npos);
  CHECK(problems_of(changed("value: ", "value: 1e300 #")).find("c.txtpb:") == 0);
  CHECK(problems_of(changed("value: ", "value: nan #")).find("c.txtpb:") == 0);
  CHECK(problems_of(changed("value: ", "value: \"x\" #")).find("c.txtpb:") == 0);
  CHECK(problems_of(changed("rows: 123", "rows: -1")).find("curve[0].rows: ") != std::string::npos);
  CHECK(problems_of(changed("median: 0.05", "median: -0.05"))
            .find("curve[0].cross_validated.median: ") != std::string::npos);
  CHECK(problems_of(changed("rows", "lines")).find("c.txtpb:") == 0);
  const std::string one = curves_text(std::vector{curve_of("engine_all_reduce")});
  CHECK(problems_of(one + one).find(
            "curve[1]: is the same operation, GPU, dtype, engine and variant as an earlier one") !=
        std::string::npos);
  CHECK(problems_of("curve {\n").find("c.txtpb:2:") == 0);
  CHECK(problems_of(std::string("curve {\0}", 9)).find("c.txtpb:1:") == 0);
}

TEST_CASE("a folder of curves names the file that is wrong") {
  const test::TemporaryDirectory folder;
  folder.write("a.txtpb", curves_text(std::vector{curve_of("engine_all_reduce")}));
  folder.write("notes.md", "not a curve");
  CHECK(read_curves(folder.path(), gpus()).curves().size() == 1);
  folder.write("b.txtpb", "curve {");
  CHECK_THROWS_WITH(read_curves(folder.path(), gpus()), Catch::Contains("b.txtpb:1:"));
  CHECK_THROWS_AS(read_curves(folder.file("none"), gpus()), IoError);
  CHECK_THROWS_AS(read_curve_file(folder.file("none.txtpb"), gpus()), IoError);
}

}  // namespace moesim::scenario
