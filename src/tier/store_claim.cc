#include "tier/store_claim.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "base/bugs.h"
#include "base/check.h"
#include "base/limited_wait.h"
#include "base/try.h"
#include "meta/segment_catalog.h"
#include "tier/object_tail.h"

namespace millrace {
namespace {

constexpr int kReadsMax = 3;  // of a text that comes damaged
constexpr std::size_t kListPage = 1'000;
constexpr std::string_view kWrongPlace =
    "name the store that belongs to this directory, or restore what was lost there; nothing is written over it";
constexpr std::string_view kGoneByWill = "reading what is local goes on; docs/store.md tells how a log moves";
constexpr std::string_view kRestoreElsewhere =
    "reading what is local goes on; `millrace store restore` makes a directory that can write";

SharedBytes BytesOf(const std::string& text) { return SharedBytes::Copy(AsBytes(text)); }

Result<void> PutText(ObjectStore& objects, const std::string& key, const std::string& text) {
  const SharedBytes bytes = BytesOf(text);
  return objects.Put(key, {&bytes, 1}, PutMode::kIfAbsent);
}

/// None: there is no such object.
Result<std::optional<std::string>> GetText(ObjectStore& objects, const std::string& key) {
  const auto bytes = objects.Get(key, {0, kClaimBytesMax + 1});
  if (bytes) return std::optional<std::string>(AsText(*bytes));
  if (bytes.error().code() == ErrorCode::kNotFound) return std::optional<std::string>();
  if (bytes.error().code() == ErrorCode::kOutOfRange) return std::optional<std::string>("");  // it is empty
  return bytes.error();
}

/// A text that is damaged again and again is told as such, and not taken for a stranger's.
template <class Text>
Result<std::optional<Text>> ReadText(ObjectStore& objects, const std::string& key,
                                     Result<Text> (*parse)(std::string_view)) {
  for (int read = 1;; ++read) {
    MR_ASSIGN_OR_RETURN(const auto text, GetText(objects, key));
    if (!text) return std::optional<Text>();
    auto parsed = parse(*text);
    if (parsed) return std::optional<Text>(*std::move(parsed));
    if (parsed.error().code() != ErrorCode::kCorruption || read == kReadsMax)
      return parsed.error().WithContext(fmt::format("{}: {}", objects.Describe(), key));
  }
}

Error IgnoresConditions(const ObjectStore& objects) {
  return Error(
      ErrorCode::kUnsupported,
      fmt::format("{} puts an object although there is one under its key and it was told not to (If-None-Match "
                  "is ignored): two writers could not be told apart",
                  objects.Describe()),
      "use a store that honours If-None-Match: *, or add single_writer=1 to its URL if no other process will "
      "ever write there");
}

/// A directory that was copied file by file must not fence the one it was copied from.
Error IsACopy() {
  return Error(
      ErrorCode::kFenced,
      "this directory is a copy of the one that writes to the object store, and writes nothing there",
      "reading goes on; if the other one is gone for good, or this is the original, moved by its files, `millrace "
      "store takeover` lets this one go on, and the other no more");
}

}  // namespace

Result<bool> HoldsClaim(ObjectStore& objects, const StoreKeys& keys, const Generation& held) {
  MR_ASSIGN_OR_RETURN(const auto log, ReadText(objects, keys.Log(), &ParseLogText));
  if (!log || log->identity != keys.identity() || held.number == 0) return false;
  MR_ASSIGN_OR_RETURN(const auto ours, ReadText(objects, keys.Claim(held.number), &ParseClaimText));
  if (!ours || ours->nonce != held.nonce) return false;
  MR_ASSIGN_OR_RETURN(const auto later, ReadText(objects, keys.Claim(held.number + 1), &ParseClaimText));
  return !later;
}

Result<void> PutLogText(ObjectStore& objects, const StoreKeys& keys, LogText log, bool single_writer) {
  auto put = PutText(objects, keys.Log(), Encode(log));
  if (put && !single_writer) {
    log.host += " (asked twice)";  // other bytes: a repetition of the first is no answer
    const auto again = PutText(objects, keys.Log(), Encode(log));
    if (again) return IgnoresConditions(objects);
    if (again.error().code() != ErrorCode::kAlreadyExists) return again;
  }
  if (!put && put.error().code() != ErrorCode::kAlreadyExists) return put;
  MR_ASSIGN_OR_RETURN(const auto now, ReadText(objects, keys.Log(), &ParseLogText));
  if (!now)
    return Error(
        ErrorCode::kUnsupported,
        fmt::format("{} does not show an object that was just put: no claim can rest on it", objects.Describe()),
        "use a store whose reads see what was written");
  if (now->identity == keys.identity()) return {};
  return Error(ErrorCode::kAlreadyExists,
               fmt::format("there is a log at {} already: {}", objects.Describe(), now->identity));
}

Result<bool> PutClaimText(ObjectStore& objects, const StoreKeys& keys, const ClaimText& claim) {
  auto put = PutText(objects, keys.Claim(claim.generation), Encode(claim));
  if (!put && put.error().code() != ErrorCode::kAlreadyExists) return put.error();
  // Read back: a store that checks and then writes may have told two of them that they have it.
  MR_ASSIGN_OR_RETURN(const auto now, ReadText(objects, keys.Claim(claim.generation), &ParseClaimText));
  if (!now)
    return Error(
        ErrorCode::kUnsupported,
        fmt::format("{} remembers that a key was absent after it was put: no claim can rest on it", objects.Describe()),
        "use a store whose reads see what was written");
  return now->nonce == claim.nonce && now->identity == claim.identity;
}

StoreClaim::StoreClaim(StoreClaimOptions options, StoreKeys keys, ObjectStore& objects, MetadataStore& metadata,
                       const Clock& clock, Random& random)
    : options_(std::move(options)),
      keys_(std::move(keys)),
      objects_(objects),
      metadata_(metadata),
      clock_(clock),
      random_(random),
      checking_(clock),
      holding_(clock) {}

Result<void> StoreClaim::LoadFence() {
  MR_ASSIGN_OR_RETURN(const auto fence, HomeCatalog(metadata_).Fenced());
  MR_ASSIGN_OR_RETURN(const auto parting, HomeCatalog(metadata_).Parted());
  std::optional<Error> error;
  if (parting) error = Error(ErrorCode::kFenced, parting->why, std::string(kGoneByWill));
  if (fence) error = Error(ErrorCode::kFenced, fence->why, std::string(kRestoreElsewhere));
  if (!error && options_.claims && !options_.marker.empty()) {
    MR_ASSIGN_OR_RETURN(const std::string recorded, HomeCatalog(metadata_).Marker());
    if (!recorded.empty() && recorded != options_.marker) error = IsACopy();
  }
  MutexLock lock(mutex_);
  fenced_ = std::move(error);
  is_fenced_.store(fenced_.has_value(), std::memory_order_release);
  return {};
}

Result<void> StoreClaim::Check() {
  if (known_.load(std::memory_order_acquire)) [[likely]]
    return {};
  return checking_.Run("asking who the store is", [this]() -> Result<void> {
    if (known_.load(std::memory_order_acquire)) return {};
    MR_ASSIGN_OR_RETURN(const Whose whose, AskWhose());
    if (whose == Whose::kOurs) known_.store(true, std::memory_order_release);
    return {};
  });
}

/// kNobodys: the place is free, and this log has nothing there.
Result<StoreClaim::Whose> StoreClaim::AskWhose() {
  std::string key = keys_.Log();
  auto log = ReadText(objects_, key, &ParseLogText);
  if (log && !*log) {
    key = keys_.EarlierLog();
    log = ReadText(objects_, key, &ParseLogText);
  }
  if (!log) return log.error().WithContext("asking who the store is");
  if (*log && (*log)->identity == keys_.identity()) return Whose::kOurs;
  if (*log)
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} is not the object store of this data: {} says that it holds the log {}, and this one "
                             "is {}",
                             objects_.Describe(), key, (*log)->identity, keys_.identity()),
                 std::string(kWrongPlace));
  MR_ASSIGN_OR_RETURN(const auto objects, SegmentCatalog(metadata_).ObjectsIn(
                                              ObjectState::kCommitted, std::numeric_limits<std::int64_t>::max(), 1));
  MR_ASSIGN_OR_RETURN(const Generation held, HomeCatalog(metadata_).Held());
  if (objects.empty() && (held.number == 0 || !options_.claims)) return Whose::kNobodys;
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("{} has lost its data, or is another one: the log {} has objects or claims in it, and there "
                           "is no {}",
                           objects_.Describe(), keys_.identity(), keys_.Log()),
               std::string(kWrongPlace));
}

Result<void> StoreClaim::Hold() {
  if (held_.load(std::memory_order_acquire)) [[likely]]
    return {};
  return holding_.Run("claiming the object store", [this]() -> Result<void> {
    if (held_.load(std::memory_order_acquire)) return {};
    if (const auto fenced = this->fenced()) return *fenced;
    MR_TRY(HoldOnce());
    held_.store(true, std::memory_order_release);
    return {};
  });
}

Result<void> StoreClaim::HoldOnce() {
  if (options_.claims && !options_.marker.empty()) MR_TRY(HomeCatalog(metadata_).SetMarker(options_.marker));
  MR_ASSIGN_OR_RETURN(const Whose whose, AskWhose());
  if (whose == Whose::kNobodys) MR_TRY(MakeOurs());
  known_.store(true, std::memory_order_release);
  MR_ASSIGN_OR_RETURN(const Generation held, HomeCatalog(metadata_).Held());
  Generation next{.number = held.number + 1, .nonce = static_cast<std::uint32_t>(random_.Next())};
  if (options_.claims) {
    MR_TRY(CheckHeld(held));
    MR_ASSIGN_OR_RETURN(next, ClaimNext(held, GoingOn(held)));
  }
  MR_TRY(HomeCatalog(metadata_).Hold(next));
  MutexLock lock(mutex_);
  generation_ = next;
  next_ = 0;
  return {};
}

/// Of two new logs that come to one empty place at once, one gets it.
Result<void> StoreClaim::MakeOurs() {
  const LogText log{.identity = keys_.identity(), .made_ms = clock_.WallMs(), .host = options_.host};
  auto put = PutLogText(objects_, keys_, log, !options_.claims || options_.single_writer);
  if (put || put.error().code() != ErrorCode::kAlreadyExists) return put;
  MR_ASSIGN_OR_RETURN(const Whose whose, AskWhose());
  return whose == Whose::kOurs ? Result<void>() : put;
}

Result<std::optional<ClaimText>> StoreClaim::ReadClaim(std::uint32_t generation) {
  return ReadText(objects_, keys_.Claim(generation), &ParseClaimText);
}

/// Our own last claim must be there: a bucket that was emptied, or an older copy of one, has it not.
Result<void> StoreClaim::CheckHeld(const Generation& held) {
  if (held.number == 0) return {};
  MR_ASSIGN_OR_RETURN(const auto ours, ReadClaim(held.number));
  const bool is_mine = ours && ours->nonce == held.nonce && ours->identity == keys_.identity();
  if (is_mine && ours->how == ClaimText::How::kMovedTo)
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the log has moved from {} to {}", objects_.Describe(), ours->place),
                 "open it where it lives");
  if (is_mine) return CheckNotRolledBack(held);
  if (ours) return WentOnElsewhere(*ours);
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("{} has not the claim {} that this log put there: it was emptied, or is an older copy",
                           objects_.Describe(), held.number),
               std::string(kWrongPlace));
}

/// Every attempt is known to metadata before it is sent. What metadata does not know was put by a later state of this
/// very directory, if it reaches further than the log does.
Result<void> StoreClaim::CheckNotRolledBack(const Generation& held) {
  if (!options_.went_further) return {};
  std::string continuation;
  do {
    MR_ASSIGN_OR_RETURN(const ObjectPage page,
                        objects_.List(keys_.ObjectsOf(held.number, held.nonce), continuation, kListPage));
    for (const ObjectDescription& listed : page.objects) {
      const auto name = keys_.ObjectIn(listed.key);
      if (!name) continue;
      MR_ASSIGN_OR_RETURN(const auto known, SegmentCatalog(metadata_).FindObject(ObjectIdOf(*name)));
      if (known) continue;
      const auto directory = ReadObjectDirectory(objects_, listed.key, listed.size_bytes);
      if (!directory && directory.error().code() != ErrorCode::kCorruption &&
          directory.error().code() != ErrorCode::kNotFound)
        return directory.error();
      if (!directory || !*directory || !options_.went_further(**directory)) continue;
      return FenceOff(
          held.number,
          fmt::format("this disk was rolled back: {} holds records that this directory has lost", objects_.Describe()),
          "`millrace store restore` into an empty directory has them");
    }
    continuation = page.next;
  } while (!continuation.empty());
  return {};
}

ClaimText StoreClaim::GoingOn(const Generation& held) {
  return {.how = held.number == 0 ? ClaimText::How::kFirst : ClaimText::How::kContinues, .nonce_before = held.nonce};
}

Result<Generation> StoreClaim::ClaimNext(const Generation& held, ClaimText how) {
  MR_ASSIGN_OR_RETURN(const auto pending, HomeCatalog(metadata_).Pending());
  const std::uint32_t number = held.number + 1;
  MR_ASSIGN_OR_RETURN(const auto taken, ReadClaim(number));
  if (taken && pending && pending->number == number && taken->nonce == pending->nonce) return *pending;
  if (taken) return WentOnElsewhere(*taken);
  const Generation next{.number = number, .nonce = static_cast<std::uint32_t>(random_.Next())};
  MR_TRY(HomeCatalog(metadata_).Begin(next));
  MR_TRY(PutClaim(next, std::move(how)));
  return next;
}

Result<void> StoreClaim::PutClaim(const Generation& next, ClaimText claim) {
  claim.identity = keys_.identity();
  claim.generation = next.number;
  claim.nonce = next.nonce;
  claim.host = options_.host;
  claim.at_ms = clock_.WallMs();
  MR_ASSIGN_OR_RETURN(const bool ours, PutClaimText(objects_, keys_, claim));
  if (ours) return {};
  MR_ASSIGN_OR_RETURN(const auto now, ReadClaim(next.number));
  return WentOnElsewhere(now.value_or(claim));
}

Result<Generation> StoreClaim::BeginParting() {
  if (!options_.claims)
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} has no claims: nobody else can go on from there", objects_.Describe()),
                 "`millrace store move --to URL` takes the log to a store of its own");
  MR_ASSIGN_OR_RETURN(const auto fence, HomeCatalog(metadata_).Fenced());
  {
    MutexLock lock(mutex_);
    if (fence && fenced_) return *fenced_;
    fenced_.reset();
    is_fenced_.store(false, std::memory_order_release);
  }
  MR_ASSIGN_OR_RETURN(const Whose whose, AskWhose());
  if (whose == Whose::kNobodys) MR_TRY(MakeOurs());
  known_.store(true, std::memory_order_release);
  MR_ASSIGN_OR_RETURN(const Generation held, HomeCatalog(metadata_).Held());
  MR_TRY(CheckHeld(held));
  return held;
}

Result<void> StoreClaim::Release() {
  MR_ASSIGN_OR_RETURN(const Generation held, BeginParting());
  MR_ASSIGN_OR_RETURN(const Generation next,
                      ClaimNext(held, {.how = ClaimText::How::kReleases, .nonce_before = held.nonce}));
  MR_TRY(HomeCatalog(metadata_).Hold(next));
  {
    MutexLock lock(mutex_);
    generation_ = next;
    next_ = 0;
  }
  held_.store(true, std::memory_order_release);
  return {};
}

Result<void> StoreClaim::Leave(const Generation& as, const std::string& place) {
  MR_ASSIGN_OR_RETURN(const Generation held, BeginParting());
  MR_CHECK(as.number == held.number + 1, as.number, held.number);
  MR_ASSIGN_OR_RETURN(const auto taken, ReadClaim(as.number));
  const bool is_ours = taken && taken->nonce == as.nonce && taken->how == ClaimText::How::kMovedTo;
  if (is_ours) return {};  // an earlier attempt came so far
  if (taken) return WentOnElsewhere(*taken);
  return PutClaim(as, {.how = ClaimText::How::kMovedTo, .place = place});
}

Error StoreClaim::WentOnElsewhere(const ClaimText& claim) {
  if (claim.how == ClaimText::How::kMovedTo)
    return FenceOff(claim.generation, fmt::format("the log has moved from {} to {}", objects_.Describe(), claim.place),
                    "reading what is local goes on; what it lacks is there");
  return FenceOff(claim.generation,
                  fmt::format("the log went on elsewhere: {} was claimed for generation {} by {} at {}",
                              objects_.Describe(), claim.generation, claim.host, TimeText(claim.at_ms)),
                  std::string(kRestoreElsewhere));
}

/// For good, for this process and those that come after it.
Error StoreClaim::FenceOff(std::uint32_t generation, std::string why, std::string hint) {
  Error error(ErrorCode::kFenced, why, std::move(hint));
  bool first = false;
  {
    MutexLock lock(mutex_);
    first = !fenced_;
    if (first) fenced_ = error;
    is_fenced_.store(true, std::memory_order_release);
    proven_.NotifyAll();
  }
  if (!first) return error;
  (void)HomeCatalog(metadata_).SetFenced({.generation = generation, .why = std::move(why)});  // else found out again
  if (options_.on_fenced) options_.on_fenced(error);
  return error;
}

Result<ObjectName> StoreClaim::Begin() {
  for (;;) {
    MR_TRY(Hold());
    {
      MutexLock lock(mutex_);
      if (fenced_) return *fenced_;
      if (next_ < kAttemptsMax) {
        under_way_.insert(next_);
        return ObjectName{.generation = generation_.number, .nonce = generation_.nonce, .sequence = next_++};
      }
    }
    held_.store(false, std::memory_order_release);  // its numbers are used up
  }
}

void StoreClaim::Settle(const ObjectName& name) {
  MutexLock lock(mutex_);
  if (name.generation == generation_.number) under_way_.erase(name.sequence);
}

Result<void> StoreClaim::LookForSuccessor() {
  const std::uint32_t next = generation().number + 1;
  MR_ASSIGN_OR_RETURN(const auto taken, ReadClaim(next));
  if (taken) return WentOnElsewhere(*taken);
  return {};
}

Result<void> StoreClaim::Prove() {
  MR_TRY(Hold());
  if (!options_.claims || Planted(Bug::kClaimNotProven)) return {};
  LimitedWait wait(mutex_, proven_, clock_);
  std::uint64_t mine = 0;
  {
    MutexLock lock(mutex_);
    const std::uint64_t wanted = proofs_sent_ + 1;  // one under way was sent before this call
    for (;;) {
      if (fenced_) return *fenced_;
      if (proof_good_ >= wanted) return {};
      if (!proving_) break;
      MR_TRY(wait.For("a look at the claims", mutex_));
    }
    proving_ = true;
    mine = ++proofs_sent_;
  }
  const Result<void> looked = LookForSuccessor();
  MutexLock lock(mutex_);
  proving_ = false;
  if (looked) proof_good_ = std::max(proof_good_, mine);
  proven_.NotifyAll();
  return looked;
}

std::optional<Error> StoreClaim::fenced() const {
  MutexLock lock(mutex_);
  return fenced_;
}

Generation StoreClaim::generation() const {
  MutexLock lock(mutex_);
  return generation_;
}

std::uint64_t StoreClaim::settled() const {
  MutexLock lock(mutex_);
  return under_way_.empty() ? next_ : *under_way_.begin();
}

}  // namespace millrace
