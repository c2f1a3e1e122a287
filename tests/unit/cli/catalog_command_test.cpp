#include "cli/catalog_command.h"

#include <stdlib.h>

#include <fstream>
#include <sstream>

#include "core/diagnostics.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

namespace moesim::cli {
namespace {
using moesim::test::contains_text;

/// What `moesim catalog ...` prints; mistakes as "field: message; hint".
std::string output(const Arguments& arguments) {
  setenv("MOESIM_DATA", MOESIM_SOURCE_DIR "/scenarios", 1);
  std::ostringstream out;
  try {
    const int code = run_catalog(arguments, out);
    CHECK(code == kDone);
  } catch (const InputError& error) {
    std::string all;
    for (const Diagnostic& d : error.diagnostics()) {
      all += d.field + ": " + d.message + "; " + d.hint + "\n";
    }
    return all;
  }
  return out.str();
}

TEST_CASE("catalog list: every kind prints in every format", "[cli][catalog]") {
  for (const char* kind :
       {"models", "gpus", "fabrics", "collectives", "formats", "engines", "prices"}) {
    INFO(kind);
    CHECK(output({"list", kind}).size() > 400);
    CHECK_THAT(output({"list", kind, "--format", "json"}), contains_text("\"source\": "));
    CHECK_THAT(output({"list", kind, "--format", "csv"}), contains_text("source"));
  }
  CHECK(output({"list", "models", "mixtral", "--format", "csv"}).find("DeepSeek") ==
        std::string::npos);
  CHECK_THAT(output({"list", "models", "mixtral"}), contains_text("Mixtral-8x22B-v0.1"));
  CHECK(output({"list", "gpus", "no such thing", "--format", "json"}) == "[]\n");
}

TEST_CASE("catalog show: one entry with its computed figures", "[cli][catalog]") {
  const std::string v3 = output({"show", "model", "deepseek-ai/DeepSeek-V3"});
  CHECK_THAT(v3, contains_text("671,026,419,200"));
  CHECK_THAT(v3, contains_text("37,552,297,472"));
  CHECK_THAT(v3, contains_text("673.15"));
  CHECK_THAT(v3, contains_text("688.47"));
  CHECK_THAT(v3, contains_text("70,272"));
  const std::string q4 =
      output({"show", "model", "Llama-3.1-70B", "--precision", "Q4_K_M", "--format", "json"});
  CHECK_THAT(q4, contains_text("\"weights_gb\": 43.1648"));
  CHECK_THAT(q4, contains_text("\"total_parameters\": 70553706496"));
  CHECK_THAT(output({"show", "gpu", "H100"}), contains_text("H100-SXM"));
  CHECK_THAT(output({"show", "fabric", "NDR"}), contains_text("InfiniBand"));
  CHECK_THAT(output({"show", "format", "fp8"}), contains_text("8.00195"));
  CHECK_THAT(output({"show", "format", "fp4_experts+fp8"}), contains_text("fp4_block32"));
  CHECK_THAT(output({"show", "engine", "TGI"}), contains_text("not verified"));
  CHECK_THAT(output({"show", "prices", "H100"}), contains_text("2026-11-09"));
}

TEST_CASE("catalog: a wrong word is answered with the nearest right one", "[cli][catalog]") {
  CHECK_THAT(output({"lst"}), contains_text("did you mean \"list\"?"));
  CHECK_THAT(output({"list", "modles"}), contains_text("did you mean \"models\"?"));
  CHECK_THAT(output({"show", "model", "DeepSeek-V33"}), contains_text("did you mean"));
  CHECK_THAT(output({"show", "gpu", "H1000"}), contains_text("did you mean \"H100\"?"));
  CHECK_THAT(output({"show", "model", "DeepSeek-V3", "--precision", "fp9"}),
             contains_text("--precision"));
  CHECK_THAT(output({"show", "price", "zzzzzzzzzz"}), contains_text("price: there is no"));
  CHECK_THAT(output({"list", "gpus", "--format", "xml"}), contains_text("--format"));
  CHECK_THAT(output({}), contains_text("needs list, show or import"));
  CHECK_THAT(output({"show", "model"}), contains_text("needs KIND and NAME"));
  CHECK_THAT(output({"show", "gpu", "H100", "--precision", "bf16"}),
             contains_text("only for models"));
  CHECK_THAT(output({"list", "gpus", "--name", "x"}), contains_text("only for import"));
  CHECK_THAT(output({"--help"}), contains_text("moesim catalog import"));
}

TEST_CASE("catalog import: prints an entry of the catalog", "[cli][catalog]") {
  const test::TemporaryDirectory directory;
  const std::string path =
      directory.write("config.json", R"({"model_type": "mixtral", "hidden_size": 4096,
    "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8,
    "num_hidden_layers": 32, "num_local_experts": 8, "num_experts_per_tok": 2,
    "vocab_size": 32000, "max_position_embeddings": 32768})");
  const std::string text = output({"import", path, "--name", "mine"});
  CHECK_THAT(text, contains_text("name: \"mine\""));
  CHECK_THAT(text, contains_text("layers: \"moe*32\""));
  CHECK_THAT(output({"import", path, "--format", "json"}), contains_text("\"hidden\": \"4096\""));
  directory.write("config.json", "not json");
  CHECK_THAT(output({"import", path}), contains_text("is no JSON object"));
}

}  // namespace
}  // namespace moesim::cli
