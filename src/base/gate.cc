#include "base/gate.h"

#include "base/check.h"

namespace millrace {

Gate::~Gate() { MR_CHECK(inside() == 0, inside()); }

Gate::Pass Gate::Enter() {
  MutexLock lock(mutex_);
  if (closed_) return {};
  ++inside_;
  return Pass(this);
}

void Gate::Pass::Leave() {
  Gate* const gate = std::exchange(gate_, nullptr);
  if (gate == nullptr) return;
  // Notified under the lock: as soon as it is free, the closer may destroy the gate.
  MutexLock lock(gate->mutex_);
  if (--gate->inside_ == 0) gate->empty_.NotifyAll();
}

void Gate::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  while (inside_ != 0) empty_.Wait(mutex_);
}

void Gate::Shut() {
  MutexLock lock(mutex_);
  closed_ = true;
}

bool Gate::closed() const {
  MutexLock lock(mutex_);
  return closed_;
}

std::uint64_t Gate::inside() const {
  MutexLock lock(mutex_);
  return inside_;
}

}  // namespace millrace
