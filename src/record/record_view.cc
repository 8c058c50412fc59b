#include "base/check.h"
#include "millrace/record.h"
#include "record/raw_record.h"

namespace millrace {

std::vector<HeaderView> RecordView::Headers() const {
  std::vector<HeaderView> headers;
  if (headers_.empty()) return headers;
  const std::byte* at = headers_.data();
  const std::byte* end = at + headers_.size();
  std::int32_t count = 0;
  at = ReadVarint(at, end, count);
  MR_CHECK(at != nullptr && CheckHeaders(at, end, count), count);  // the maker of the view checked them
  headers.reserve(static_cast<std::size_t>(count));
  std::optional<std::string_view> key, value;
  for (std::int32_t i = 0; i < count; ++i) {
    at = ReadNullableBytes(at, end, key);
    at = ReadNullableBytes(at, end, value);
    headers.push_back({*key, value});
  }
  return headers;
}

Record RecordView::ToRecord() const {
  Record record{.offset = offset, .timestamp_ms = timestamp_ms};
  if (key) record.key.emplace(*key);
  if (value) record.value.emplace(*value);
  for (const HeaderView& header : Headers()) {
    Header& added = record.headers.emplace_back(std::string(header.key));
    if (header.value) added.value.emplace(*header.value);
  }
  return record;
}

}  // namespace millrace
