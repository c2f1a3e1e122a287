// The pages under docs/formats name every field of the schema.
#include <google/protobuf/descriptor.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <set>

#include "placement.pb.h"
#include "scenario.pb.h"
#include "sweep.pb.h"
#include "tests/support/catch.h"

namespace moesim::scenario {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

std::string page(const std::string& name) {
  std::ifstream file(std::string(MOESIM_SOURCE_DIR) + "/docs/formats/" + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Fields of messages that one schema file defines, as `name` in code marks.
void check_fields(const Descriptor& message, const std::string& text, const std::string& schema,
                  std::set<std::string>& done) {
  if (message.file()->name() != schema || !done.insert(message.full_name()).second) return;
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    INFO(message.name() << "." << field.name());
    CHECK(text.find("`" + field.name() + "`") != std::string::npos);
    if (field.message_type() != nullptr) check_fields(*field.message_type(), text, schema, done);
    for (int v = 0; field.enum_type() != nullptr && v < field.enum_type()->value_count(); ++v) {
      if (field.enum_type()->file()->name() != schema) continue;
      INFO(field.enum_type()->value(v)->name());
      CHECK(text.find(field.enum_type()->value(v)->name()) != std::string::npos);
    }
  }
}

TEST_CASE("format docs: scenario.md names every field and value of scenario.proto") {
  std::set<std::string> done;
  check_fields(*proto::Scenario::descriptor(), page("scenario.md"), "scenario.proto", done);
  CHECK(done.size() >= 21);
}

TEST_CASE("format docs: sweep.md names every field and value of sweep.proto") {
  std::set<std::string> done;
  check_fields(*proto::Sweep::descriptor(), page("sweep.md"), "sweep.proto", done);
  CHECK(done.size() == 3);
}

TEST_CASE("format docs: placement.md names every field and value of placement.proto") {
  std::set<std::string> done;
  check_fields(*proto::Placement::descriptor(), page("placement.md"), "placement.proto", done);
  CHECK(done.size() == 2);
}

}  // namespace
}  // namespace moesim::scenario
