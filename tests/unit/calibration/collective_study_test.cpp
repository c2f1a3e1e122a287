#include <cmath>
#include <string>
#include <vector>

#include "calibration/cross_validation.h"
#include "calibration/deepep_study.h"
#include "calibration/engine_all_reduce_study.h"
#include "calibration/nccl_study.h"
#include "calibration/nvlink_all_to_all_study.h"
#include "calibration/uniform_copies.h"
#include "core/diagnostics.h"
#include "operators/nccl_curve.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::calibration {
namespace {
using namespace moesim::literals;
using moesim::test::contains_text;
using moesim::test::WithinRel;

std::vector<double> starts(const Study& study) {
  std::vector<double> values;
  for (const operators::CoefficientSpec& spec : study.coefficients()) values.push_back(spec.start);
  return values;
}

/// Predictions of all samples, curve by curve, under the specs' starts, in microseconds.
std::vector<double> predictions(const Study& study) {
  std::vector<double> all;
  const std::vector<double> values = starts(study);
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(study.samples().size()); ++i) {
    const std::vector<std::int32_t> one{i};
    std::vector<double> predicted(1);
    study.predict(one, values, predicted);
    all.push_back(predicted.front() * 1e6);
  }
  return all;
}

TEST_CASE("uniform copies: chances of a draw without replacement", "[calibration][oracle]") {
  // Four experts, two picks: half of them are missed with chance 2/4 * 1/3 = 1/6.
  CHECK_THAT(touched(4, 2.0, 2), WithinRel(5.0 / 6.0, 1e-12));
  // More picks than the rest holds: certain.
  CHECK_THAT(touched(4, 3.0, 2), WithinRel(1.0, 1e-12));
}

TEST_CASE("uniform copies: two nodes of two ranks, an expert each", "[calibration][oracle]") {
  const ExchangeGroup group{.nodes = 2, .ranks_per_node = 2, .experts = 4, .top_k = 2};
  // A rank is hit with chance 1/2, a node with 5/6. In each node one rank has the token already.
  const Copies once = deduplicated_copies(group);
  CHECK_THAT(once.scale_up, WithinRel(1.0, 1e-12));
  CHECK_THAT(once.network, WithinRel(5.0 / 6.0, 1e-12));
  // Two picks over four ranks: one in the own node, of it half at home.
  const Copies each = copies_per_pick(group);
  CHECK_THAT(each.scale_up, WithinRel(0.5, 1e-12));
  CHECK_THAT(each.network, WithinRel(1.0, 1e-12));
  // Dealt out, eight picks reach four ranks once each, sixteen ranks eight times.
  CHECK_THAT(dealt_copies(4, 8).scale_up, WithinRel(3.0, 1e-12));
  CHECK_THAT(dealt_copies(16, 8).scale_up, WithinRel(7.5, 1e-12));
}

TEST_CASE("NcclStudy: reads operations, groups and sizes", "[calibration]") {
  const catalog::Gpu gpu = test::toy_gpu();
  NcclStudy study;
  study.read(CsvTable::parse("op,gpus,bytes,us\n"
                             "all_gather,2,512,5.3\n"
                             "all_gather,2,1024,5.4\n"
                             "all_reduce,8,512,16\n",
                             "toy.csv"),
             {.folder = "nccl", .gpu = &gpu, .engine = "nccl"});
  REQUIRE(study.samples().size() == 3);
  CHECK(study.curves().size() == 1);
  CHECK(study.samples()[0].group == study.samples()[1].group);
  CHECK(study.samples()[0].group != study.samples()[2].group);
  CHECK_THAT(study.samples()[0].measured, WithinRel(5.3e-6, 1e-12));
  const operators::NcclCurve curve(operators::scale_up_link(gpu), starts(study));
  CHECK_THAT(predictions(study)[2],
             WithinRel(curve.time(operators::CollectiveOp::AllReduce, 8, 512_B) / 1.0_us, 1e-12));
}

TEST_CASE("NcclStudy: refuses what is not a collective", "[calibration]") {
  const catalog::Gpu gpu = test::toy_gpu();
  NcclStudy study;
  const TableOrigin origin{.folder = "nccl", .gpu = &gpu, .engine = "nccl"};
  const auto message = [&](const std::string& text) {
    try {
      study.read(CsvTable::parse(text, "toy.csv"), origin);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  CHECK_THAT(message("op,gpus,bytes,us\nscatter,2,512,5\n"), contains_text("toy.csv:2"));
  CHECK_THAT(message("op,gpus,bytes\nall_gather,2,512\n"), contains_text("us"));
  CHECK_THAT(message("op,gpus,bytes,us\nall_gather,1,512,5\n"), contains_text("gpus"));
  CHECK_THAT(message("op,gpus,bytes,us\nall_gather,2,many,5\n"), contains_text("bytes"));
}

TEST_CASE("EngineAllReduceStudy: an engine has its own curve", "[calibration]") {
  const catalog::Gpu gpu = test::toy_gpu();
  EngineAllReduceStudy study;
  const CsvTable table = CsvTable::parse("gpus,bytes,us\n4,1024,5\n8,1024,6\n", "toy.csv");
  study.read(table, {.folder = "allreduce_custom", .gpu = &gpu, .engine = "sglang"});
  study.read(table, {.folder = "allreduce_custom", .gpu = &gpu, .engine = "trtllm"});
  CHECK(study.curves().size() == 2);
  CHECK(study.samples().size() == 4);
  for (const double us : predictions(study)) CHECK(us > 1.0);
}

TEST_CASE("DeepEP studies: dispatch and combine are curves of their own", "[calibration][oracle]") {
  const catalog::Gpu gpu = test::toy_gpu();
  DeepEpLowLatencyStudy study;
  study.read(CsvTable::parse("nodes,hidden,topk,experts,tokens_per_rank,dispatch_us,combine_us\n"
                             "1,1024,8,64,100,20,30\n"
                             "2,1024,8,64,100,40,50\n",
                             "toy.csv"),
             {.folder = "deepep_low_latency", .gpu = &gpu, .engine = "deepep-9"});
  REQUIRE(study.samples().size() == 4);
  REQUIRE(study.curves().size() == 2);
  CHECK(study.curves()[0].variant == "dispatch");
  CHECK(study.curves()[0].engine == "deepep");
  // Combine between nodes: half of 800 copies of 2048 B pass a NIC of 10 GB/s, 81.92 us.
  CHECK(predictions(study)[3] > 81.92 / 0.9);
  CHECK(study.samples()[0].family != study.samples()[1].family);

  DeepEpNormalStudy normal;
  normal.read(CsvTable::parse(
                  "nodes,hidden,topk,experts,sms,tokens_per_rank,dispatch_us,dispatch_notify_us,"
                  "combine_us,combine_notify_us\n"
                  "1,1024,8,64,8,100,20,0,30,0\n"
                  "1,1024,8,64,24,100,20,0,30,0\n",
                  "toy.csv"),
              {.folder = "deepep_normal", .gpu = &gpu, .engine = "deepep-9"});
  REQUIRE(normal.samples().size() == 4);
  CHECK(predictions(normal)[0] > predictions(normal)[1]);
  CHECK_THROWS_AS(
      normal.read(CsvTable::parse("nodes,hidden,topk,experts,sms,tokens_per_rank,dispatch_us,"
                                  "combine_us\n1,1024,8,4,8,100,20,30\n",
                                  "toy.csv"),
                  {.folder = "deepep_normal", .gpu = &gpu, .engine = "deepep-9"}),
      InputError);
}

TEST_CASE("NvlinkAllToAllStudy: a curve per phase and kernel, formats by their bytes",
          "[calibration]") {
  const catalog::Gpu gpu = test::toy_gpu();
  const TableOrigin origin{.folder = "nvlink_alltoall", .gpu = &gpu, .engine = "trtllm"};
  NvlinkAllToAllStudy study;
  study.read(CsvTable::parse("phase,kernel,dtype,hidden,topk,experts,ep,tokens_per_rank,us\n"
                             "dispatch,NVLinkTwoSided,bf16,7168,8,256,8,4096,800\n"
                             "dispatch,NVLinkTwoSided,nvfp4,7168,8,256,8,4096,250\n"
                             "combine,NVLinkOneSided,nvfp4,7168,8,256,8,4096,660\n",
                             "toy.csv"),
             origin);
  REQUIRE(study.curves().size() == 2);
  CHECK(study.curves()[0].variant == "dispatch_two_sided");
  CHECK(study.curves()[1].variant == "combine_one_sided");
  CHECK(predictions(study)[0] > predictions(study)[1]);
  CHECK_THROWS_AS(
      study.read(CsvTable::parse("phase,kernel,dtype,hidden,topk,experts,ep,tokens_per_rank,us\n"
                                 "dispatch,Pigeons,bf16,7168,8,256,8,4096,800\n",
                                 "toy.csv"),
                 origin),
      InputError);
}

TEST_CASE("NcclStudy: a fit finds the curve that made the rows", "[calibration]") {
  const catalog::Gpu gpu = test::toy_gpu();
  std::vector<double> truth = starts(NcclStudy());
  truth[0] = 4.0;
  truth[1] = 0.7;
  truth[8] = 0.8;
  const operators::NcclCurve curve(operators::scale_up_link(gpu), truth);
  std::string text = "op,gpus,bytes,us\n";
  for (const int gpus : {2, 4, 8}) {
    for (double bytes = 512; bytes < 1e9; bytes *= 4) {
      for (const bool reduce : {false, true}) {
        const auto op =
            reduce ? operators::CollectiveOp::AllReduce : operators::CollectiveOp::AllGather;
        text += (reduce ? "all_reduce," : "all_gather,") + std::to_string(gpus) + "," +
                std::to_string(static_cast<std::int64_t>(bytes)) + "," +
                std::to_string(curve.time(op, gpus, bytes * kByte) / 1.0_us) + "\n";
      }
    }
  }
  NcclStudy study;
  study.read(CsvTable::parse(text, "toy.csv"), {.folder = "nccl", .gpu = &gpu, .engine = "nccl"});
  const FittedStudy fitted = fit_study(study, {});
  REQUIRE(fitted.curves.size() == 1);
  CHECK(fitted.curves[0].groups == 6);
  for (std::size_t i = 0; i < study.samples().size(); ++i) {
    CHECK_THAT(fitted.fitted[i], WithinRel(study.samples()[i].measured, 0.02));
  }
  CHECK(fitted.curves[0].cross_validated.median < 0.05);
}

}  // namespace
}  // namespace moesim::calibration
