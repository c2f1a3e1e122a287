#include "interchange/instance.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "interchange/instance_facts.h"
#include "interchange/json_text.h"
#include "interchange/load_rows.h"
#include "interchange/text_source.h"
#include "interchange/token_lines.h"

namespace moesim::interchange {
namespace {

constexpr std::size_t kMaxFactsBytes = std::size_t{1} << 20U;
constexpr std::size_t kMaxLoadBytes = std::size_t{64} << 20U;

class FactsReader {
 public:
  FactsReader(const JsonText& json, Findings& findings) : json_(json), findings_(findings) {}

  InstanceFacts read() {
    InstanceFacts facts;
    if (json_.root().get(object_) != simdjson::SUCCESS) {
      findings_.add(1, 1, "", "expected a JSON object, got " + shown(json_.root()));
      findings_.throw_if_any();
    }
    std::string_view name;
    if (object_["name"].get(name) == simdjson::SUCCESS) facts.name = std::string(name);
    routing::RoutingShape& shape = facts.shape;
    shape.moe_layers = number("layers", placement::kMaxMoeLayers);
    shape.experts = number("experts", routing::kMaxExperts);
    shape.top_k = number("top_k", routing::kMaxTopK);
    shape.groups = number_or("groups", 1, routing::kMaxExperts);
    shape.top_groups = number_or("top_groups", shape.groups, routing::kMaxExperts);
    read_trace_layers(facts);
    findings_.throw_if_any();
    for (const std::string& error : routing::shape_errors(shape)) findings_.add(0, 0, "", error);
    findings_.throw_if_any();
    return facts;
  }

 private:
  void bad(const JsonPath& path, std::string message) {
    const TextPlace at = json_.place(path);
    findings_.add(at.line, at.column, field_of(path), std::move(message));
  }

  std::int64_t number(std::string_view key, std::int64_t most) {
    simdjson::dom::element value;
    if (object_[key].get(value) != simdjson::SUCCESS) {
      findings_.add(0, 0, std::string(key), "is missing");
      return 1;
    }
    std::int64_t n = 0;
    if (value.get(n) != simdjson::SUCCESS || n < 1 || n > most) {
      bad({key}, fmt::format("must be 1..{}, got {}", most, shown(value)));
      return 1;
    }
    return n;
  }

  std::int64_t number_or(std::string_view key, std::int64_t absent, std::int64_t most) {
    return object_[key].error() == simdjson::SUCCESS ? number(key, most) : absent;
  }

  void read_trace_layers(InstanceFacts& facts) {
    simdjson::dom::element value;
    if (object_["trace_layers"].get(value) != simdjson::SUCCESS) return;
    simdjson::dom::array list;
    if (value.get(list) != simdjson::SUCCESS) {
      bad({"trace_layers"}, "expected a list of MoE layers, got " + shown(value));
      return;
    }
    std::int64_t last = -1;
    for (const simdjson::dom::element entry : list) {
      std::int64_t layer = -1;
      if (entry.get(layer) != simdjson::SUCCESS || layer <= last ||
          layer >= facts.shape.moe_layers) {
        bad({"trace_layers", facts.trace_layers.size()},
            fmt::format("must ascend from 0 to at most {}, got {}", facts.shape.moe_layers - 1,
                        shown(entry)));
        return;
      }
      last = layer;
      facts.trace_layers.push_back(static_cast<std::int32_t>(layer));
    }
  }

  const JsonText& json_;
  Findings& findings_;
  simdjson::dom::object object_;
};

placement::Workload read_part(const std::string& directory, const std::string& part,
                              const RoutingHints& hints) {
  const std::string load_file = directory + "/load_" + part + ".csv";
  Findings findings(load_file);
  const std::string loads = read_text(load_file, kMaxLoadBytes);
  placement::Workload workload;
  workload.name = part;
  workload.load = load_record(parse_load_matrix(loads, hints, findings), hints, findings).load;
  for (const char* ending : {".txt.gz", ".txt"}) {
    const std::string trace_file = directory + "/trace_" + part + ending;
    if (!file_exists(trace_file)) continue;
    Findings trace_findings(trace_file);
    workload.tokens =
        parse_hex_trace(read_text(trace_file, kMaxTextBytes), hints, trace_findings).tokens;
    break;
  }
  return workload;
}

}  // namespace

InstanceFacts parse_instance_facts(std::string_view text, const std::string& file) {
  Findings findings(file);
  const JsonText json(text, file);
  return FactsReader(json, findings).read();
}

InstanceFacts read_instance_facts(const std::string& directory) {
  const std::string file = directory + "/instance.json";
  return parse_instance_facts(read_text(file, kMaxFactsBytes), file);
}

RoutingHints InstanceFacts::hints() const {
  RoutingHints hints = hints_of(shape);
  hints.trace_layers = trace_layers;
  return hints;
}

Instance read_instance(const std::string& directory) {
  InstanceFacts facts = read_instance_facts(directory);
  const RoutingHints hints = facts.hints();
  Instance instance{.name = facts.name, .shape = facts.shape, .train = {}, .eval = {}};
  if (instance.name.empty()) {
    instance.name = std::filesystem::path(directory).lexically_normal().filename().string();
  }
  instance.train = read_part(directory, "train", hints);
  instance.eval = read_part(directory, "eval", hints);
  return instance;
}

}  // namespace moesim::interchange
