// The kernel's queue of threads at a word. Who waits gives the word that it saw; who wakes changes the word first. So a
// thread finds the word changed and does not sleep, or sleeps when the wake comes.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace millrace {

inline constexpr int kAllThreads = 0x7fff'ffff;

/// Sleeps while the word is `seen`, until it is woken, or `timeout` passes (false). May wake for nothing. A timeout of
/// kNever is none.
bool FutexWait(std::atomic<std::uint32_t>& word, std::uint32_t seen, std::optional<std::chrono::nanoseconds> timeout);

/// Wakes so many of those that sleep there, the longest sleeper first. Only the address counts: the word may have gone.
void FutexWake(std::atomic<std::uint32_t>* word, int threads);

}  // namespace millrace
