#include "tier/store_audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <tuple>

#include "base/hex.h"

namespace millrace {
namespace {

bool IsHex(std::string_view text) {
  return std::ranges::all_of(text, [](char one) { return (one >= '0' && one <= '9') || (one >= 'a' && one <= 'f'); });
}

constexpr std::size_t kIdentityDigits = 32;

}  // namespace

std::string_view NameOf(StoredAs kind) {
  constexpr std::array<std::string_view, kStoredKinds> kNames{
      "log", "claims", "snapshots", "in_use", "given_up", "under_way", "orphans", "elsewhere", "other_logs", "foreign"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view NameOf(StoreFinding::Kind kind) {
  constexpr std::array<std::string_view, 6> kNames{"missing", "wrong_size", "missing_claim",
                                                   "orphan",  "elsewhere",  "foreign"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::size_t StoreAudit::HashOfId::operator()(const ObjectId& id) const {
  std::uint64_t first = 0, second = 0;
  std::memcpy(&first, id.data(), sizeof first);
  std::memcpy(&second, id.data() + sizeof first, sizeof second);
  return std::hash<std::uint64_t>()(first * 0x9e3779b97f4a7c15 + second);
}

void StoreAudit::Add(const TopicRow& topic) { topics_[topic.id].name = topic.name; }

void StoreAudit::Add(const ObjectRow& object) {
  objects_[object.id].row = object;
  by_key_[object.key] = object.id;
}

void StoreAudit::Add(const SegmentRow& segment) {
  if (segment.is_gap()) return;
  Known& object = objects_[segment.object];
  object.referred_bytes += segment.byte_size;
  object.referred_end = std::max(object.referred_end, segment.byte_begin + segment.byte_size);
  TopicUse& topic = topics_[segment.partition.topic];
  topic.segments += 1;
  topic.records += segment.records;
  topic.bytes += segment.byte_size;
  if (uses_.emplace(segment.partition.topic, segment.object).second) topic.objects += 1;
}

void StoreAudit::AddListed(const ObjectDescription& listed) {
  StoredTotal& total = account_.totals[static_cast<std::size_t>(Classify(listed))];
  total.objects += 1;
  total.bytes += listed.size_bytes;
}

void StoreAudit::Find(StoreFinding::Kind kind, const ObjectDescription& listed) {
  account_.found.push_back(
      {.kind = kind, .key = listed.key, .size_bytes = listed.size_bytes, .modified_ms = listed.modified_ms});
}

StoredAs StoreAudit::Classify(const ObjectDescription& listed) {
  const std::string& key = listed.key;
  if (key == keys_.Log() || key == keys_.EarlierLog()) return StoredAs::kLog;
  if (const auto generation = keys_.ClaimIn(key)) {
    claims_.insert(*generation);
    return StoredAs::kClaim;
  }
  if (keys_.SnapshotIn(key)) return StoredAs::kSnapshot;
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    Known& known = objects_[found->second];
    known.listed = true;
    if (known.row.state == ObjectState::kPrepared) return StoredAs::kUnderWay;
    if (known.row.state == ObjectState::kDeleting) return StoredAs::kGivenUp;
    if (listed.size_bytes != known.row.size_bytes || known.referred_end > listed.size_bytes) {
      Find(StoreFinding::Kind::kWrongSize, listed);
      account_.found.back().expected_bytes = std::max(known.row.size_bytes, known.referred_end);
    }
    account_.unused_bytes += listed.size_bytes - std::min(listed.size_bytes, known.referred_bytes);
    return StoredAs::kInUse;
  }
  if (const auto name = keys_.ObjectIn(key)) {
    // What another directory put, before this one took the log over, or after, is not this one's to judge.
    const bool elsewhere = name->generation <= bounds_.taken_over || name->generation > bounds_.held;
    Find(elsewhere ? StoreFinding::Kind::kElsewhere : StoreFinding::Kind::kOrphan, listed);
    return elsewhere ? StoredAs::kElsewhere : StoredAs::kOrphan;
  }
  if (IsOfAnotherLog(key)) return StoredAs::kOtherLog;
  Find(StoreFinding::Kind::kForeign, listed);
  return StoredAs::kForeign;
}

/// By the shape of its key: PREFIX/IDENTITY/…, or PREFIX/ns/HEX/… of a name space below.
bool StoreAudit::IsOfAnotherLog(std::string_view key) const {
  if (!key.starts_with(keys_.prefix())) return true;
  key.remove_prefix(keys_.prefix().size());
  if (key.starts_with("ns/")) return true;
  const std::size_t slash = key.find('/');
  return slash == kIdentityDigits && IsHex(key.substr(0, slash)) && key.substr(0, slash) != keys_.identity();
}

/// Committed and not listed. Whether it is really gone, its key has to be asked for.
void StoreAudit::FindMissing() {
  for (const auto& [id, known] : objects_) {
    const bool needed = known.referred_end > 0 || known.row.state == ObjectState::kCommitted;
    if (known.listed || !needed) continue;
    const bool has_row = !known.row.key.empty();
    account_.found.push_back(
        {.kind = StoreFinding::Kind::kMissing,
         .key = has_row ? known.row.key : fmt::format("object {} (it has no row)", ToHex(std::as_bytes(std::span(id)))),
         .expected_bytes = has_row ? known.row.size_bytes : known.referred_end});
  }
}

/// They follow each other from the first one kept on, up to the last one held.
void StoreAudit::FindMissingClaims() {
  if (!bounds_.claims || bounds_.held == 0) return;
  const std::uint32_t first = claims_.empty() ? bounds_.held : std::min(*claims_.begin(), bounds_.held);
  for (std::uint32_t number = first; number <= bounds_.held; ++number)
    if (!claims_.contains(number))
      account_.found.push_back({.kind = StoreFinding::Kind::kMissingClaim, .key = keys_.Claim(number)});
}

StoreAccount StoreAudit::Finish() {
  FindMissing();
  FindMissingClaims();
  std::ranges::sort(account_.found, [](const StoreFinding& one, const StoreFinding& other) {
    return std::tuple(!one.is_damage(), std::string_view(one.key)) <
           std::tuple(!other.is_damage(), std::string_view(other.key));
  });
  for (auto& [id, topic] : topics_) account_.topics.push_back(std::move(topic));
  std::ranges::sort(account_.topics, {}, &TopicUse::name);
  return std::move(account_);
}

}  // namespace millrace
