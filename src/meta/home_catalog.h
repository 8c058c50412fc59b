// Where a log's objects live, and which generation of its processes writes there. Rows of the table `store`:
//
//   home           text: the URL of the object store
//   claim          number: the generation held last, text: its nonce as hexadecimal digits
//   claim_pending  the same of a generation that is being claimed: whether the store has it is not known here
//   fenced         text: why this directory writes nothing any more; number: the generation that went on elsewhere
//   taken_over     number: the generation under which this directory took the log over from another
//   marker         text: what tells the directory's marker from a copy of it
//   parting        text: why this directory writes nothing from the moment on at which the log is handed over or moved;
//                  number: 1 while that has not come to its end, 2 after
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "meta/transition.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

inline constexpr std::string_view kHomeName = "home", kClaimName = "claim", kClaimPendingName = "claim_pending",
                                  kFencedName = "fenced", kMarkerName = "marker", kTakenOverName = "taken_over",
                                  kPartingName = "parting";

/// A process that writes to the store: the how manieth, and what tells it from another that took the same number.
struct Generation {
  std::uint32_t number = 0, nonce = 0;  // 0: none
  friend bool operator==(const Generation&, const Generation&) = default;
};

struct Fence {
  std::uint32_t generation = 0;
  std::string why;
  friend bool operator==(const Fence&, const Fence&) = default;
};

/// The log leaves this directory, or its place, by its owner's will.
struct Parting {
  enum class State { kBegun = 1, kDone = 2 };
  State state = State::kBegun;
  std::string why;  // for whoever would write here
  friend bool operator==(const Parting&, const Parting&) = default;
};

/// A view of a MetadataStore, which outlives it; copied freely. Safe from any thread. Errors of every call: those of
/// the store.
class HomeCatalog {
 public:
  explicit HomeCatalog(MetadataStore& store) : store_(store) {}

  /// "": none was ever set.
  Result<std::string> Home() const;
  Result<void> SetHome(std::string_view url) const;
  /// "": none was ever set.
  Result<std::string> Marker() const;
  Result<void> SetMarker(std::string_view marker) const;

  /// Number 0: none was ever held.
  Result<Generation> Held() const;
  Result<std::optional<Generation>> Pending() const;
  /// Before the store is asked for it.
  Result<void> Begin(const Generation& pending) const;
  /// The store has it: it is held, and pending no more.
  Result<void> Hold(const Generation& generation) const;

  /// 0: the log began here.
  Result<std::uint32_t> TakenOver() const;

  Result<std::optional<Fence>> Fenced() const;
  Result<void> SetFenced(const Fence& fence) const;

  Result<std::optional<Parting>> Parted() const;
  Result<void> SetParting(const Parting& parting) const;
  /// The same, and Begin, in one transaction.
  Result<void> SetParting(const Parting& parting, const Generation& pending) const;
  /// The log has moved: it lives at `home` from now on, where `held` is its claim, and nothing is parting any more. One
  /// transaction.
  Result<void> Settle(std::string_view home, const Generation& held) const;

 private:
  Result<StoreRow> Find(std::string_view name) const;
  Result<void> Put(StoreRow row) const;
  MetadataStore& store_;
};

/// Adds to `to` what makes the row of `row`'s name as given, and expects `present`.
void PutStoreRow(Transition& to, const std::optional<StoreRow>& present, StoreRow row);

}  // namespace millrace
