// What callers append and receive: Record (owned) and RecordView (a view that keeps its bytes alive).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/export.h"
#include "millrace/types.h"

namespace millrace {

struct Header {
  std::string key;
  std::optional<std::string> value;
  friend bool operator==(const Header&, const Header&) = default;
};

/// A record with its own memory. Null and empty keys and values are different things.
struct Record {
  Offset offset{};                // assigned by the log; ignored on append
  std::int64_t timestamp_ms = 0;  // the producer's; 0 on append means "now"
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<Header> headers;
  friend bool operator==(const Record&, const Record&) = default;
};

struct ConsumedRecord : Record {
  std::string topic;
  PartitionId partition;
};

struct HeaderView {
  std::string_view key;
  std::optional<std::string_view> value;
};

/// The same without a copy. Holds a counted owner of its bytes, so it lives as long as you keep it or a copy.
class MILLRACE_EXPORT RecordView {
 public:
  RecordView() = default;
  /// `headers` are the undecoded headers of RecordBatch v2: a varint count, then key and value each; checked by the
  /// caller before it makes the view.
  RecordView(Offset offset, std::int64_t timestamp_ms, std::optional<std::string_view> key,
             std::optional<std::string_view> value, std::span<const std::byte> headers,
             std::shared_ptr<const void> owner)
      : offset(offset),
        timestamp_ms(timestamp_ms),
        key(key),
        value(value),
        headers_(headers),
        owner_(std::move(owner)) {}

  Offset offset;
  std::int64_t timestamp_ms = 0;
  std::optional<std::string_view> key, value;

  /// Decoded on each call. Cost: one vector.
  [[nodiscard]] std::vector<HeaderView> Headers() const;
  [[nodiscard]] Record ToRecord() const;

 private:
  std::span<const std::byte> headers_;
  std::shared_ptr<const void> owner_;
};

}  // namespace millrace
