// Goal: no caller that waits at the gate sleeps for ever, however threads are interleaved, and all the gate does is
// needed for that. Method: the gate's own code under callers that follow its protocol, one step at a time, over every
// order of the steps of a few threads; sleeping is simulated (a thread falls asleep if its word is what it saw, a wake
// takes so many sleepers). Then the same with each word change, and each wake, taken away: each must be missed. At last
// real threads on the kernel's futex, every call of it held up.
#include "base/group_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <iostream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/deadline.h"
#include "base/futex_hold_up.h"
#include "base/mutex.h"

namespace millrace {
namespace {

/// What is left out of what the gate says.
enum class Missing {
  kNothing,
  kWordOnHandOver,
  kWakeOnHandOver,
  kHandOverWithoutGroup,  // leadership that ends without one: neither word nor wake
  kWakeOnComplete,
  kWordOnRouse,
  kWakeOnRouse
};

enum class Kind {
  kCaller,   // stages, and waits until that is durable
  kDrainer,  // leads a group that is written and not synced
  kIdler     // leads, and gives up the leadership without a group
};

enum class Place { kLook, kEntered, kAsleep, kAwake, kLeading, kClosed, kSending, kDone };

struct Thread {
  Kind kind = Kind::kCaller;
  bool impatient = false;  // its sleep may time out
  Place place = Place::kLook;
  int need = 0;  // the position that shall be durable
  int covers = 0;
  std::uint64_t group = 0;
  GroupGate::Ticket ticket;
  std::uint32_t seen = 0;  // what its word was here
  GroupGate::Wakes wakes;
};

/// Threads at one gate, and the futex words as a thread would see them if nothing but what is not missing had happened.
class World {
 public:
  World(std::vector<Thread> threads, bool may_fail, Missing missing)
      : threads_(std::move(threads)), may_fail_(may_fail), missing_(missing) {}

  /// Thread i moves; thread i's sleep times out (count + i); everything fails (2 * count).
  [[nodiscard]] std::vector<int> Choices() const {
    std::vector<int> choices;
    const int count = static_cast<int>(threads_.size());
    for (int i = 0; i < count; ++i) {
      const Thread& thread = threads_[static_cast<std::size_t>(i)];
      const bool asleep = thread.place == Place::kAsleep;
      if (!asleep && thread.place != Place::kDone) choices.push_back(i);
      if (asleep && thread.impatient) choices.push_back(count + i);
    }
    if (may_fail_ && !failed_) choices.push_back(2 * count);
    return choices;
  }

  void Step(int choice) {
    const int count = static_cast<int>(threads_.size());
    if (choice == 2 * count) {
      failed_ = true;
      Send(Apply(Missing::kWordOnRouse, Missing::kWakeOnRouse, gate_.RouseAll()));
    } else if (choice >= count) {
      Leave(threads_[static_cast<std::size_t>(choice - count)], Place::kDone);
    } else {
      Move(threads_[static_cast<std::size_t>(choice)]);
    }
  }

  [[nodiscard]] bool SomebodySleeps() const {
    return std::ranges::any_of(threads_, [](const Thread& thread) { return thread.place == Place::kAsleep; });
  }

  /// All that matters for what can still happen.
  [[nodiscard]] std::string Key() const {
    std::string key;
    for (const Thread& thread : threads_) {
      for (const int part : {static_cast<int>(thread.place), thread.need, thread.covers,
                             static_cast<int>(thread.ticket.group % 2), static_cast<int>(Moved(thread)),
                             std::min(thread.wakes.threads[0], 2), std::min(thread.wakes.threads[1], 2)}) {
        key += static_cast<char>('0' + part);
      }
    }
    for (const int part : {line_, closed_line_, durable_, static_cast<int>(gate_.open_group() % 2),
                           static_cast<int>(gate_.open_group() - gate_.GroupOf(true)), static_cast<int>(gate_.led()),
                           static_cast<int>(failed_)}) {
      key += static_cast<char>('0' + part);
    }
    return key;
  }

 private:
  static std::size_t WordOf(const Thread& thread) { return thread.ticket.group & 1; }
  [[nodiscard]] bool Moved(const Thread& thread) const { return thread.seen != words_[WordOf(thread)]; }

  /// What the gate says, less what is missing.
  GroupGate::Wakes Apply(Missing word, Missing wake, const GroupGate::Wakes& wakes) {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      if (wakes.threads[i] > 0 && missing_ != word) ++words_[i];
    }
    return missing_ == wake ? GroupGate::Wakes() : wakes;
  }
  void Send(const GroupGate::Wakes& wakes) {
    for (std::size_t word = 0; word < words_.size(); ++word) {
      int left = wakes.threads[word];
      for (Thread& thread : threads_) {
        if (left == 0) break;
        if (thread.place != Place::kAsleep || WordOf(thread) != word) continue;
        thread.place = Place::kAwake;
        --left;
      }
    }
  }
  /// What Wait does on its way out.
  void Leave(Thread& thread, Place place) {
    GroupGate::Ticket moved = thread.ticket;
    moved.seen -= 1;
    EXPECT_TRUE(gate_.Wait(moved, std::nullopt));
    thread.place = place;
  }
  void EndLead(Thread& thread, bool with_group) {
    const Missing all = with_group ? Missing::kNothing : Missing::kHandOverWithoutGroup;
    const auto said = gate_.EndLead();
    if (all != Missing::kNothing && missing_ == all) return;
    thread.wakes += Apply(Missing::kWordOnHandOver, Missing::kWakeOnHandOver, said);
  }
  void Look(Thread& thread) {
    if (thread.kind != Kind::kCaller) {
      thread.place = !failed_ && gate_.TryLead() ? Place::kLeading : Place::kDone;
      return;
    }
    if (thread.need == 0) thread.need = ++line_;
    if (durable_ >= thread.need || failed_) {
      thread.place = Place::kDone;
    } else if (gate_.TryLead()) {
      thread.place = Place::kLeading;
    } else {
      const std::uint64_t group = gate_.GroupOf(thread.need <= closed_line_);
      gate_.Join(group);
      thread.ticket = gate_.Enter(group);
      thread.seen = words_[group & 1];
      thread.place = Place::kEntered;
    }
  }
  void Lead(Thread& thread) {
    if (failed_ || thread.kind == Kind::kIdler) {
      EndLead(thread, false);
      thread.place = Place::kSending;
      return;
    }
    thread.group = gate_.Close();
    thread.covers = closed_line_ = line_;
    thread.place = Place::kClosed;
  }
  void Finish(Thread& thread) {
    if (thread.kind == Kind::kCaller) durable_ = std::max(durable_, thread.covers);
    const auto said = gate_.Complete(thread.group);  // the word changes as the leadership ends
    if (missing_ != Missing::kWakeOnComplete) thread.wakes += said;
    EndLead(thread, true);
    thread.place = Place::kSending;
  }
  void Move(Thread& thread) {
    switch (thread.place) {
      case Place::kLook:
        return Look(thread);
      case Place::kEntered:
        if (missing_ == Missing::kNothing) EXPECT_EQ(Moved(thread), gate_.Moved(thread.ticket));
        thread.place = Moved(thread) ? Place::kAwake : Place::kAsleep;
        return;
      case Place::kAwake:
        return Leave(thread, Place::kLook);
      case Place::kLeading:
        return Lead(thread);
      case Place::kClosed:
        return Finish(thread);
      case Place::kSending:
        Send(thread.wakes);
        thread.wakes = {};
        thread.place = thread.kind == Kind::kCaller ? Place::kLook : Place::kDone;
        return;
      case Place::kAsleep:
      case Place::kDone:
        return;
    }
  }

  std::vector<Thread> threads_;
  const bool may_fail_;
  const Missing missing_;
  GroupGate gate_;
  std::array<std::uint32_t, 2> words_{};
  int line_ = 0, closed_line_ = 0, durable_ = 0;
  bool failed_ = false;
};

struct Explored {
  std::size_t states = 0, stuck = 0;
};

/// Every order of steps. A gate cannot be copied: each state is reached anew, by the steps that led to it.
Explored Explore(const std::vector<Thread>& threads, bool may_fail, Missing missing) {
  Explored explored;
  std::set<std::string> seen;
  std::vector<std::vector<int>> open = {{}};
  while (!open.empty()) {
    const std::vector<int> path = std::move(open.back());
    open.pop_back();
    World world(threads, may_fail, missing);
    for (const int choice : path) world.Step(choice);
    if (!seen.insert(world.Key()).second) continue;
    ++explored.states;
    const std::vector<int> choices = world.Choices();
    const int failure = 2 * static_cast<int>(threads.size());
    // A failure may never come: a thread that sleeps then must not need it.
    const bool ended = choices.empty() || (choices.size() == 1 && choices[0] == failure);
    if (ended && world.SomebodySleeps()) {
      ++explored.stuck;
      if (missing != Missing::kNothing) return explored;
    }
    for (const int choice : choices) {
      open.push_back(path);
      open.back().push_back(choice);
    }
  }
  return explored;
}

std::vector<std::vector<Thread>> Casts() {
  const Thread caller, impatient{.impatient = true}, drainer{.kind = Kind::kDrainer}, idler{.kind = Kind::kIdler};
  return {{caller, caller, caller},    {caller, caller, idler},    {caller, caller, drainer},
          {caller, impatient, caller}, {caller, impatient, idler}, {caller, drainer, idler}};
}

TEST(GroupGateTest, NobodySleepsForEverInAnyOrderOfSteps) {
  std::size_t states = 0;
  for (const auto& cast : Casts()) {
    for (const bool may_fail : {false, true}) {
      const Explored explored = Explore(cast, may_fail, Missing::kNothing);
      EXPECT_EQ(explored.stuck, 0U);
      states += explored.states;
    }
  }
  std::cout << "checked=" << states << "\n";
  EXPECT_GE(states, 3000U);
}

TEST(GroupGateTest, EveryWordChangeAndEveryWakeIsNeeded) {
  for (int missing = 1; missing <= static_cast<int>(Missing::kWakeOnRouse); ++missing) {
    std::size_t stuck = 0;
    for (const auto& cast : Casts()) {
      for (const bool may_fail : {false, true}) {
        if (stuck == 0) stuck = Explore(cast, may_fail, static_cast<Missing>(missing)).stuck;
      }
    }
    EXPECT_GT(stuck, 0U) << "nobody misses number " << missing;
  }
}

TEST(GroupGateTest, TheGroupToWaitForIsOnItsWayOrOpen) {
  GroupGate gate;
  ASSERT_TRUE(gate.TryLead());
  EXPECT_FALSE(gate.TryLead());
  const auto open = gate.open_group();
  EXPECT_EQ(gate.GroupOf(true), open) << "none was closed";
  EXPECT_EQ(gate.Close(), open);
  EXPECT_EQ(gate.GroupOf(true), open);
  EXPECT_EQ(gate.GroupOf(false), open + 1);
  const auto ticket = gate.Enter(open);
  EXPECT_FALSE(gate.Moved(ticket));
  EXPECT_FALSE(gate.Wait(ticket, std::chrono::nanoseconds(1)));
  const auto again = gate.Enter(open);
  const auto wakes = gate.Complete(open);
  EXPECT_GT(wakes.threads[open & 1], 1);
  EXPECT_EQ(gate.GroupOf(true), open + 1) << "what was closed is done";
  (void)gate.EndLead();
  EXPECT_TRUE(gate.Moved(again));
  EXPECT_TRUE(gate.Wait(again, kNever));
  ASSERT_TRUE(gate.TryLead());
  EXPECT_EQ(gate.EndLead().threads, (std::array{0, 0})) << "nobody waits";
  EXPECT_TRUE(gate.TryLead());
}

}  // namespace
}  // namespace millrace

#ifdef MR_FUTEX_HOLD_UP
namespace millrace {
namespace {

TEST(GroupGateTest, ThreadsHeldUpBeforeTheySleepAreAllServed) {
  constexpr int kThreads = 6, kRounds = 60;
  Mutex mutex;
  GroupGate gate;
  int line = 0, closed = 0, durable = 0;
  const FutexHoldUp held_up;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < kRounds; ++round) {
        int need = 0;
        for (;;) {
          GroupGate::Ticket ticket;
          GroupGate::Wakes wakes;
          bool lead = false;
          {
            MutexLock lock(mutex);
            if (need == 0) need = ++line;
            if (durable >= need) break;
            lead = gate.TryLead();
            if (!lead) ticket = gate.Enter(gate.GroupOf(need <= closed));
          }
          if (!lead) {
            (void)gate.Wait(ticket, std::nullopt);
            continue;
          }
          std::uint64_t group = 0;
          {
            MutexLock lock(mutex);
            if (t == 0 && round % 2 == 0) {  // gives up the leadership and takes it again
              gate.Send(gate.EndLead());
              if (!gate.TryLead()) continue;
            }
            group = gate.Close();
            closed = line;
          }
          for (int i = 0; i < 20; ++i) std::this_thread::yield();  // others come meanwhile
          {
            MutexLock lock(mutex);
            durable = closed;
            wakes += gate.Complete(group);
            wakes += gate.EndLead();
          }
          gate.Send(wakes);
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(durable, kThreads * kRounds);
  EXPECT_GE(held_up.calls, 1) << "nobody was held up";
}

}  // namespace
}  // namespace millrace

#endif
