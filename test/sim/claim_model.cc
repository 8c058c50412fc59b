#include "claim_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string_view>
#include <type_traits>
#include <unordered_set>
#include <vector>

namespace millrace::sim {
namespace {

constexpr std::uint8_t kSegments = 2, kAttempts = 3, kNone = 0xff;

enum Place : std::uint8_t { kSent, kLanded, kAnswered, kGone };
enum Proof : std::uint8_t { kNoProof, kProofSent, kProofGood };

struct Attempt {
  std::uint8_t segment = 0, place = kSent, given_up = 0;
};

/// Rows of metadata, and so what a snapshot holds.
struct Rows {
  std::uint8_t dropped = 0, committed = 0;  // segments below; what is committed is acknowledged
  std::uint8_t given_up = 0;                // a bit for each attempt
  std::uint8_t object[kSegments] = {kNone, kNone};
};

/// Bytes alone, so that they can be compared and hashed as such.
struct State {
  Attempt attempts[kAttempts];
  std::uint8_t sent = 0;                                                   // attempts so far
  Rows rows, snapshot;                                                     // of A; the newest one in the store
  std::uint8_t proof = kNoProof, answered = 0, dropped = 0, given_up = 0;  // what the proof at hand vouches for
  std::uint8_t deletes = 0;                                                // under way: a bit for each attempt
  std::uint8_t fenced = 0, claimed = 0;
  std::uint8_t taker = 0;  // steps that B has made
  Rows seen;               // the snapshot that B read
  std::uint8_t linked[kSegments] = {kNone, kNone};
};
static_assert(std::has_unique_object_representations_v<State>);

std::string_view BytesOf(const State& state) { return {reinterpret_cast<const char*>(&state), sizeof state}; }

struct HashState {
  std::size_t operator()(const State& state) const { return std::hash<std::string_view>()(BytesOf(state)); }
};
struct SameState {
  bool operator()(const State& one, const State& other) const { return BytesOf(one) == BytesOf(other); }
};

constexpr bool Has(std::uint8_t mask, std::uint8_t bit) { return (mask >> bit & 1) != 0; }
constexpr std::uint8_t With(std::uint8_t mask, std::uint8_t bit) { return static_cast<std::uint8_t>(mask | 1U << bit); }
constexpr std::uint8_t Without(std::uint8_t mask, std::uint8_t bit) {
  return static_cast<std::uint8_t>(mask & ~(1U << bit));
}

bool IsThere(const State& s, std::uint8_t attempt) {
  return s.attempts[attempt].place == kLanded || s.attempts[attempt].place == kAnswered;
}
bool IsCommitted(const State& s, std::uint8_t attempt) {
  return std::ranges::find(s.rows.object, attempt) != std::end(s.rows.object);
}

class Exploration {
 public:
  explicit Exploration(std::optional<ClaimGuard> without) : without_(without) {}

  ClaimExploration Run() {
    Add(State{}, 0, "begin", kNone);
    for (std::uint32_t at = 0; at < states_.size(); ++at) {
      const State state = states_[at];
      if (auto broken = Broken(state)) return {states_.size(), *broken + Story(at)};
      from_ = at;
      Environment(state);
      if (state.fenced == 0) {
        Uploads(state);
        Proves(state);
        Deletes(state);
      }
      TakesOver(state);
    }
    return {states_.size(), std::nullopt};
  }

 private:
  [[nodiscard]] bool Guarded(ClaimGuard guard) const { return without_ != guard; }

  void Add(const State& state, std::uint32_t from, std::string_view step, std::uint8_t attempt) {
    if (!known_.insert(state).second) return;
    states_.push_back(state);
    steps_.push_back({from, step, attempt});
  }
  void Next(const State& state, std::string_view step, std::uint8_t attempt = kNone) {
    Add(state, from_, step, attempt);
  }

  /// Puts land, answers come, deletions land: whenever they like, or never.
  void Environment(const State& s) {
    for (std::uint8_t i = 0; i < s.sent; ++i) {
      State next = s;
      if (s.attempts[i].place == kSent) {
        next.attempts[i].place = kLanded;
        Next(next, "lands", i);
      } else if (s.attempts[i].place == kLanded && s.attempts[i].given_up == 0) {
        next.attempts[i].place = kAnswered;
        Next(next, "is answered", i);
      }
      if (!Has(s.deletes, i)) continue;
      next = s;
      next.deletes = Without(s.deletes, i);
      if (IsThere(s, i)) next.attempts[i].place = kGone;
      Next(next, "is deleted", i);
    }
  }

  void Uploads(const State& s) {
    for (std::uint8_t segment = s.rows.committed; segment < kSegments; ++segment) {
      const bool under_way = std::any_of(s.attempts, s.attempts + s.sent, [&](const Attempt& attempt) {
        return attempt.segment == segment && attempt.given_up == 0;
      });
      if (under_way) continue;
      if (s.sent < kAttempts) {
        State next = s;
        next.attempts[s.sent] = {.segment = segment};
        ++next.sent;
        Next(next, "is sent", s.sent);
      }
      break;  // what comes behind is cut after it
    }
    for (std::uint8_t i = 0; i < s.sent; ++i) {
      const Attempt& attempt = s.attempts[i];
      if (attempt.given_up != 0 || IsCommitted(s, i)) continue;
      State next = s;
      next.attempts[i].given_up = 1;
      next.rows.given_up = With(s.rows.given_up, i);
      Next(next, "is given up", i);
      const bool proven = s.proof == kProofGood && (Has(s.answered, i) || !Guarded(ClaimGuard::kProofAfterPut));
      if (attempt.place != kAnswered || attempt.segment != s.rows.committed || !proven) continue;
      next = s;
      next.rows.object[attempt.segment] = i;
      ++next.rows.committed;
      Next(next, "is committed", i);
    }
    if (s.rows.dropped < s.rows.committed) {
      State next = s;
      ++next.rows.dropped;
      Next(next, "a segment is dropped");
    }
  }

  void Proves(const State& s) {
    State next = s;
    next.snapshot = s.rows;
    Next(next, "a snapshot is put");
    next = s;
    if (s.proof == kNoProof) {
      next.proof = kProofSent;
      for (std::uint8_t i = 0; i < s.sent; ++i)
        if (s.attempts[i].place == kAnswered) next.answered = With(next.answered, i);
      next.dropped = s.snapshot.dropped;
      next.given_up = s.snapshot.given_up;
      Next(next, "a proof is sent");
      return;
    }
    next.proof = kNoProof;
    next.answered = next.dropped = next.given_up = 0;
    if (s.proof == kProofGood) return Next(next, "the proof is used up");
    if (s.claimed != 0) {
      next.fenced = 1;
      return Next(next, "the proof fails");
    }
    next = s;
    next.proof = kProofGood;
    Next(next, "the proof succeeds");
  }

  void Deletes(const State& s) {
    const bool proven = s.proof == kProofGood;
    std::uint8_t dropped = proven ? s.dropped : 0, given_up = proven ? s.given_up : 0;
    if (!Guarded(ClaimGuard::kProofBeforeDelete)) {
      dropped = s.snapshot.dropped;
      given_up = s.snapshot.given_up;
    }
    if (!Guarded(ClaimGuard::kDropInSnapshot)) dropped = proven ? s.rows.dropped : 0;
    if (!Guarded(ClaimGuard::kGivenUpInSnapshot)) given_up = proven ? s.rows.given_up : 0;
    for (std::uint8_t segment = 0; segment < dropped; ++segment) Delete(s, s.rows.object[segment]);
    for (std::uint8_t i = 0; i < s.sent; ++i)
      if (Has(given_up, i)) Delete(s, i);
  }

  void Delete(const State& s, std::uint8_t attempt) {
    if (s.attempts[attempt].place == kGone || Has(s.deletes, attempt)) return;
    State next = s;
    next.deletes = With(s.deletes, attempt);
    Next(next, "is to be deleted", attempt);
  }

  /// Three steps, in an order that is a guard.
  void TakesOver(const State& s) {
    const std::uint8_t claims_at = Guarded(ClaimGuard::kClaimBeforeList) ? 0 : 2;
    if (s.taker == 3) return;
    State next = s;
    ++next.taker;
    if (s.taker == claims_at) {
      next.claimed = 1;
      Next(next, "B claims");
    } else if (s.taker == (claims_at == 0 ? 1 : 0)) {
      next.seen = s.snapshot;
      Next(next, "B reads the snapshot");
    } else {
      Link(next, s.seen.dropped);
    }
  }

  /// Any whole chain is right: one after the other is tried.
  void Link(const State& s, std::uint8_t segment) {
    bool any = false;
    for (std::uint8_t i = 0; segment < kSegments && i < s.sent; ++i) {
      const bool known = segment < s.seen.committed;
      const bool given_up = Has(s.seen.given_up, i) && Guarded(ClaimGuard::kGivenUpNeverLinked);
      const bool fits = known ? s.seen.object[segment] == i : s.attempts[i].segment == segment && !given_up;
      if (!fits || !IsThere(s, i)) continue;
      any = true;
      State next = s;
      next.linked[segment] = i;
      Link(next, static_cast<std::uint8_t>(segment + 1));
    }
    if (!any) Next(s, "B lists and links");
  }

  static std::optional<std::string> Broken(const State& s) {
    if (s.taker != 3) return {};
    for (std::uint8_t segment = s.seen.dropped; segment < kSegments; ++segment) {
      const std::uint8_t linked = s.linked[segment];
      if (linked == kNone && segment < s.rows.committed)
        return fmt::format("segment {} was acknowledged and is not in the log that goes on", segment);
      if (linked != kNone && !IsThere(s, linked))
        return fmt::format("the log that goes on refers to the deleted object {}", linked);
    }
    return {};
  }

  [[nodiscard]] std::string Story(std::uint32_t at) const {
    std::deque<std::string> steps;
    for (; at != 0; at = steps_[at].from) {
      const Step& step = steps_[at];
      const bool of_attempt = step.attempt != kNone;
      steps.push_front(of_attempt ? fmt::format("object {} of segment {} {}", step.attempt,
                                                states_[at].attempts[step.attempt].segment, step.what)
                                  : std::string(step.what));
    }
    return fmt::format(": {}", fmt::join(steps, "; "));
  }

  struct Step {
    std::uint32_t from = 0;
    std::string_view what;
    std::uint8_t attempt = kNone;
  };
  const std::optional<ClaimGuard> without_;
  std::vector<State> states_;  // as they were found: nearer ones first
  std::vector<Step> steps_;
  std::unordered_set<State, HashState, SameState> known_;
  std::uint32_t from_ = 0;
};

}  // namespace

std::string_view NameOf(ClaimGuard guard) {
  switch (guard) {
    case ClaimGuard::kProofAfterPut:
      return "proof-after-put";
    case ClaimGuard::kProofBeforeDelete:
      return "proof-before-delete";
    case ClaimGuard::kDropInSnapshot:
      return "drop-in-snapshot";
    case ClaimGuard::kGivenUpInSnapshot:
      return "given-up-in-snapshot";
    case ClaimGuard::kClaimBeforeList:
      return "claim-before-list";
    case ClaimGuard::kGivenUpNeverLinked:
      return "given-up-never-linked";
  }
  return "";
}

ClaimExploration ExploreClaims(std::optional<ClaimGuard> without) { return Exploration(without).Run(); }

}  // namespace millrace::sim
