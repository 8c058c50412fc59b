#include "cli/records/record_format.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "base/try.h"
#include "text/units.h"

namespace millrace {
namespace {

constexpr std::string_view kLetters = "tpoTZkvhKV";

/// Reads one escape at the front of `rest` (after the backslash) and takes it off.
Result<char> TakeEscape(std::string_view& rest) {
  char c = rest.empty() ? '\0' : rest.front();
  if (!rest.empty()) rest.remove_prefix(1);
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case '0':
      return '\0';
    case '\\':
      return '\\';
    case 'x': {
      unsigned value = 0;
      auto digits = rest.substr(0, 2);
      auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
      if (error == std::errc() && digits.size() == 2 && end == digits.data() + 2) {
        rest.remove_prefix(2);
        return static_cast<char>(value);
      }
      return Error(ErrorCode::kInvalidArgument, "-f: \\x needs two hexadecimal digits");
    }
    default:
      return Error(ErrorCode::kInvalidArgument,
                   c == '\0' ? "-f: a backslash stands at the end" : fmt::format("-f: unknown escape \\{}", c),
                   "Escapes are \\n \\t \\r \\0 \\\\ \\xNN.");
  }
}

void AppendNumber(std::string& out, std::int64_t value) {
  fmt::format_int text(value);
  out.append(text.data(), text.size());
}

std::int64_t LengthOf(const std::optional<std::string_view>& bytes) {
  return bytes ? static_cast<std::int64_t>(bytes->size()) : -1;
}

void AppendHeaders(std::string& out, const RecordView& record) {
  bool first = true;
  for (const HeaderView& header : record.Headers()) {
    if (!first) out += ',';
    first = false;
    out += header.key;
    out += '=';
    if (header.value) out += *header.value;
  }
}

void AppendField(std::string& out, char letter, const TopicPartition& partition, const RecordView& record) {
  switch (letter) {
    case 't':
      out += partition.topic;
      break;
    case 'p':
      AppendNumber(out, partition.partition.value());
      break;
    case 'o':
      AppendNumber(out, record.offset.value());
      break;
    case 'T':
      AppendNumber(out, record.timestamp_ms);
      break;
    case 'Z':
      out += FormatTime(record.timestamp_ms);
      break;
    case 'k':
      if (record.key) out += *record.key;
      break;
    case 'v':
      if (record.value) out += *record.value;
      break;
    case 'h':
      AppendHeaders(out, record);
      break;
    case 'K':
      AppendNumber(out, LengthOf(record.key));
      break;
    default:
      AppendNumber(out, LengthOf(record.value));
  }
}

}  // namespace

Result<RecordFormat> RecordFormat::Parse(std::string_view pattern) {
  RecordFormat format;
  std::string plain;
  auto end_plain = [&] {
    if (!plain.empty()) format.pieces_.push_back({0, std::move(plain)});
    plain.clear();
  };
  while (!pattern.empty()) {
    char c = pattern.front();
    pattern.remove_prefix(1);
    if (c == '\\') {
      MR_ASSIGN_OR_RETURN(char escaped, TakeEscape(pattern));
      plain += escaped;
    } else if (c != '%') {
      plain += c;
    } else if (pattern.starts_with('%')) {
      plain += '%';
      pattern.remove_prefix(1);
    } else if (!pattern.empty() && kLetters.contains(pattern.front())) {
      end_plain();
      format.pieces_.push_back({pattern.front(), {}});
      pattern.remove_prefix(1);
    } else {
      return Error(ErrorCode::kInvalidArgument, fmt::format("-f: unknown letter %{}", pattern.substr(0, 1)),
                   "Letters are %t %p %o %T %Z %k %v %h %K %V; %% is a percent sign.");
    }
  }
  end_plain();
  return format;
}

void RecordFormat::Append(std::string& out, const TopicPartition& partition, const RecordView& record) const {
  for (const Piece& piece : pieces_) {
    if (piece.letter == 0) {
      out += piece.text;
    } else {
      AppendField(out, piece.letter, partition, record);
    }
  }
}

}  // namespace millrace
