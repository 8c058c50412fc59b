#include "base/call_gate.h"

#include "base/check.h"
#include "base/futex.h"

namespace millrace {
namespace {

thread_local const CallGate::Scope* innermost = nullptr;

}  // namespace

CallGate::Scope::Scope(const CallGate* gate) : gate_(gate), outer_(innermost) { innermost = this; }
CallGate::Scope::~Scope() { innermost = outer_; }

CallGate::Pass::Pass(CallGate* gate) : Scope(gate) {
  if (gate == nullptr) return;
  std::atomic<std::uint32_t>& word = gate->ShardOfThisThread().word;
  shard_ = &word;
  entered_ = (word.fetch_add(1, std::memory_order_acquire) & kShut) == 0;
}

CallGate::Pass::~Pass() {
  if (shard_ == nullptr) return;
  // Behind the subtraction the closer may go on and free the gate: the wake looks at the address only, and one for
  // nothing does no harm.
  if (shard_->fetch_sub(1, std::memory_order_release) == (kShut | 1)) FutexWake(shard_, kAllThreads);
}

CallGate::Shard& CallGate::ShardOfThisThread() {
  const auto place = reinterpret_cast<std::uintptr_t>(&innermost);  // one of each thread
  return shards_[(place * 0x9E3779B97F4A7C15ULL) >> (64 - kShardBits)];
}

bool CallGate::ThisThreadIsInside() const {
  for (const Scope* scope = innermost; scope != nullptr; scope = scope->outer_)
    if (scope->gate_ == this) return true;
  return false;
}

void CallGate::Shut() {
  for (Shard& shard : shards_) shard.word.fetch_or(kShut, std::memory_order_acq_rel);
}

void CallGate::AwaitEmpty() {
  MR_CHECK(!ThisThreadIsInside());
  for (Shard& shard : shards_) {
    MR_CHECK((shard.word.load() & kShut) != 0);
    for (std::uint32_t seen = shard.word.load(std::memory_order_acquire); seen != kShut;
         seen = shard.word.load(std::memory_order_acquire))
      (void)FutexWait(shard.word, seen, std::nullopt);
  }
}

}  // namespace millrace
