// The keys of a log in its object store: what lies where.
//
//   PREFIX/log                                     whose prefix this is
//   PREFIX/IDENTITY/claim/NNNNNNNN                 claim N
//   PREFIX/IDENTITY/o/NNNNNNNN-RRRRRRRR/S/SSS.obj  object S SSS of generation N, nonce R
//   PREFIX/IDENTITY/s/NNNNNNNN-RRRRRRRR-SSSSSSSS   snapshot S of that generation
//   PREFIX/ab/abcdef….obj                          objects of earlier releases
//
// Numbers are hexadecimal digits of fixed width, so that the order of keys is the order of numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "millrace/metadata_store.h"

namespace millrace {

/// Which attempt an object is: process, and attempt of that process. Never given twice.
struct ObjectName {
  std::uint32_t generation = 0, nonce = 0;
  std::uint64_t sequence = 0;
  friend auto operator<=>(const ObjectName&, const ObjectName&) = default;
};

/// The attempts of one generation.
inline constexpr std::uint64_t kAttemptsMax = 65'536;

/// Generation, nonce and sequence, one after the other, each big-endian.
ObjectId ObjectIdOf(const ObjectName& name);

/// Attempts at snapshots are numbered in each generation, from 0 on.
struct SnapshotName {
  std::uint32_t generation = 0, nonce = 0;
  std::uint32_t number = 0;
  friend auto operator<=>(const SnapshotName&, const SnapshotName&) = default;
};

/// The keys of the log `identity` under `prefix` ("" or ends with a slash).
class StoreKeys {
 public:
  StoreKeys(std::string prefix, std::string identity) : prefix_(std::move(prefix)), identity_(std::move(identity)) {}

  [[nodiscard]] const std::string& prefix() const { return prefix_; }
  [[nodiscard]] const std::string& identity() const { return identity_; }
  [[nodiscard]] std::string Log() const { return prefix_ + "log"; }
  /// What earlier releases wrote in its place.
  [[nodiscard]] std::string EarlierLog() const { return prefix_ + "identity"; }
  [[nodiscard]] std::string Claims() const { return prefix_ + identity_ + "/claim/"; }
  [[nodiscard]] std::string Claim(std::uint32_t generation) const;
  [[nodiscard]] std::string Objects() const { return prefix_ + identity_ + "/o/"; }
  [[nodiscard]] std::string ObjectsOf(std::uint32_t generation, std::uint32_t nonce) const;
  [[nodiscard]] std::string Object(const ObjectName& name) const;
  /// What the keys of an object and its neighbours begin with: of the 256 numbers that differ in the last 8 bits.
  [[nodiscard]] std::string ObjectsAround(const ObjectName& name) const;
  [[nodiscard]] std::string Snapshots() const { return prefix_ + identity_ + "/s/"; }
  [[nodiscard]] std::string Snapshot(const SnapshotName& name) const;

  // None: a key that is no such one.
  [[nodiscard]] std::optional<std::uint32_t> ClaimIn(std::string_view key) const;
  [[nodiscard]] std::optional<ObjectName> ObjectIn(std::string_view key) const;
  [[nodiscard]] std::optional<SnapshotName> SnapshotIn(std::string_view key) const;

 private:
  std::string prefix_, identity_;
};

}  // namespace millrace
