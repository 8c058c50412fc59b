#include "store/faulty_object_store.h"

#include <algorithm>

#include "base/try.h"

namespace millrace {
namespace {

constexpr std::size_t kChangesUnheardOf = 8;

Error Injected(ErrorCode code, std::string_view what) { return {code, "injected fault: " + std::string(what)}; }

}  // namespace

FaultyObjectStore::FaultyObjectStore(std::shared_ptr<ObjectStore> inner, std::uint64_t seed,
                                     std::function<void(std::chrono::nanoseconds)> delay)
    : ForwardingObjectStore(std::move(inner)), delay_(std::move(delay)), random_(seed) {}

void FaultyObjectStore::SetPlan(const ObjectFaultPlan& plan) {
  MutexLock lock(mutex_);
  plan_ = plan;
}

void FaultyObjectStore::FailRequest(std::uint64_t n, ObjectFault fault) {
  MutexLock lock(mutex_);
  chosen_request_ = requests_ + n;
  chosen_fault_ = fault;
}

std::uint64_t FaultyObjectStore::requests() const {
  MutexLock lock(mutex_);
  return requests_;
}

std::uint64_t FaultyObjectStore::fired(ObjectFault fault) const {
  MutexLock lock(mutex_);
  return fired_[static_cast<std::size_t>(fault)];
}

bool FaultyObjectStore::Befalls(ObjectFault fault, Request request, bool chosen) {
  const bool of_body = fault == ObjectFault::kShortBody || fault == ObjectFault::kCorruptBody;
  if (of_body && request != Request::kGet) return false;
  if (fault == ObjectFault::kStaleList && request != Request::kList) return false;
  // One draw for each fault, fired or not, so that one fault's chance does not shift the others' dice.
  const bool drawn = random_.Below(1'000'000) < plan_.per_million[static_cast<std::size_t>(fault)];
  if (!drawn && !chosen) return false;
  ++fired_[static_cast<std::size_t>(fault)];
  return true;
}

FaultyObjectStore::Verdict FaultyObjectStore::Judge(Request request) {
  Verdict verdict;
  std::chrono::nanoseconds pause{};
  {
    MutexLock lock(mutex_);
    const bool chosen = ++requests_ == chosen_request_;
    const auto befalls = [&](ObjectFault fault)
                             MR_REQUIRES(mutex_) { return Befalls(fault, request, chosen && fault == chosen_fault_); };
    verdict.error_after = befalls(ObjectFault::kErrorAfter);
    verdict.short_body = befalls(ObjectFault::kShortBody);
    verdict.corrupt_body = befalls(ObjectFault::kCorruptBody);
    verdict.stale_list = befalls(ObjectFault::kStaleList);
    if (befalls(ObjectFault::kDelay)) pause = plan_.delay;
    const bool nothing_yet = !(verdict.error_after || verdict.short_body || verdict.corrupt_body || verdict.stale_list);
    const bool chosen_misfits = chosen && nothing_yet && chosen_fault_ != ObjectFault::kDelay;
    verdict.error_before = Befalls(ObjectFault::kErrorBefore, request, chosen_misfits);
    verdict.code = plan_.code;
    verdict.dice = random_.Next();
  }
  if (pause.count() > 0 && delay_) delay_(pause);
  return verdict;
}

void FaultyObjectStore::Remember(std::string_view key, std::uint64_t size_bytes, bool deleted) {
  MutexLock lock(mutex_);
  recent_.push_back({{std::string(key), size_bytes, 0}, deleted});
  if (recent_.size() > kChangesUnheardOf) recent_.pop_front();
}

Result<void> FaultyObjectStore::Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) {
  const Verdict verdict = Judge(Request::kPut);
  if (verdict.error_before) return Injected(verdict.code, "put had no effect");
  MR_TRY(inner().Put(key, pieces, mode));
  std::uint64_t size = 0;
  for (const SharedBytes& piece : pieces) size += piece.size();
  Remember(key, size, false);
  if (verdict.error_after) return Injected(verdict.code, "put succeeded, its answer was lost");
  return {};
}

Result<SharedBytes> FaultyObjectStore::Get(std::string_view key, ByteRange range) {
  const Verdict verdict = Judge(Request::kGet);
  if (verdict.error_before || verdict.error_after) return Injected(verdict.code, "get");
  MR_ASSIGN_OR_RETURN(SharedBytes bytes, inner().Get(key, range));
  if (verdict.short_body && !bytes.empty()) bytes = bytes.Slice(0, verdict.dice % bytes.size());
  if (verdict.corrupt_body && !bytes.empty()) {
    Buffer damaged(bytes.size());
    std::ranges::copy(bytes.bytes(), damaged.bytes().begin());
    damaged.bytes()[verdict.dice / 8 % bytes.size()] ^= std::byte{1} << (verdict.dice % 8);
    bytes = std::move(damaged).Freeze();
  }
  return bytes;
}

Result<std::vector<SharedBytes>> FaultyObjectStore::GetParts(std::string_view key, std::uint64_t offset,
                                                             std::span<const std::uint64_t> lengths) {
  return ObjectStore::GetParts(key, offset, lengths);
}

Result<std::vector<SharedBytes>> FaultyObjectStore::PrefetchParts(std::string_view key, std::uint64_t offset,
                                                                  std::span<const std::uint64_t> lengths) {
  return ObjectStore::PrefetchParts(key, offset, lengths);
}

Result<void> FaultyObjectStore::DeleteMany(std::span<const std::string> keys) { return ObjectStore::DeleteMany(keys); }

Result<ObjectDescription> FaultyObjectStore::Head(std::string_view key) {
  const Verdict verdict = Judge(Request::kHead);
  if (verdict.error_before || verdict.error_after) return Injected(verdict.code, "head");
  return inner().Head(key);
}

Result<ObjectPage> FaultyObjectStore::List(std::string_view prefix, std::string_view continuation, std::size_t max) {
  const Verdict verdict = Judge(Request::kList);
  if (verdict.error_before || verdict.error_after) return Injected(verdict.code, "list");
  MR_ASSIGN_OR_RETURN(ObjectPage page, inner().List(prefix, continuation, max));
  if (!verdict.stale_list) return page;
  MutexLock lock(mutex_);
  for (const Change& change : recent_) {
    std::erase_if(page.objects, [&](const ObjectDescription& object) { return object.key == change.object.key; });
    const bool belongs = change.object.key.starts_with(prefix) && continuation.empty();
    if (change.deleted && belongs && page.objects.size() < max) page.objects.push_back(change.object);
  }
  return page;
}

Result<void> FaultyObjectStore::Delete(std::string_view key) {
  const Verdict verdict = Judge(Request::kDelete);
  if (verdict.error_before) return Injected(verdict.code, "delete had no effect");
  MR_TRY(inner().Delete(key));
  Remember(key, 0, true);
  if (verdict.error_after) return Injected(verdict.code, "delete succeeded, its answer was lost");
  return {};
}

}  // namespace millrace
