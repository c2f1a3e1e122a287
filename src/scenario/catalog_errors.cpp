// Errors of predictions: messages in, checked entries out, and back into text.
#include "scenario/catalog_errors.h"

#include <fmt/format.h>

#include "catalog.pb.h"
#include "scenario/catalog_convert.h"
#include "scenario/message_reader.h"

namespace moesim::scenario {
namespace {

constexpr double kMostRatio = 1e6;

}  // namespace

catalog::ScoredFigure convert_prediction_error(const proto::PredictionError& message,
                                               const MessageScope& scope) {
  catalog::ScoredFigure scored;
  scored.row = scope.required_text("row");
  if (!message.has_figure()) scope.error("", "has no figure", "THROUGHPUT, TTFT or TPOT");
  if (message.figure() == proto::PredictionError::TTFT) scored.figure = catalog::Figure::Ttft;
  if (message.figure() == proto::PredictionError::TPOT) scored.figure = catalog::Figure::Tpot;
  scored.situation = {.engine = scope.required_text("engine"),
                      .architecture = scope.text("architecture"),
                      .moe = message.moe(),
                      .many_nodes = message.many_nodes()};
  scored.ratio = scope.required_real("ratio", 0.0, kMostRatio);
  return scored;
}

std::string errors_text(std::span<const catalog::ScoredFigure> scored) {
  std::string text =
      "# How far predictions lie from published measurements (scenarios/validation), for the\n"
      "# intervals of reports. Written by: moesim validate --format errors\n"
      "# proto-file: proto/catalog.proto\n# proto-message: moesim.proto.CatalogFile\n";
  for (const catalog::ScoredFigure& each : scored) {
    proto::PredictionError out;
    out.set_row(each.row);
    out.set_figure(proto::PredictionError::THROUGHPUT);
    if (each.figure == catalog::Figure::Ttft) out.set_figure(proto::PredictionError::TTFT);
    if (each.figure == catalog::Figure::Tpot) out.set_figure(proto::PredictionError::TPOT);
    out.set_engine(each.situation.engine);
    out.set_architecture(each.situation.architecture);
    if (each.situation.moe) out.set_moe(true);
    if (each.situation.many_nodes) out.set_many_nodes(true);
    out.set_ratio(std::stod(fmt::format("{:.4g}", each.ratio)));
    text += fmt::format("prediction_error {{ {} }}\n", out.ShortDebugString());
  }
  return text;
}

}  // namespace moesim::scenario
