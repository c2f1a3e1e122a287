// docs/formats/result.md and the schemas of results name the same fields.
#include <google/protobuf/descriptor.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "comparison.pb.h"
#include "result.pb.h"
#include "sweep_result.pb.h"
#include "tests/support/catch.h"
#include "validation.pb.h"

namespace moesim::report {
namespace {

std::string document() {
  std::ifstream in(std::string(MOESIM_SOURCE_DIR) + "/docs/formats/result.md");
  REQUIRE(in);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Text between the heading of a message ("## `Summary`") and the next heading.
std::string section(const std::string& page, const std::string& message) {
  const std::size_t start = page.find(" `" + message + "`\n");
  if (start == std::string::npos) return {};
  return page.substr(start, page.find("\n## ", start) - start);
}

/// Names in the first column of the tables of a section.
std::set<std::string> named_fields(const std::string& text) {
  std::set<std::string> names;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("| `", 0) == 0) names.insert(line.substr(3, line.find('`', 3) - 3));
  }
  return names;
}

void check_message(const google::protobuf::Descriptor* message) {
  const std::string text = section(document(), message->name());
  INFO("docs/formats/result.md, section " << message->name());
  CHECK_FALSE(text.empty());
  std::set<std::string> expected;
  for (int i = 0; i < message->field_count(); ++i) expected.insert(message->field(i)->name());
  CHECK(named_fields(text) == expected);
}

TEST_CASE("result.md: names every field of result.proto and no other", "[report][docs]") {
  const auto* file = proto::Result::descriptor()->file();
  for (int i = 0; i < file->message_type_count(); ++i) check_message(file->message_type(i));
}

TEST_CASE("result.md: names every field of comparisons, sweeps and validations", "[report][docs]") {
  for (const auto* file :
       {proto::Comparison::descriptor()->file(), proto::SweepResult::descriptor()->file(),
        proto::KernelValidation::descriptor()->file()}) {
    for (int i = 0; i < file->message_type_count(); ++i) check_message(file->message_type(i));
  }
}

}  // namespace
}  // namespace moesim::report
