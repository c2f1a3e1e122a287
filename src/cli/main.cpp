// The program: picks the verb, and turns what it throws into messages and exit codes.
#include <algorithm>
#include <array>
#include <iostream>
#include <new>
#include <string_view>

#include <fmt/format.h>

#include "cli/catalog_command.h"
#include "cli/command.h"
#include "cli/compare_command.h"
#include "cli/fabric_command.h"
#include "cli/memory_command.h"
#include "cli/place_command.h"
#include "cli/routing_command.h"
#include "cli/simulate_command.h"
#include "cli/sweep_command.h"
#include "cli/validate_command.h"
#include "core/diagnostics.h"
#include "core/text.h"
#include "report/version.h"

namespace moesim::cli {
namespace {

struct VerbEntry {
  std::string_view name;
  std::string_view synopsis;
  Verb run;
};

constexpr std::array kVerbs = {
    VerbEntry{"simulate", "SCENARIO         one deployment under one workload", run_simulate},
    VerbEntry{"compare",
              "SCENARIO...      the same demand served by several deployments, one table",
              run_compare},
    VerbEntry{"sweep", "SWEEP            every layout of a cluster, ranked by cost under an SLO",
              run_sweep_command},
    VerbEntry{"memory", "MODEL --gpu G    what a GPU must hold; the smallest layouts that fit",
              run_memory},
    VerbEntry{"place",
              "PLACEMENT        where experts lie: balanced, few copies between nodes, for engines",
              run_place},
    VerbEntry{"routing",
              "stats SOURCE     how recorded or generated routing looks: skew, pairs, affinity",
              run_routing},
    VerbEntry{"validate",
              "                 every published measurement we know, simulated, with its error",
              run_validate},
    VerbEntry{"fabric",
              "CLUSTER          a cluster drawn: links, bandwidths, bisection, longest path",
              run_fabric},
    VerbEntry{"catalog",
              "list|show|import models, GPUs, fabrics, clusters, formats, engines, prices",
              run_catalog},
};

void print_usage(std::ostream& out) {
  out << "moesim tells, before any money is spent, how a language model will run on a GPU "
         "cluster:\n"
         "throughput, latency, memory and monthly cost.\n\nUsage: moesim VERB ...\n\n";
  for (const VerbEntry& verb : kVerbs) {
    out << fmt::format("  {:<9} {}\n", verb.name, verb.synopsis);
  }
  out << "\nmoesim VERB --help explains each. moesim --version prints the version.\n"
         "Start with: moesim simulate scenarios/llama_70b_h100_tp4.txtpb\n";
}

int run(const Arguments& arguments) {
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h") {
    print_usage(arguments.empty() ? std::cerr : std::cout);
    return arguments.empty() ? kWrongInput : kDone;
  }
  if (arguments[0] == "--version") {
    std::cout << "moesim " << report::version() << "\n";
    return kDone;
  }
  const auto verb = std::find_if(kVerbs.begin(), kVerbs.end(),
                                 [&](const VerbEntry& v) { return v.name == arguments[0]; });
  if (verb == kVerbs.end()) {
    std::vector<std::string> names;
    for (const VerbEntry& v : kVerbs) names.emplace_back(v.name);
    const std::string near = nearest_name(arguments[0], names);
    throw InputError(Diagnostic{
        .field = arguments[0],
        .message = "there is no such verb",
        .hint = near.empty() ? "see moesim --help" : fmt::format("did you mean {}?", near)});
  }
  return verb->run(Arguments(arguments.begin() + 1, arguments.end()), std::cout);
}

}  // namespace
}  // namespace moesim::cli

int main(int argc, char** argv) {
  try {
    const int code = moesim::cli::run(moesim::cli::Arguments(argv + 1, argv + argc));
    std::cout.flush();
    if (std::cout) return code;
    std::cerr << "error: cannot write to standard output\n";
  } catch (const moesim::InputError& error) {
    for (const moesim::Diagnostic& d : error.diagnostics()) {
      std::cerr << moesim::to_string(d) << "\n";
    }
  } catch (const moesim::IoError& error) {
    std::cerr << "error: " << error.what() << "\n";
  } catch (const std::bad_alloc&) {
    std::cerr << "error: out of memory: the run needs more than this machine gives; lower "
                 "simulation.max_requests, workload.concurrency or --jobs\n";
  }
  return moesim::cli::kWrongInput;
}
