#include "scenario/curve_files.h"

#include <fmt/format.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <utility>

#include "calibration.pb.h"
#include "core/check.h"
#include "core/diagnostics.h"
#include "core/text.h"
#include "operators/coefficient.h"
#include "operators/kernel_format.h"
#include "scenario/catalog_fields.h"
#include "scenario/message_reader.h"
#include "scenario/syntax_errors.h"

namespace moesim::scenario {
namespace {

namespace fs = std::filesystem;
using google::protobuf::TextFormat;

constexpr double kMostError = 1e6;

catalog::ErrorBand convert_error(const MessageScope& scope) {
  return {.median = scope.real("median", 0.0, 0.0, kMostError, LowEnd::Included),
          .p90 = scope.real("p90", 0.0, 0.0, kMostError, LowEnd::Included),
          .low = scope.real("low", 1.0, 0.0, kMostError, LowEnd::Included),
          .high = scope.real("high", 1.0, 0.0, kMostError, LowEnd::Included)};
}

void convert_coefficients(const proto::Curve& message, const MessageScope& scope,
                          catalog::Curve& curve) {
  const auto specs = operators::coefficients_of(curve.key.operation);
  if (specs.empty()) {
    std::vector<std::string> names;
    for (const std::string_view name : operators::curve_operations()) names.emplace_back(name);
    const std::string near = nearest_name(curve.key.operation, names);
    scope.error(
        "operation", fmt::format("is \"{}\", which has no curves", curve.key.operation),
        near.empty() ? "see docs/formats/curves.md" : fmt::format("did you mean \"{}\"?", near));
    return;
  }
  for (const operators::CoefficientSpec& spec : specs) {
    int found = -1;
    for (int i = 0; i < message.coefficient_size(); ++i) {
      if (message.coefficient(i).name() != spec.name) continue;
      if (found >= 0) scope.error("coefficient", fmt::format("{} stands twice", spec.name));
      found = i;
    }
    if (found < 0) {
      scope.error("coefficient", fmt::format("{} is missing", spec.name), "fit the curve again");
      continue;
    }
    const double value = message.coefficient(found).value();
    // The text holds six digits: a coefficient at its bound may lie a rounding beyond it.
    const double slack = 1e-5 * std::max(std::abs(spec.lower), std::abs(spec.upper));
    if (!(value >= spec.lower - slack && value <= spec.upper + slack)) {
      scope.error("coefficient",
                  fmt::format("{} is {}, outside {} to {}", spec.name, format_number(value),
                              format_number(spec.lower), format_number(spec.upper)),
                  "fit the curve again");
      continue;
    }
    curve.coefficients.push_back(
        {std::string(spec.name), std::clamp(value, spec.lower, spec.upper)});
  }
  for (const proto::Coefficient& given : message.coefficient()) {
    const bool known = std::any_of(specs.begin(), specs.end(),
                                   [&](const auto& spec) { return spec.name == given.name(); });
    if (!known) {
      scope.error("coefficient",
                  fmt::format("{} has no coefficient \"{}\"", curve.key.operation, given.name()));
    }
  }
}

catalog::Curve convert_curve(const proto::Curve& message, const MessageScope& scope,
                             std::span<const catalog::Gpu> gpus) {
  constexpr std::int64_t kMostRows = std::int64_t{1} << 40;
  catalog::Curve curve{.key = {.operation = scope.required_text("operation"),
                               .gpu = scope.required_text("gpu"),
                               .dtype = scope.text("dtype"),
                               .engine = scope.text("engine"),
                               .variant = scope.text("variant")},
                       .coefficients = {},
                       .rows = scope.number("rows", 0, 0, kMostRows),
                       .groups = scope.number("groups", 0, 0, kMostRows),
                       .cross_validated = {},
                       .transferred = {},
                       .source = scope.text("source")};
  const bool known_gpu = std::any_of(
      gpus.begin(), gpus.end(), [&](const catalog::Gpu& gpu) { return gpu.name == curve.key.gpu; });
  if (!known_gpu) {
    scope.error("gpu", fmt::format("\"{}\" is no GPU of the catalog", curve.key.gpu),
                "use its full name");
  }
  if (!curve.key.dtype.empty() && !operators::kernel_format(curve.key.dtype)) {
    scope.error("dtype", fmt::format("\"{}\" is no number format of kernels", curve.key.dtype));
  }
  convert_coefficients(message, scope, curve);
  if (message.has_cross_validated()) {
    curve.cross_validated =
        convert_error(MessageScope(scope, message.cross_validated(), "cross_validated"));
  } else {
    scope.error("", "has no cross_validated", "fit the curve again");
  }
  if (message.has_transferred()) {
    curve.transferred = convert_error(MessageScope(scope, message.transferred(), "transferred"));
  }
  return curve;
}

std::vector<catalog::Curve> convert_file(const proto::CurveFile& file, Document& document,
                                         std::span<const catalog::Gpu> gpus) {
  const MessageScope root(document, file);
  std::vector<catalog::Curve> curves;
  for (int i = 0; i < file.curve_size(); ++i) {
    curves.push_back(
        convert_curve(file.curve(i), MessageScope(root, file.curve(i), "curve", i), gpus));
    for (int j = 0; j < i; ++j) {
      if (curves[static_cast<std::size_t>(j)].key == curves.back().key) {
        MessageScope(root, file.curve(i), "curve", i)
            .error("", "is the same operation, GPU, dtype, engine and variant as an earlier one");
      }
    }
  }
  return curves;
}

void read_text(const std::string& text, const std::string& name, std::span<const catalog::Gpu> gpus,
               std::vector<catalog::Curve>& all, std::vector<Diagnostic>& found) {
  Document document{.file = name};
  proto::CurveFile file;
  if (parse_text(text, document, nullptr, file)) {
    std::vector<catalog::Curve> curves = convert_file(file, document, gpus);
    if (document.diagnostics.empty()) {
      std::move(curves.begin(), curves.end(), std::back_inserter(all));
      return;
    }
    // Something is wrong: parse again, this time with the places of the fields.
    TextFormat::ParseInfoTree places;
    Document again{.file = name, .places = &places};
    proto::CurveFile second;
    static_cast<void>(parse_text(text, again, &places, second));
    static_cast<void>(convert_file(second, again, gpus));
    document = std::move(again);
  }
  found.insert(found.end(), document.diagnostics.begin(), document.diagnostics.end());
}

void write_error(const catalog::ErrorBand& band, proto::CurveError& out) {
  const auto digits = [](double value) { return std::stod(format_number(value)); };
  out.set_median(digits(band.median));
  out.set_p90(digits(band.p90));
  out.set_low(digits(band.low));
  out.set_high(digits(band.high));
}

}  // namespace

catalog::CurveSet read_curves(const std::string& directory, std::span<const catalog::Gpu> gpus) {
  std::vector<std::string> files;
  std::error_code problem;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, problem)) {
    if (entry.path().extension() == ".txtpb") files.push_back(entry.path().string());
  }
  if (problem) throw IoError("cannot read the folder of curves " + directory);
  std::sort(files.begin(), files.end());
  std::vector<catalog::Curve> curves;
  std::vector<Diagnostic> found;
  for (const std::string& path : files) {
    read_text(read_file(path, kMaxInputBytes), path, gpus, curves, found);
  }
  if (!found.empty()) throw InputError(std::move(found));
  return {std::move(curves), gpus};
}

std::vector<catalog::Curve> parse_curves(const std::string& text, const std::string& name,
                                         std::span<const catalog::Gpu> gpus) {
  std::vector<catalog::Curve> curves;
  std::vector<Diagnostic> found;
  read_text(text, name, gpus, curves, found);
  if (!found.empty()) throw InputError(std::move(found));
  return curves;
}

std::vector<catalog::Curve> read_curve_file(const std::string& path,
                                            std::span<const catalog::Gpu> gpus) {
  return parse_curves(read_file(path, kMaxInputBytes), path, gpus);
}

std::string curves_text(std::span<const catalog::Curve> curves) {
  proto::CurveFile file;
  for (const catalog::Curve& curve : curves) {
    proto::Curve& out = *file.add_curve();
    out.set_operation(curve.key.operation);
    out.set_gpu(curve.key.gpu);
    if (!curve.key.dtype.empty()) out.set_dtype(curve.key.dtype);
    if (!curve.key.engine.empty()) out.set_engine(curve.key.engine);
    if (!curve.key.variant.empty()) out.set_variant(curve.key.variant);
    for (const catalog::NamedCoefficient& coefficient : curve.coefficients) {
      proto::Coefficient& named = *out.add_coefficient();
      named.set_name(coefficient.name);
      named.set_value(std::stod(format_number(coefficient.value)));
    }
    out.set_rows(curve.rows);
    out.set_groups(curve.groups);
    write_error(curve.cross_validated, *out.mutable_cross_validated());
    if (curve.transferred) write_error(*curve.transferred, *out.mutable_transferred());
    out.set_source(curve.source);
  }
  TextFormat::Printer printer;
  printer.SetUseShortRepeatedPrimitives(true);
  printer.SetUseUtf8StringEscaping(true);
  std::string text;
  MOESIM_CHECK(printer.PrintToString(file, &text), "curves cannot be printed");
  // One line per coefficient and per band instead of four.
  for (const char* name : {"coefficient", "cross_validated", "transferred"}) {
    const std::string open = fmt::format("  {} {{\n", name);
    for (std::size_t at = text.find(open); at != std::string::npos; at = text.find(open, at + 1)) {
      const std::size_t end = text.find("  }\n", at);
      std::string body = text.substr(at + open.size(), end - at - open.size());
      std::replace(body.begin(), body.end(), '\n', ' ');
      std::string joined;
      for (const char c : body) {
        if (c != ' ' || (!joined.empty() && joined.back() != ' ')) joined += c;
      }
      text.replace(at, end + 4 - at, fmt::format("  {} {{ {}}}\n", name, joined));
    }
  }
  return text;
}

}  // namespace moesim::scenario
