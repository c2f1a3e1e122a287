#include "report/validation_report.h"

#include <fmt/format.h>

#include "report/message_json.h"
#include "report/number_text.h"
#include "report/text_layout.h"
#include "report/version.h"
#include "validation.pb.h"

namespace moesim::report {
namespace {

using calibration::ScoreLine;

constexpr std::size_t kNameWidth = 60;

std::string heading(std::string_view title) {
  return fmt::format("{} {:>8} {:>8} {:>8} {:>8}\n", left(title, kNameWidth), "rows", "median",
                     "p90", "bias");
}

std::string table_line(const std::string& name, const ScoreLine& line) {
  constexpr double kPercent = 100.0;
  return fmt::format("{} {:>8} {:>6.1f} % {:>6.1f} % {:>+6.1f} %\n", left(name, kNameWidth),
                     line.error.rows, kPercent * line.error.median, kPercent * line.error.p90,
                     kPercent * line.error.bias);
}

void fill(const ScoreLine& line, proto::KernelError& out) {
  out.set_operation(line.label);
  out.set_gpu(line.gpu);
  out.set_dtype(line.dtype);
  out.set_engine(line.engine);
  out.set_rows(line.error.rows);
  out.set_median(rounded(line.error.median));
  out.set_p90(rounded(line.error.p90));
  out.set_bias(rounded(line.error.bias));
  out.set_estimate(line.estimate);
}

}  // namespace

std::string validation_table(const KernelValidation& validation) {
  std::string out = fmt::format("Shipped curves against the measurements in {}: {} rows\n",
                                validation.data, validation.rows);
  if (validation.rows_without_curve > 0) {
    out += fmt::format("{} more rows have no curve and are not scored\n",
                       validation.rows_without_curve);
  }
  out +=
      "error: |predicted - measured| / measured; bias: median of predicted / measured, less 1\n\n";
  out += heading("All GPUs, formats and engines");
  for (const ScoreLine& line : validation.score.pooled) out += table_line("  " + line.label, line);
  std::string label;
  bool estimates = false;
  for (const ScoreLine& line : validation.score.lines) {
    if (line.label != label) out += "\n" + heading(line.label);
    label = line.label;
    estimates = estimates || line.estimate;
    out += table_line(fmt::format("  {:<14} {:<9} {}{}", line.gpu, line.dtype, line.engine,
                                  line.estimate ? " *" : ""),
                      line);
  }
  if (estimates) out += "\n* estimate: the curve of another GPU, format or engine\n";
  return out;
}

std::string validation_json(const KernelValidation& validation) {
  proto::KernelValidation message;
  message.set_version(version());
  message.set_data(validation.data);
  message.set_rows(validation.rows);
  message.set_rows_without_curve(validation.rows_without_curve);
  for (const ScoreLine& line : validation.score.pooled) fill(line, *message.add_pooled());
  for (const ScoreLine& line : validation.score.lines) fill(line, *message.add_line());
  return message_json(message);
}

}  // namespace moesim::report
