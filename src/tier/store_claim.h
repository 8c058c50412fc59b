// The right of this process to write to the log's object store, and the proof that it still has it.
//
//   nothing asked ──Check──► whose store it is, known ──Hold──► claim N is ours ──Prove: no claim N + 1──► still ours
//                                                        │                             │
//                                                        └── a stranger has N ─────────┴── a stranger has N + 1: fenced
//
// A claim is a key that is put if absent and never deleted: of all who want number N one gets it. Whoever goes on with
// this log elsewhere claims N + 1 first and lists objects afterwards. So an object that was answered before a look for
// claim N + 1 that found none is in that list: what such a look vouches for cannot be lost. Clocks play no part.
//
// A place inside the data directory, or in this process, has no claims: whoever holds the directory's lock has the
// place. Its generations are counted in metadata alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "base/mutex.h"
#include "base/shared_call.h"
#include "env/random.h"
#include "meta/home_catalog.h"
#include "millrace/clock.h"
#include "millrace/metadata_store.h"
#include "millrace/object_store.h"
#include "millrace/result.h"
#include "segment/object_directory.h"
#include "tier/claim_text.h"
#include "tier/store_keys.h"

namespace millrace {

/// Whether the place is this log's, `held` is its claim there, and nobody has claimed a later one.
Result<bool> HoldsClaim(ObjectStore& objects, const StoreKeys& keys, const Generation& held);

/// Says at an empty place whose it is; success also if it says so already. Errors: kAlreadyExists (another log was
/// first), kUnsupported (no claim can rest on the store: it ignores conditions, unless it is `single_writer`, or does
/// not show what was just put).
Result<void> PutLogText(ObjectStore& objects, const StoreKeys& keys, LogText log, bool single_writer);
/// Puts a claim if it is absent and reads it back. False: another process has that number.
Result<bool> PutClaimText(ObjectStore& objects, const StoreKeys& keys, const ClaimText& claim);

struct StoreClaimOptions {
  /// False: the place is the directory's own.
  bool claims = true;
  /// The store may ignore put-if-absent: whoever named it says that nobody else writes there.
  bool single_writer = false;
  std::string host;    // for people who read claims
  std::string marker;  // tells the directory's marker from a copy of it; "": cannot be told
  /// Whether an object that metadata does not know holds what this log, as it was opened, had not come to yet.
  std::function<bool(const ObjectDirectory&)> went_further;
  /// Called once, under no lock.
  std::function<void(const Error&)> on_fenced;
};

/// Safe from any thread.
class StoreClaim {
 public:
  /// `objects` retries; it, `metadata`, `clock` and `random` outlive the claim.
  StoreClaim(StoreClaimOptions options, StoreKeys keys, ObjectStore& objects, MetadataStore& metadata,
             const Clock& clock, Random& random);

  /// Whose store it is, asked once: for requests that only read. kInvalidArgument: another log's, or one that has lost
  /// what this log put there.
  Result<void> Check();
  /// Before anything is put or deleted: claims the next generation, once. Errors: those of Check; kFenced (the log went
  /// on elsewhere, or this directory is a copy, or older than the store; for good), kUnsupported (a store on which no
  /// claim can rest).
  Result<void> Hold();
  /// The next attempt at an object, under the generation held. Call Settle once it is known how it ended.
  Result<ObjectName> Begin();
  void Settle(const ObjectName& name);
  /// Nobody has claimed the next generation: whatever the store answered before this call began will be seen by all
  /// who go on with this log. One request serves all who ask before it is sent. kFenced, for good.
  Result<void> Prove();

  /// The owner hands the log over: claims the next generation once more, to say so (ClaimText::How::kReleases), and
  /// holds it. Before it whatever was appended must be in the store, and HomeCatalog::SetParting must have kept
  /// everybody from appending; that alone does not refuse this call. Errors: as Hold, and kInvalidArgument (the place
  /// has no claims).
  Result<void> Release();
  /// The same when the log moves: `as` is its claim at `place`, and here it says that nothing follows. Holds nothing.
  /// Again after a crash: succeeds again.
  Result<void> Leave(const Generation& as, const std::string& place);

  /// Why nothing is written any more, if so. is_fenced: without a lock.
  [[nodiscard]] bool is_fenced() const { return is_fenced_.load(std::memory_order_acquire); }
  [[nodiscard]] std::optional<Error> fenced() const;
  [[nodiscard]] Generation generation() const;
  [[nodiscard]] const StoreKeys& keys() const { return keys_; }
  [[nodiscard]] bool claims() const { return options_.claims; }
  /// All attempts of this generation below it are settled.
  [[nodiscard]] std::uint64_t settled() const;
  /// Before all else: what an earlier process found out, and whether this directory is a copy.
  Result<void> LoadFence();

 private:
  enum class Whose { kOurs, kNobodys };
  Result<Whose> AskWhose();
  Result<void> HoldOnce();
  Result<void> MakeOurs();
  Result<std::optional<ClaimText>> ReadClaim(std::uint32_t generation);
  Result<void> CheckHeld(const Generation& held);
  Result<void> CheckNotRolledBack(const Generation& held);
  Result<Generation> ClaimNext(const Generation& held, ClaimText how);
  Result<void> PutClaim(const Generation& next, ClaimText claim);
  [[nodiscard]] static ClaimText GoingOn(const Generation& held);
  /// A parting that has begun fences everybody but who carries it out. The generation held, which is the last one.
  Result<Generation> BeginParting();
  Result<void> LookForSuccessor();
  Error FenceOff(std::uint32_t generation, std::string why, std::string hint);
  Error WentOnElsewhere(const ClaimText& claim);

  const StoreClaimOptions options_;
  const StoreKeys keys_;
  ObjectStore& objects_;
  MetadataStore& metadata_;
  const Clock& clock_;
  Random& random_;
  std::atomic<bool> known_{false}, held_{false}, is_fenced_{false};
  SharedCall<void> checking_, holding_;

  mutable Mutex mutex_;
  CondVar proven_;
  Generation generation_ MR_GUARDED_BY(mutex_);
  std::uint64_t next_ MR_GUARDED_BY(mutex_) = 0;
  std::set<std::uint64_t> under_way_ MR_GUARDED_BY(mutex_);
  std::optional<Error> fenced_ MR_GUARDED_BY(mutex_);
  bool proving_ MR_GUARDED_BY(mutex_) = false;
  std::uint64_t proofs_sent_ MR_GUARDED_BY(mutex_) = 0, proof_good_ MR_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
