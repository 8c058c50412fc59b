// Counts the calls inside an engine and its handles, so that closing can refuse the next and wait for the last. Unlike
// Gate it is passed by every append: threads count on cache lines of their own.
//
//   shards:  [shut bit | calls inside]  [shut bit | calls inside]  ...      a thread always takes the same one
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

namespace millrace {

/// Safe from any thread. Shared by the engine and its handles: a handle may ask when the engine has gone.
class CallGate {
 public:
  /// This thread is inside, by a call or because it is one of the engine's own; such scopes nest.
  class Scope {
   protected:
    explicit Scope(const CallGate* gate);
    ~Scope();

   public:
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    friend class CallGate;
    const CallGate* const gate_;
    const Scope* const outer_;
  };

  /// One call; it leaves when destroyed. False: the gate was shut, touch nothing behind it.
  class Pass : public Scope {
   public:
    /// A null gate lets every call pass.
    explicit Pass(CallGate* gate);
    ~Pass();
    explicit operator bool() const { return entered_; }

   private:
    std::atomic<std::uint32_t>* shard_ = nullptr;  // to be left
    bool entered_ = true;
  };

  /// A thread that the engine waits for when it closes. Not counted.
  class OwnThread : public Scope {
   public:
    explicit OwnThread(const CallGate* gate) : Scope(gate) {}
  };

  CallGate() = default;
  CallGate(const CallGate&) = delete;
  CallGate& operator=(const CallGate&) = delete;

  /// Whether this thread is within one of these scopes: it would wait for itself in AwaitEmpty.
  [[nodiscard]] bool ThisThreadIsInside() const;
  /// Refuses every call from now on.
  void Shut();
  /// Blocks until all calls have left. Precondition: shut, and not from inside.
  void AwaitEmpty();

 private:
  static constexpr std::uint32_t kShut = 1U << 31;
  static constexpr std::size_t kShardBits = 5;
  struct alignas(64) Shard {
    std::atomic<std::uint32_t> word{0};
  };
  Shard& ShardOfThisThread();

  std::array<Shard, std::size_t{1} << kShardBits> shards_;
};

}  // namespace millrace
