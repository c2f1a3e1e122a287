#include "report/trace_events.h"

#include <fmt/format.h>

namespace moesim::report {
namespace {

/// Trace events count in microseconds.
std::string microseconds(std::int64_t ns) { return fmt::format("{}.{:03}", ns / 1000, ns % 1000); }

}  // namespace

std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (code < 0x20) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(code));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

TraceEvents::TraceEvents(std::ostream& out, std::string_view other_data) : out_(&out) {
  out << "{\"displayTimeUnit\":\"ns\",\"otherData\":{" << other_data << "},\"traceEvents\":[\n";
}

void TraceEvents::close() { *out_ << "\n]}\n"; }

void TraceEvents::event(const std::string& members) {
  if (!first_) *out_ << ",\n";
  first_ = false;
  *out_ << '{' << members << '}';
}

void TraceEvents::process_name(std::int64_t process, std::string_view name) {
  event(fmt::format(R"("ph":"M","name":"process_name","pid":{},"args":{{"name":{}}})", process,
                    json_string(name)));
  event(fmt::format(R"("ph":"M","name":"process_sort_index","pid":{0},"args":{{"sort_index":{0}}})",
                    process));
}

void TraceEvents::thread_name(const TraceLine& line, std::string_view name) {
  event(fmt::format(R"("ph":"M","name":"thread_name","pid":{},"tid":{},"args":{{"name":{}}})",
                    line.process, line.thread, json_string(name)));
  event(fmt::format(
      R"("ph":"M","name":"thread_sort_index","pid":{0},"tid":{1},"args":{{"sort_index":{1}}})",
      line.process, line.thread));
}

void TraceEvents::slice(const TraceLine& line, std::string_view name, std::int64_t begin,
                        std::int64_t end, std::string_view args, std::string_view colour) {
  const std::string coloured = colour.empty() ? "" : fmt::format(R"("cname":"{}",)", colour);
  event(fmt::format(R"("ph":"X","pid":{},"tid":{},"ts":{},"dur":{},"name":"{}",{}"args":{{{}}})",
                    line.process, line.thread, microseconds(begin), microseconds(end - begin), name,
                    coloured, args));
}

void TraceEvents::counter(const TraceLine& line, std::string_view name, std::int64_t at,
                          std::string_view values) {
  event(fmt::format(R"("ph":"C","pid":{},"tid":{},"ts":{},"name":"{}","args":{{{}}})", line.process,
                    line.thread, microseconds(at), name, values));
}

void TraceEvents::arrow(const TraceLine& from, const TraceLine& to, std::string_view name,
                        std::int64_t at) {
  const std::int64_t id = ++arrows_;
  const auto end = [&](std::string_view phase, const TraceLine& line) {
    event(fmt::format(
        R"("ph":"{}","bp":"e","id":{},"pid":{},"tid":{},"ts":{},"name":"{}","cat":"waiting")",
        phase, id, line.process, line.thread, microseconds(at), name));
  };
  end("s", from);
  end("f", to);
}

}  // namespace moesim::report
