// What lies in a log's object store, compared with what its rows say: which key is whose, what is missing, what nothing
// refers to. A pure fold: rows and listed keys in, an account out. It only reports: a listing decides nothing, and
// least of all that something is deleted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "millrace/metadata_store.h"
#include "millrace/object_store.h"
#include "tier/store_keys.h"

namespace millrace {

/// What a key is to the log.
enum class StoredAs {
  kLog,        // says whose the prefix is
  kClaim,      // of a process that wrote here
  kSnapshot,   // all rows of one moment
  kInUse,      // records lie in it
  kGivenUp,    // waits for its deletion
  kUnderWay,   // an attempt that is not decided
  kOrphan,     // of this log, and no row knows it
  kElsewhere,  // put under a claim that is not this directory's own to judge
  kOtherLog,   // of another identity, or of another name space
  kForeign,    // no key of any log
};
inline constexpr std::size_t kStoredKinds = static_cast<std::size_t>(StoredAs::kForeign) + 1;
/// "in_use"
std::string_view NameOf(StoredAs kind);

struct StoredTotal {
  std::uint64_t objects = 0, bytes = 0;
};

/// What a topic has there.
struct TopicUse {
  std::string name;
  std::uint64_t segments = 0, records = 0, bytes = 0;
  std::uint64_t objects = 0;  // in which they lie, some of them with other topics
};

struct StoreFinding {
  enum class Kind { kMissing, kWrongSize, kMissingClaim, kOrphan, kElsewhere, kForeign };
  Kind kind = Kind::kMissing;
  std::string key;
  std::uint64_t size_bytes = 0;      // as listed; 0: it is not
  std::uint64_t expected_bytes = 0;  // kWrongSize, kMissing: what the row says
  std::int64_t modified_ms = 0;      // 0: not known
  /// Records are lost, or nobody can tell any more whose objects are whose.
  [[nodiscard]] bool is_damage() const { return kind <= Kind::kMissingClaim; }
};
/// "missing"
std::string_view NameOf(StoreFinding::Kind kind);

struct StoreAccount {
  std::array<StoredTotal, kStoredKinds> totals{};
  std::vector<TopicUse> topics;     // by name
  std::uint64_t unused_bytes = 0;   // of objects in use: what no segment needs, their directories with it
  std::vector<StoreFinding> found;  // damage first, then by key

  [[nodiscard]] const StoredTotal& of(StoredAs kind) const { return totals[static_cast<std::size_t>(kind)]; }
};

/// Not thread-safe. Memory: a few words for each object, and its key.
class StoreAudit {
 public:
  struct Bounds {
    std::uint32_t taken_over = 0;  // up to this generation objects were others', who may not have known each other
    std::uint32_t held = 0;        // the last one of this log; 0: none was claimed
    bool claims = true;            // false: a place that has none
  };
  StoreAudit(StoreKeys keys, const Bounds& bounds) : keys_(std::move(keys)), bounds_(bounds) {}

  // All rows first, in any order; then what a listing of everything under the prefix names.
  void Add(const TopicRow& topic);
  void Add(const ObjectRow& object);
  void Add(const SegmentRow& segment);
  void AddListed(const ObjectDescription& listed);

  StoreAccount Finish();

 private:
  struct Known {
    ObjectRow row;
    std::uint64_t referred_bytes = 0, referred_end = 0;
    bool listed = false;
  };
  struct HashOfId {
    std::size_t operator()(const ObjectId& id) const;
  };
  [[nodiscard]] StoredAs Classify(const ObjectDescription& listed);
  [[nodiscard]] bool IsOfAnotherLog(std::string_view key) const;
  void Find(StoreFinding::Kind kind, const ObjectDescription& listed);
  void FindMissing();
  void FindMissingClaims();

  const StoreKeys keys_;
  const Bounds bounds_;
  std::map<TopicId, TopicUse> topics_;
  std::unordered_map<ObjectId, Known, HashOfId> objects_;
  std::unordered_map<std::string, ObjectId> by_key_;
  std::set<std::pair<TopicId, ObjectId>> uses_;
  std::set<std::uint32_t> claims_;
  StoreAccount account_;
};

}  // namespace millrace
