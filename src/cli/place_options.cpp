#include "cli/place_options.h"

#include <fmt/format.h>

#include <array>
#include <boost/program_options.hpp>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>

#include "core/diagnostics.h"

namespace moesim::cli {
namespace {

namespace po = boost::program_options;

/// Options whose text goes into a field as it is.
struct Plain {
  const char* option;
  const char* value;
  const char* field;
  const char* help;
};
constexpr std::array kPlain = {
    Plain{"model", "NAME", "model", "catalog model that numbers the layers in engine files"},
    Plain{"gpus", "G", "gpus", "GPUs that the experts are spread over"},
    Plain{"nodes", "N", "nodes", "nodes of these GPUs; default: 8 GPUs to a node"},
    Plain{"slots", "P", "slots", "expert slots of a layer on all GPUs together"},
    Plain{"strategy", "S", "strategy",
          "contiguous, round_robin, random, eplb, eplb_global, metis, partition (default) or "
          "rebalance"},
    Plain{"budget", "TIME", "budget",
          "work of the search as time of one core: 1s, 500ms; default 10 s"},
    Plain{"over", "WHAT", "over", "of several workloads: mean (default) or worst"},
    Plain{"seed", "N", "seed", "default 1"},
};

/// The same for shares that may be written as per cent.
constexpr std::array kShares = {
    Plain{
        "slack", "X", "slack",
        "a GPU may carry this much more than under eplb, as 5% or 0.05; default 0; partition only"},
    Plain{"max-imbalance", "X", "max_imbalance",
          "largest max/mean of a layer, where it can be had; in place of --slack"},
    Plain{"max-moves", "X", "max_moves",
          "part of the slots that rebalance may move, as 12% or 0.12; default all"},
    Plain{"move-price", "X", "move_price",
          "max/mean that a slot moved by rebalance must be worth; default 0"},
};

/// "5%" and "0.05" alike.
std::string share_of(const std::string& option, const std::string& text) {
  std::string_view digits = text;
  const bool percent = digits.ends_with('%');
  if (percent) digits.remove_suffix(1);
  while (digits.ends_with(' ')) digits.remove_suffix(1);
  double value = 0.0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (problem != std::errc{} || end != digits.data() + digits.size()) {
    throw InputError(Diagnostic{.field = "--" + option,
                                .message = fmt::format("expected a number, got '{}'", text),
                                .hint = "write 0.05 or 5%"});
  }
  return fmt::format("{}", percent ? value / 100.0 : value);
}

std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

}  // namespace

void add_place_options(po::options_description& options, PlaceOptions& values) {
  auto add = options.add_options();
  add("instance", po::value(&values.instances)->value_name("DIR")->composing(),
      "folder with instance.json, loads and traces, in place of a placement file; repeatable: "
      "several routings planned for at once");
  add("weight", po::value(&values.weights)->value_name("X")->composing(),
      "weight of each --instance, in their order");
  for (const Plain& p : kPlain) {
    add(p.option, po::value<std::string>()->value_name(p.value), p.help);
  }
  for (const Plain& p : kShares) {
    add(p.option, po::value<std::string>()->value_name(p.value), p.help);
  }
  add("current", po::value(&values.current)->value_name("FILE"),
      "placement in use: moves are counted from it, rebalance starts from it. Without it rebalance "
      "starts from eplb_global's plan and moves on to the later routing");
  add("evaluate", po::value(&values.evaluated)->value_name("FILE"),
      "judge this placement, of any engine's form, instead of making one");
  add("front", po::bool_switch(&values.front),
      "what more moved slots, and more imbalance, would buy");
  add("go-no-go", po::bool_switch(&values.go_no_go),
      "one page: is a placement of its own, and are redundant experts, worth it");
  add("export", po::value(&values.exports)->value_name("ENGINE")->composing(),
      "write the file that sglang, vllm, vllm-ascend or tensorrt-llm reads; repeatable, needs -o");
  add("set", po::value(&values.common.overrides)->value_name("A.B.C=VALUE")->composing(),
      "override a field of the placement file; repeatable");
  add("format", po::value(&values.common.format)->value_name("FORMAT")->default_value("table"),
      "what goes to stdout: table, json or csv");
  add("output-dir,o", po::value(&values.common.output_directory)->value_name("DIR"),
      "write the plan, the report and the engine files there");
  add("overwrite", po::bool_switch(&values.common.overwrite), "replace result files that exist");
  add("quiet,q", po::bool_switch(&values.common.quiet), "no progress and no timing on stderr");
  add("help,h", "this text");
}

std::vector<std::string> place_overrides(const po::variables_map& found,
                                         const PlaceOptions& values) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < values.instances.size(); ++i) {
    out.push_back(fmt::format("workload[{}].instance={}", i, absolute(values.instances[i])));
    if (i < values.weights.size()) {
      out.push_back(fmt::format("workload[{}].weight={}", i, values.weights[i]));
    }
  }
  if (!values.weights.empty() && values.weights.size() != values.instances.size()) {
    throw InputError(
        Diagnostic{.field = "--weight",
                   .message = fmt::format("{} weights for {} instances", values.weights.size(),
                                          values.instances.size()),
                   .hint = "give one for each --instance"});
  }
  for (const Plain& p : kPlain) {
    if (found.count(p.option) == 0) continue;
    std::string text = found[p.option].as<std::string>();
    if (std::string_view(p.option) == "over") {
      for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    out.push_back(fmt::format("{}={}", p.field, text));
  }
  for (const Plain& p : kShares) {
    if (found.count(p.option) == 0) continue;
    out.push_back(
        fmt::format("{}={}", p.field, share_of(p.option, found[p.option].as<std::string>())));
  }
  if (!values.current.empty()) {
    out.push_back(fmt::format("current={}", absolute(values.current)));
  }
  out.insert(out.end(), values.common.overrides.begin(), values.common.overrides.end());
  return out;
}

}  // namespace moesim::cli
