#include "tier/store_keys.h"

#include <fmt/format.h>

#include <charconv>

#include "base/check.h"
#include "base/coding.h"

namespace millrace {
namespace {

constexpr std::string_view kObjectEnd = ".obj";
constexpr std::size_t kFolderBits = 12;  // 4,096 objects in a folder

/// Takes `digits` hexadecimal digits off the front.
template <class Number>
bool TakeHex(std::string_view& text, std::size_t digits, Number& number) {
  if (text.size() < digits) return false;
  const char* end = text.data() + digits;
  const auto parsed = std::from_chars(text.data(), end, number, 16);
  if (parsed.ec != std::errc() || parsed.ptr != end) return false;
  text.remove_prefix(digits);
  return true;
}

bool TakeText(std::string_view& text, std::string_view wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(wanted.size());
  return true;
}

}  // namespace

ObjectId ObjectIdOf(const ObjectName& name) {
  ObjectId id;
  auto* at = std::as_writable_bytes(std::span(id)).data();
  PutBe(at, name.generation);
  PutBe(at + 4, name.nonce);
  PutBe(at + 8, name.sequence);
  return id;
}

std::string StoreKeys::Claim(std::uint32_t generation) const { return fmt::format("{}{:08x}", Claims(), generation); }

std::string StoreKeys::ObjectsOf(std::uint32_t generation, std::uint32_t nonce) const {
  return fmt::format("{}{:08x}-{:08x}/", Objects(), generation, nonce);
}

std::string StoreKeys::Object(const ObjectName& name) const {
  MR_CHECK(name.sequence < kAttemptsMax, name.generation, name.sequence);
  return fmt::format("{}{:x}/{:03x}{}", ObjectsOf(name.generation, name.nonce), name.sequence >> kFolderBits,
                     name.sequence & ((1U << kFolderBits) - 1), kObjectEnd);
}

std::string StoreKeys::ObjectsAround(const ObjectName& name) const {
  const std::string key = Object(name);
  return key.substr(0, key.size() - kObjectEnd.size() - 2);
}

std::string StoreKeys::Snapshot(const SnapshotName& name) const {
  return fmt::format("{}{:08x}-{:08x}-{:08x}", Snapshots(), name.generation, name.nonce, name.number);
}

std::optional<std::uint32_t> StoreKeys::ClaimIn(std::string_view key) const {
  std::string_view rest = key;
  std::uint32_t generation = 0;
  if (!TakeText(rest, Claims()) || !TakeHex(rest, 8, generation) || Claim(generation) != key) return {};
  return generation;
}

std::optional<ObjectName> StoreKeys::ObjectIn(std::string_view key) const {
  std::string_view rest = key;
  ObjectName name;
  std::uint64_t folder = 0, number = 0;
  const bool whole = TakeText(rest, Objects()) && TakeHex(rest, 8, name.generation) && TakeText(rest, "-") &&
                     TakeHex(rest, 8, name.nonce) && TakeText(rest, "/") && TakeHex(rest, 1, folder) &&
                     TakeText(rest, "/") && TakeHex(rest, 3, number);
  if (!whole) return {};
  name.sequence = folder << kFolderBits | number;
  if (Object(name) != key) return {};
  return name;
}

std::optional<SnapshotName> StoreKeys::SnapshotIn(std::string_view key) const {
  std::string_view rest = key;
  SnapshotName name;
  const bool whole = TakeText(rest, Snapshots()) && TakeHex(rest, 8, name.generation) && TakeText(rest, "-") &&
                     TakeHex(rest, 8, name.nonce) && TakeText(rest, "-") && TakeHex(rest, 8, name.number);
  if (!whole || Snapshot(name) != key) return {};
  return name;
}

}  // namespace millrace
