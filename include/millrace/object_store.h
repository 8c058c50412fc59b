// The seam of the object store: whole immutable objects by key.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/bytes.h"
#include "millrace/result.h"

namespace millrace {

enum class PutMode { kOverwrite, kIfAbsent };

/// [offset, offset + length) of an object.
struct ByteRange {
  std::uint64_t offset = 0, length = 0;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

struct ObjectDescription {
  std::string key;
  std::uint64_t size_bytes = 0;
  std::int64_t modified_ms = 0;  // wall time of the put as the store tells it; 0: it tells none
};

struct ObjectPage {
  std::vector<ObjectDescription> objects;  // in no promised order
  std::string next;                        // hand to the next List; empty: this was the last page
};

/// Keys are made of [0-9A-Za-z._/-], 1,024 bytes at most, each segment between slashes 1 to 200 bytes and not `.` or
/// `..`; no key is another
/// key's folder. Others: kInvalidArgument. Safe from any thread; calls block. Errors: kNotFound, kUnavailable (retry),
/// kTimeout, kOutOfSpace, kInvalidArgument.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  /// Stores the concatenation of `pieces`, durable and visible when this returns. kAlreadyExists under kIfAbsent if the
  /// key is taken.
  virtual Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) = 0;
  /// The bytes of `range`, cut at the object's end; kOutOfRange if it begins at or past the end (a zero-length object
  /// included).
  virtual Result<SharedBytes> Get(std::string_view key, ByteRange range) = 0;
  /// The bytes from `offset` on in parts of these lengths, cut at the object's end as in Get, as one request. Each part
  /// has memory of its own: one that is kept keeps no other. By default one Get, whose bytes are copied; a store that
  /// can read into several places saves the copy. Precondition: `lengths` is not empty.
  virtual Result<std::vector<SharedBytes>> GetParts(std::string_view key, std::uint64_t offset,
                                                    std::span<const std::uint64_t> lengths) {
    std::uint64_t wanted = 0;
    for (const std::uint64_t length : lengths) wanted += length;
    Result<SharedBytes> whole = Get(key, {offset, wanted});
    if (!whole) return std::move(whole).error();
    std::vector<SharedBytes> parts;
    if (lengths.size() == 1) {
      parts.push_back(*std::move(whole));
      return parts;
    }
    std::span<const std::byte> rest = whole->bytes();
    for (const std::uint64_t length : lengths) {
      const std::span<const std::byte> part = rest.first(length < rest.size() ? length : rest.size());
      parts.push_back(SharedBytes::Copy(part));
      rest = rest.subspan(part.size());
    }
    return parts;
  }
  /// As GetParts, for bytes no reader waits for yet: where requests are limited, this one gives way. By default a
  /// GetParts.
  virtual Result<std::vector<SharedBytes>> PrefetchParts(std::string_view key, std::uint64_t offset,
                                                         std::span<const std::uint64_t> lengths) {
    return GetParts(key, offset, lengths);
  }
  virtual Result<ObjectDescription> Head(std::string_view key) = 0;
  /// Keys that begin with `prefix`, at most `max` a page.
  virtual Result<ObjectPage> List(std::string_view prefix, std::string_view continuation, std::size_t max) = 0;
  /// Success also if there was none.
  virtual Result<void> Delete(std::string_view key) = 0;
  /// Deletes each of these; after an error some may be left. By default one Delete each; a store that can takes many in
  /// one request.
  virtual Result<void> DeleteMany(std::span<const std::string> keys) {
    for (const std::string& key : keys) {
      Result<void> deleted = Delete(key);
      if (!deleted) return deleted;
    }
    return {};
  }
  /// Where this is, for people: "file:///var/lib/millrace/objects". No secrets.
  [[nodiscard]] virtual std::string Describe() const = 0;
};

}  // namespace millrace
