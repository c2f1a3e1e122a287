#include "scenario/syntax_errors.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

namespace moesim::scenario {
namespace {

class SyntaxErrors : public google::protobuf::io::ErrorCollector {
 public:
  explicit SyntaxErrors(Document& document) : document_(document) {}
  void AddError(int line, int column, const std::string& message) override {
    document_.diagnostics.push_back(
        {.file = document_.file, .line = line + 1, .column = column + 1, .message = message});
  }

 private:
  Document& document_;
};

}  // namespace

bool parse_text(const std::string& text, Document& document,
                google::protobuf::TextFormat::ParseInfoTree* places,
                google::protobuf::Message& message) {
  SyntaxErrors errors(document);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  constexpr int kMostNesting = 32;
  parser.SetRecursionLimit(kMostNesting);
  if (places != nullptr) parser.WriteLocationsTo(places);
  google::protobuf::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  return parser.Parse(&stream, &message);
}

}  // namespace moesim::scenario
