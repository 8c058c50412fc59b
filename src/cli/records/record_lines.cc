#include "cli/records/record_lines.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"
#include "cli/records/record_json.h"
#include "text/units.h"

namespace millrace {
namespace {

void Assign(std::optional<std::string>& field, std::string_view text) {
  if (!field) field.emplace();
  field->assign(text);
}

Error Wrong(std::string_view why, std::string_view hint = {}) {
  return Error(ErrorCode::kInvalidArgument, std::string(why), std::string(hint));
}

Result<void> ParseHeaders(std::string_view text, std::vector<Header>& headers) {
  while (!text.empty()) {
    std::size_t comma = std::min(text.find(','), text.size());
    std::string_view header = text.substr(0, comma);
    std::size_t equals = header.find('=');
    if (equals == std::string_view::npos) return Wrong(fmt::format("header \"{}\" is not KEY=VALUE", header));
    headers.push_back({std::string(header.substr(0, equals)), std::string(header.substr(equals + 1))});
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return {};
}

Result<void> SetField(char letter, std::string_view text, Record& record) {
  switch (letter) {
    case 'k':
      Assign(record.key, text);
      return {};
    case 'v':
      Assign(record.value, text);
      return {};
    case 'h':
      return ParseHeaders(text, record.headers);
    case 'T': {
      auto time = ParseInteger(text);
      if (!time) return Wrong(fmt::format("%T is no timestamp in milliseconds: \"{}\"", text));
      record.timestamp_ms = *time;
      return {};
    }
    case 'Z': {
      auto time = ParseTime(text, 0);
      if (!time || text == "now" || text.starts_with('-')) return Wrong(fmt::format("%Z is no time: \"{}\"", text));
      record.timestamp_ms = *time;
      return {};
    }
    default:
      return {};  // topic, partition, offset: the log gives them
  }
}

Result<void> ParseByFormat(std::string_view line, const RecordFormat& format, Record& record) {
  record.key.reset();
  record.value.reset();
  const auto& pieces = format.pieces();
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].letter == 0) {
      if (!line.starts_with(pieces[i].text)) return Wrong("the line does not fit -f");
      line.remove_prefix(pieces[i].text.size());
      continue;
    }
    std::size_t end = i + 1 < pieces.size() ? line.find(pieces[i + 1].text) : line.size();
    if (end == std::string_view::npos) return Wrong("the line does not fit -f");
    MR_TRY(SetField(pieces[i].letter, line.substr(0, end), record));
    line.remove_prefix(end);
  }
  return {};
}

void ParseByValue(std::string_view line, const LineOptions& options, Record& record) {
  std::size_t separator = options.key_separator ? line.find(*options.key_separator) : std::string_view::npos;
  if (separator == std::string_view::npos) {
    record.key.reset();
    Assign(record.value, line);
  } else {
    Assign(record.key, line.substr(0, separator));
    Assign(record.value, line.substr(separator + options.key_separator->size()));
  }
}

/// Lines are split at '\n' before a pattern sees them: it may end in one and have none elsewhere.
Result<RecordFormat> InputFormat(std::string pattern) {
  if (pattern.ends_with("\\n")) pattern.resize(pattern.size() - 2);
  if (pattern.ends_with('\n')) pattern.pop_back();
  MR_ASSIGN_OR_RETURN(RecordFormat format, RecordFormat::Parse(pattern));
  const auto& pieces = format.pieces();
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].letter == 'K' || pieces[i].letter == 'V') return Wrong("-f: %K and %V cannot be read, only printed");
    if (pieces[i].text.contains('\n'))
      return Wrong("-f: a record is one line", "Let the pattern have \\n at its end only.");
    if (i > 0 && pieces[i].letter != 0 && pieces[i - 1].letter != 0) {
      return Wrong(fmt::format("-f: nothing separates %{} from %{}", pieces[i - 1].letter, pieces[i].letter));
    }
  }
  return format;
}

}  // namespace

Result<LineOptions> LineOptionsOf(const Arguments& arguments) {
  LineOptions options;
  options.key_separator = arguments.Text("--key-separator");
  options.key = arguments.Text("--key");
  options.null_value = arguments.Text("--null");
  if (options.key_separator && options.key_separator->empty()) return Wrong("--key-separator is empty");
  auto pattern = arguments.Text("--format");
  bool json = arguments.Has("--json");
  if (int{json} + int{pattern.has_value()} + int{options.key_separator.has_value()} > 1) {
    return Wrong("--json, -f and --key-separator each say how to read a line", "Keep one of them.");
  }
  if (json) options.shape = LineOptions::Shape::kJson;
  if (pattern) {
    options.shape = LineOptions::Shape::kFormat;
    MR_ASSIGN_OR_RETURN(options.format, InputFormat(*pattern));
  }
  for (const std::string& header : arguments.All("--header")) {
    std::size_t equals = header.find('=');
    if (equals == std::string::npos) return Wrong(fmt::format("-H takes KEY=VALUE, not \"{}\"", header));
    options.headers.push_back({header.substr(0, equals), header.substr(equals + 1)});
  }
  return options;
}

Result<void> ParseLine(std::string_view line, const LineOptions& options, Record& record) {
  record.timestamp_ms = 0;
  record.headers.clear();
  switch (options.shape) {
    case LineOptions::Shape::kValue:
      ParseByValue(line, options, record);
      break;
    case LineOptions::Shape::kFormat:
      MR_TRY(ParseByFormat(line, *options.format, record));
      break;
    case LineOptions::Shape::kJson:
      MR_TRY(ParseRecordJson(line, record));
      break;
  }
  if (options.key && !record.key) Assign(record.key, *options.key);
  if (options.null_value && record.value == options.null_value) record.value.reset();
  if (!options.headers.empty()) {
    record.headers.insert(record.headers.end(), options.headers.begin(), options.headers.end());
  }
  return {};
}

}  // namespace millrace
