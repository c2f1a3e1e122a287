// Any bytes given as a table of published measurements are read or refused with a place; rows that
// were read can be written in the shipped form.
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "core/check.h"
#include "core/diagnostics.h"
#include "scenario/published_row.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  constexpr std::size_t kMost = 1 << 16;
  if (size > kMost) return 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  try {
    const moesim::scenario::PublishedRows read =
        moesim::scenario::parse_published_csv(text, "fuzz.csv");
    std::set<std::string> ids;
    for (const moesim::scenario::PublishedRow& row : read.rows) {
      MOESIM_CHECK(!row.id.empty() && ids.insert(row.id).second, "every row has a name of its own");
    }
    MOESIM_CHECK(read.rows.empty() || !moesim::scenario::published_text(read).empty(),
                 "rows have a text");
  } catch (const moesim::InputError& error) {
    MOESIM_CHECK(!error.diagnostics().empty(), "a refusal has a reason");
    MOESIM_CHECK(error.diagnostics().front().line >= 1, "a refusal names the line");
  }
  return 0;
}
