// Recorded and synthetic routing of the placement benchmark beside the checkout: loads, traced
// tokens, and the copies they send between ranks. Tests skip visibly where it is absent.
#pragma once

#include <zlib.h>

#include <algorithm>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "core/random.h"

namespace moesim::test {

inline constexpr std::int64_t kBenchExperts = 256;
inline constexpr std::int64_t kBenchTopK = 8;

/// One workload of the benchmark.
struct BenchWorkload {
  std::string name;
  std::vector<std::int32_t> trace_layers;          ///< Rows of `load`, one per traced layer.
  std::vector<std::vector<double>> load;           ///< [layer][expert] that a planner may use.
  std::vector<std::uint64_t> request;              ///< [token]
  std::vector<std::vector<std::uint8_t>> experts;  ///< [traced layer][token * 8]
  [[nodiscard]] std::int64_t tokens() const { return static_cast<std::int64_t>(request.size()); }
};

inline std::string placement_bench_directory() {
  const char* shared = std::getenv("MOESIM_SHARED_DIR");
  return std::string(shared != nullptr ? shared : MOESIM_SHARED_DIR) + "/placement_bench";
}

/// Lines of a gzip file.
inline std::vector<std::string> gzip_lines(const std::string& path) {
  std::vector<std::string> lines;
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return lines;
  char buffer[4096];
  while (gzgets(file, buffer, sizeof(buffer)) != nullptr) lines.emplace_back(buffer);
  gzclose(file);
  return lines;
}

/// Numbers of a JSON array that follows `key`; the benchmark's files hold flat ones.
inline std::vector<std::int32_t> json_numbers(const std::string& text, const std::string& key) {
  std::vector<std::int32_t> numbers;
  const std::size_t begin = text.find('[', text.find('"' + key + '"'));
  const std::size_t end = text.find(']', begin);
  std::string list = text.substr(begin + 1, end - begin - 1);
  for (char& c : list) c = c == ',' ? ' ' : c;
  std::istringstream words(list);
  for (std::int32_t n = 0; words >> n;) numbers.push_back(n);
  return numbers;
}

inline std::string file_text(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// Reads a workload with the tokens of `trace` ("trace_eval" or "trace_train").
inline BenchWorkload read_bench_workload(const std::string& name, const std::string& trace) {
  const std::string folder = placement_bench_directory() + "/" + name;
  BenchWorkload w;
  w.name = name;
  w.trace_layers = json_numbers(file_text(folder + "/instance.json"), "trace_layers");
  std::ifstream loads(folder + "/load_train.csv");
  for (std::string line; std::getline(loads, line);) {
    for (char& c : line) c = c == ',' ? ' ' : c;
    std::istringstream words(line);
    std::vector<double> row;
    for (double x = 0; words >> x;) row.push_back(x);
    w.load.push_back(row);
  }
  w.experts.resize(w.trace_layers.size());
  for (const std::string& line : gzip_lines(folder + "/" + trace + ".txt.gz")) {
    std::istringstream words(line);
    std::uint64_t request = 0;
    words >> request;
    w.request.push_back(request);
    for (auto& layer : w.experts) {
      std::string hex;
      words >> hex;
      for (std::size_t i = 0; i < 2 * kBenchTopK; i += 2) {
        layer.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
      }
    }
  }
  return w;
}

inline std::vector<std::string> bench_workload_names() {
  std::vector<std::string> names;
  std::error_code absent;
  for (const auto& entry :
       std::filesystem::directory_iterator(placement_bench_directory(), absent)) {
    const std::string name = entry.path().filename().string();
    if (std::filesystem::exists(entry.path() / "trace_eval.txt.gz")) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// Copies of one layer between ranks, 8 to a node.
struct BenchCopies {
  std::vector<std::int32_t> to_node;  ///< [rank * nodes + node] to remote nodes, once per token.
  std::vector<std::int32_t> inside;   ///< [rank * 8 + peer] to the peer of the own node.
  std::vector<std::int32_t> direct;   ///< [rank * ranks + rank] one per chosen expert.
};

/// Counts the copies of all tokens. Source of a token: by its request's hash (all tokens of a
/// request on one rank), or spread evenly, one after the other (a decoding batch). Replica: on the
/// own node if there is one, else by hash.
inline BenchCopies count_copies(const BenchWorkload& w, std::size_t traced_layer,
                                const std::vector<std::int32_t>& expert_of_slot, std::int64_t ranks,
                                bool by_request) {
  const std::int64_t nodes = ranks / 8;
  const auto slots_per_rank = static_cast<std::int64_t>(expert_of_slot.size()) / ranks;
  std::vector<std::vector<std::int64_t>> ranks_of(static_cast<std::size_t>(kBenchExperts));
  for (std::size_t s = 0; s < expert_of_slot.size(); ++s) {
    ranks_of[static_cast<std::size_t>(expert_of_slot[s])].push_back(static_cast<std::int64_t>(s) /
                                                                    slots_per_rank);
  }
  BenchCopies copies;
  copies.to_node.assign(static_cast<std::size_t>(ranks * nodes), 0);
  copies.inside.assign(static_cast<std::size_t>(ranks * 8), 0);
  copies.direct.assign(static_cast<std::size_t>(ranks * ranks), 0);
  const auto& experts = w.experts[traced_layer];
  for (std::int64_t t = 0; t < w.tokens(); ++t) {
    const auto token = static_cast<std::uint64_t>(t);
    const auto all = static_cast<std::uint64_t>(ranks);
    const auto source =
        static_cast<std::int64_t>((by_request ? mix64(w.request[token]) : token) % all);
    std::vector<std::int64_t> reached;
    for (std::int64_t k = 0; k < kBenchTopK; ++k) {
      const auto& all_replicas = ranks_of[experts[static_cast<std::size_t>(t * kBenchTopK + k)]];
      std::vector<std::int64_t> own;
      for (const std::int64_t r : all_replicas) {
        if (r / 8 == source / 8) own.push_back(r);
      }
      const auto& choice = own.empty() ? all_replicas : own;
      const std::uint64_t hash =
          mix64(token << 32 | traced_layer << 16 | static_cast<std::uint64_t>(k));
      const std::int64_t rank = choice[hash % choice.size()];
      if (rank != source) ++copies.direct[static_cast<std::size_t>(source * ranks + rank)];
      if (std::find(reached.begin(), reached.end(), rank) == reached.end()) reached.push_back(rank);
    }
    std::vector<std::int64_t> nodes_reached;
    for (const std::int64_t rank : reached) {
      const std::int64_t node = rank / 8;
      const std::int64_t relay = node == source / 8 ? source : node * 8 + source % 8;
      if (rank != relay) ++copies.inside[static_cast<std::size_t>(relay * 8 + rank % 8)];
      if (node == source / 8 ||
          std::find(nodes_reached.begin(), nodes_reached.end(), node) != nodes_reached.end()) {
        continue;
      }
      nodes_reached.push_back(node);
      ++copies.to_node[static_cast<std::size_t>(source * nodes + node)];
    }
  }
  return copies;
}

}  // namespace moesim::test
