// `moesim compare` and `moesim sweep` from the command line to the files.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "cli/compare_command.h"
#include "cli/simulate_command.h"
#include "cli/sweep_command.h"
#include "core/diagnostics.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/toy_scenario.h"

namespace moesim::cli {
namespace {

using moesim::test::contains_text;
using Folder = moesim::test::TemporaryDirectory;
namespace fs = std::filesystem;

std::string read(const std::string& path) {
  std::ifstream in(path);
  REQUIRE(in);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

struct Answer {
  int code = 0;
  std::string text;
};

Answer ask(Verb verb, Arguments arguments) {
  arguments.emplace_back("--quiet");
  std::ostringstream out;
  const int code = verb(arguments, out);
  return {code, out.str()};
}

std::string scenario_text(const std::string& layout, const std::string& model) {
  return "model: \"" + model + "\" cluster { gpu: \"H100-SXM\" gpus_per_node: 8 } deployment { " +
         layout +
         " } workload { arrivals { poisson {} } rate: \"20 req/s\" input { fixed_tokens: 64 } "
         "output { fixed_tokens: 4 } } pricing { gpu_price: \"2 USD/h\" } "
         "simulation { max_requests: 8 }";
}

/// The value of `key` in JSON, without quotes and comma; the last one.
std::string last_value(const std::string& json, const std::string& key) {
  const std::string label = "\"" + key + "\": \"";
  const std::size_t at = json.rfind(label);
  REQUIRE(at != std::string::npos);
  const std::size_t from = at + label.size();
  return json.substr(from, json.find('"', from) - from);
}

const std::string kMixtral = "Mixtral-8x7B-v0.1";
const std::string kBigDense = "Llama-3.1-405B";

TEST_CASE("compare: puts two deployments beside each other", "[cli]") {
  const Folder folder;
  const std::string a = folder.write("a.txtpb", scenario_text("tp: 4", kMixtral));
  const std::string b = folder.write("b.txtpb", scenario_text("tp: 8", kMixtral));
  const Answer table = ask(run_compare, {a, b});
  CHECK(table.code == kDone);
  CHECK_THAT(table.text, contains_text("tp8 pp1 dp1 ep8 x1"));
  CHECK_THAT(table.text, contains_text("x2"));
  CHECK(ask(run_compare, {a, b, "--jobs", "1"}).text == ask(run_compare, {a, b, "-j", "4"}).text);

  const std::string out = folder.file("out");
  const Answer json = ask(run_compare, {a, b, "-o", out, "--format", "json"});
  CHECK(json.text == read(out + "/comparison.json"));
  CHECK(read(out + "/comparison.txt") == table.text);
  CHECK_THROWS_WITH(ask(run_compare, {a, b, "-o", out}), contains_text("--overwrite"));
  CHECK(ask(run_compare, {a, b, "-o", out, "--overwrite"}).code == kDone);
}

TEST_CASE("compare: what does not fit is a column, none at all is exit 3", "[cli]") {
  const Folder folder;
  const std::string fits = folder.write("fits.txtpb", scenario_text("tp: 4", kMixtral));
  const std::string not_this = folder.write("big.txtpb", scenario_text("tp: 8", kBigDense));
  const Answer both = ask(run_compare, {fits, not_this});
  CHECK(both.code == kDone);
  CHECK_THAT(both.text, contains_text("big does not fit: the weights alone"));
  CHECK(ask(run_compare, {not_this, not_this}).code == kDoesNotFit);
}

TEST_CASE("compare: other demand is pointed out", "[cli]") {
  const Folder folder;
  const std::string a = folder.write("a.txtpb", scenario_text("tp: 4", kMixtral));
  const std::string b =
      folder.write("b.txtpb", scenario_text("tp: 4", kMixtral) + " slo { ttft: \"1 s\" }");
  CHECK_THAT(ask(run_compare, {a, b}).text,
             contains_text("goodput is counted by different limits"));
}

TEST_CASE("compare: variants of one scenario, the same for any number of threads", "[cli]") {
  const Folder folder;
  const std::string a = folder.write("a.txtpb", scenario_text("tp: 4", kMixtral));
  const Arguments vary = {a, "--vary", "deployment.engine=vLLM,SGLang", "--replications", "3"};
  const auto with = [&](const Arguments& more) {
    Arguments all = vary;
    all.insert(all.end(), more.begin(), more.end());
    return ask(run_compare, all).text;
  };
  const std::string table = with({"-j", "1"});
  CHECK(table == with({"-j", "4"}));
  CHECK_THAT(table, contains_text("varied      deployment.engine"));
  CHECK_THAT(table, contains_text("difference from vLLM"));
  CHECK_THAT(table, contains_text("settled     SGLang"));
  const std::string json = with({"--format", "json"});
  CHECK(json == with({"--format", "json", "-j", "4"}));
  CHECK_THAT(json, contains_text("\"survives\""));
  CHECK_THAT(json, contains_text("\"varied_values\""));
  // A variant runs as the file with the same setting does.
  const std::string alone =
      ask(run_simulate, {a, "--set", "deployment.engine=SGLang", "--format", "json"}).text;
  CHECK_THAT(json, contains_text(last_value(alone, "fingerprint")));
  // Replications are runs of another seed.
  const std::string once =
      ask(run_compare, {a, "--vary", "deployment.tp=4,8", "--replications", "1"}).text;
  CHECK(once.find("intervals") == std::string::npos);
  CHECK_THAT(once, contains_text("tp=4"));
}

TEST_CASE("compare: mistakes of --vary and --replications", "[cli]") {
  const Folder folder;
  const std::string a = folder.write("a.txtpb", scenario_text("tp: 4", kMixtral));
  const auto told = [&](const Arguments& more) -> std::string {
    Arguments all = {a};
    all.insert(all.end(), more.begin(), more.end());
    try {
      (void)ask(run_compare, all);
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  };
  const std::string unknown = told({"--vary", "deployment.engin=vLLM,SGLang"});
  CHECK_THAT(unknown, contains_text("--vary deployment.engin"));
  CHECK_THAT(unknown, contains_text("is no field of the schema"));
  CHECK(std::count(unknown.begin(), unknown.end(), '\n') == 0);  // Said once.
  CHECK_THAT(told({"--vary", "deployment.engine=vLLM,vLLLM"}), contains_text("vLLLM"));
  CHECK_THAT(told({"--vary", "deployment.tp="}), contains_text("names no values"));
  CHECK_THAT(told({a, "--vary", "deployment.tp=2,4"}), contains_text("takes one scenario, got 2"));
  CHECK_THAT(told({"--vary", "deployment.tp=2,4", "--set", "deployment.tp=8"}),
             contains_text("--set deployment.tp=8 sets the same field"));
  CHECK_THAT(told({"--vary", "simulation.seed=1,2"}), contains_text("use --replications"));
  for (const char* count : {"0", "-1", "1001"}) {
    CHECK_THAT(told({a, "--replications", count}), contains_text("must lie within 1..1000"));
  }
  CHECK_THAT(told({a, "--replications", "many"}), contains_text("replications"));
}

TEST_CASE("compare: mistakes of all files come at once", "[cli]") {
  const Folder folder;
  const std::string a = folder.write("a.txtpb", scenario_text("tp: 3", kMixtral));
  const std::string b = folder.write("b.txtpb", scenario_text("tp: 4", "Mixtral-9x7B"));
  try {
    (void)ask(run_compare, {a, b});
    FAIL("accepted");
  } catch (const InputError& error) {
    CHECK_THAT(error.what(), contains_text("a.txtpb"));
    CHECK_THAT(error.what(), contains_text("b.txtpb"));
  }
  CHECK_THROWS_WITH(ask(run_compare, {}), contains_text("no scenario file given"));
  CHECK_THROWS_WITH(ask(run_compare, {a}), contains_text("nothing to be compared with"));
}

TEST_CASE("sweep: writes its findings and a best scenario that simulate repeats", "[cli]") {
  const Folder folder;
  const std::string sweep =
      folder.write("small.txtpb", test::small_sweep_text() + "tp: [2, 4] pp: [1] dp: [1]");
  const std::string out = folder.file("out");
  const Answer table = ask(run_sweep_command, {sweep, "-o", out});
  CHECK(table.code == kDone);
  CHECK(read(out + "/sweep.txt") == table.text);
  CHECK(ask(run_sweep_command, {sweep, "--jobs", "1", "--format", "json"}).text ==
        read(out + "/sweep.json"));
  CHECK(ask(run_sweep_command, {sweep, "--jobs", "4", "--format", "csv"}).text ==
        read(out + "/sweep.csv"));

  const Answer again = ask(run_simulate, {out + "/best.txtpb", "--format", "json"});
  CHECK(again.code == kDone);
  const std::string fingerprint = last_value(again.text, "fingerprint");
  // The row of rank 1 ends in the same fingerprint.
  const std::string csv = read(out + "/sweep.csv");
  std::istringstream rows(csv);
  bool found = false;
  for (std::string row; std::getline(rows, row);) {
    if (row.find(",1,true,") == std::string::npos && row.find(",1,false,") == std::string::npos) {
      continue;
    }
    found = true;
    CHECK(row.substr(row.rfind(',') + 1) == fingerprint);
  }
  CHECK(found);
  CHECK_THROWS_WITH(ask(run_sweep_command, {sweep, "-o", out}), contains_text("--overwrite"));
}

TEST_CASE("sweep: the seed reaches every candidate and the best scenario", "[cli]") {
  const Folder folder;
  const std::string sweep =
      folder.write("small.txtpb", test::small_sweep_text() + "tp: [4] pp: [1] dp: [1] ep: [1]");
  const std::string out = folder.file("out");
  (void)ask(run_sweep_command, {sweep, "--seed", "7", "-o", out});
  CHECK_THAT(read(out + "/best.txtpb"), contains_text("seed: 7"));
}

TEST_CASE("sweep: nothing feasible is exit 1 with the reasons", "[cli]") {
  const Folder folder;
  const std::string sweep =
      folder.write("small.txtpb", test::small_sweep_text() + "tp: [1] pp: [1] dp: [1]");
  const std::string out = folder.file("out");
  fs::create_directory(out);
  std::ofstream(out + "/best.txtpb") << "of an earlier sweep";
  const Answer answer = ask(run_sweep_command, {sweep, "-o", out, "--overwrite"});
  CHECK(answer.code == kNothingFeasible);
  CHECK_THAT(answer.text, contains_text("Nothing is feasible."));
  CHECK_THAT(answer.text, contains_text("memory: the weights alone"));
  CHECK_FALSE(fs::exists(out + "/best.txtpb"));
}

TEST_CASE("options: a misspelt one suggests the nearest", "[cli]") {
  CHECK_THROWS_WITH(ask(run_sweep_command, {"x.txtpb", "--job", "4"}),
                    contains_text("did you mean --jobs?"));
  CHECK_THROWS_WITH(ask(run_compare, {"x.txtpb", "--formt", "csv"}),
                    contains_text("did you mean --format?"));
  CHECK_THROWS_WITH(ask(run_compare, {"x.txtpb", "y.txtpb", "-o", ""}),
                    contains_text("--output-dir: is empty"));
  CHECK_THROWS_WITH(ask(run_compare, {"x.txtpb", "y.txtpb", "--format", "xml"}),
                    contains_text("use table, json, csv"));
  CHECK_THROWS_WITH(ask(run_sweep_command, {"x.txtpb", "--jobs", "-1"}), contains_text("--jobs"));
  CHECK_THROWS_WITH(ask(run_sweep_command, {"x.txtpb", "--jobs", "5000"}),
                    contains_text("0..1024"));
  CHECK_THROWS_WITH(ask(run_sweep_command, {}), contains_text("no sweep file given"));
  CHECK_THROWS_AS(ask(run_sweep_command, {"no_such_file.txtpb"}), IoError);
}

TEST_CASE("options: help explains and is exit 0", "[cli]") {
  for (const Verb verb : {&run_compare, &run_sweep_command}) {
    const Answer help = ask(verb, {"--help"});
    CHECK(help.code == kDone);
    CHECK_THAT(help.text, contains_text("--overwrite"));
    CHECK_THAT(help.text, contains_text("Exit codes"));
  }
}

}  // namespace
}  // namespace moesim::cli
