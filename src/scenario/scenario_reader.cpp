#include "scenario/scenario_reader.h"

#include <filesystem>

#include "core/text.h"
#include "scenario.pb.h"
#include "scenario/findings.h"
#include "scenario/message_reader.h"
#include "scenario/resolver.h"

namespace moesim::scenario {

Syntax syntax_of(const std::string& path) {
  return to_lower(std::filesystem::path(path).extension().string()) == ".json" ? Syntax::Json
                                                                               : Syntax::Text;
}

Scenario read_scenario_text(std::string_view text, const TextOrigin& origin,
                            const std::vector<std::string>& overrides,
                            const catalog::Catalog& catalog) {
  Findings findings(origin.file_name);
  proto::Scenario message;
  const bool complete = read_message(text, origin.syntax, message, findings);
  for (const std::string& assignment : overrides) apply_override(assignment, message, findings);
  // What a broken file lacks may stand behind the break: no further complaints then.
  if (!complete) findings.throw_if_any();
  Scenario scenario = Resolver(message, origin, catalog, findings).resolve();
  findings.throw_if_any();
  return scenario;
}

TextOrigin origin_of(const std::string& path) {
  return {.file_name = path,
          .folder = std::filesystem::path(path).parent_path().string(),
          .syntax = syntax_of(path),
          .may_open_files = true};
}

Scenario read_scenario_file(const std::string& path, const std::vector<std::string>& overrides,
                            const catalog::Catalog& catalog) {
  return read_scenario_text(read_file(path, kMaxInputBytes), origin_of(path), overrides, catalog);
}

}  // namespace moesim::scenario
