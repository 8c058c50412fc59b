// Machines with disks and rows of their own over object stores that outlive them, for tests of logs that leave one
// machine and go on at another. Stores and rows die on command: from then on every request fails, as after a crash.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine_fixture.h"
#include "engine/stepped_engine.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "meta/memory_metadata_store.h"
#include "store/forwarding_object_store.h"
#include "store/memory_object_store.h"

namespace millrace {

/// When what it belongs to dies: with the n-th request from now on, before its effect or after it.
class DyingHour {
 public:
  enum class Effect { kNone, kHappened };
  void DieAt(std::uint64_t request, Effect effect) {
    left_ = request;
    effect_ = effect;
  }
  template <class Request>
  auto Pass(const Request& request) -> decltype(request()) {
    const Error gone = Error(ErrorCode::kUnavailable, "the machine has died").WithRetryable(false);
    if (left_ == 0) return dead_ ? decltype(request())(gone) : request();
    if (--left_ > 0) return request();
    dead_ = true;
    if (effect_ == Effect::kHappened) (void)request();
    return gone;
  }
  /// It is another process now; whether one had died.
  bool Rise() {
    const bool died = dead_;
    dead_ = false;
    left_ = 0;
    return died;
  }

 private:
  std::uint64_t left_ = 0;  // 0: no request is chosen
  Effect effect_ = Effect::kNone;
  bool dead_ = false;
};

class DyingObjectStore final : public ForwardingObjectStore {
 public:
  explicit DyingObjectStore(std::shared_ptr<ObjectStore> inner, std::string name = "a store")
      : ForwardingObjectStore(std::move(inner)), name_(std::move(name)) {}
  [[nodiscard]] std::string Describe() const override { return name_; }
  DyingHour hour;

 private:
  const std::string name_;
  Result<void> Around(const Subject& /*subject*/, const std::function<Result<void>()>& request) override {
    return hour.Pass(request);
  }
};

/// Rows that stay when an engine closes them. Only commits die.
class DyingRows final : public MetadataStore {
 public:
  explicit DyingRows(Clock* clock) : rows_(clock) {}
  Result<std::vector<std::optional<MetadataRow>>> Get(std::span<const MetadataKey> keys) override {
    return rows_.Get(keys);
  }
  Result<std::vector<MetadataRow>> Scan(const MetadataKey& from, const MetadataKey& to, std::size_t max) override {
    return rows_.Scan(from, to, max);
  }
  Result<std::optional<ChangeNumber>> Commit(std::span<const MetadataRow> expected,
                                             std::span<const MetadataWrite> writes) override {
    if (writes.empty()) return rows_.Commit(expected, writes);
    return hour.Pass([&] { return rows_.Commit(expected, writes); });
  }
  Result<std::vector<MetadataChange>> Changes(ChangeNumber after, std::size_t max) override {
    return rows_.Changes(after, max);
  }
  Result<std::int64_t> NowMs() override { return rows_.NowMs(); }
  Result<void> Close() override { return {}; }
  DyingHour hour;

 private:
  MemoryMetadataStore rows_;
};

class MachinesFixture : public EngineFixture {
 protected:
  struct Machine {
    std::shared_ptr<SimFileSystem> disk;
    std::shared_ptr<DyingRows> rows;
    EngineOptions options;
  };
  Machine NewMachine(const std::shared_ptr<ObjectStore>& objects) {
    Machine machine{.disk = std::make_shared<SimFileSystem>(++machines_),
                    .rows = std::make_shared<DyingRows>(clock_.get()),
                    .options = {}};
    machine.options.data_dir = "/data";
    machine.options.clock = clock_;
    machine.options.file_system = machine.disk;
    machine.options.objects = objects;
    machine.options.metadata = machine.rows;
    machine.options.wal_bytes_max = 64 << 20;
    machine.options.batch_bytes_max = 4 << 20;
    return machine;
  }
  SteppedEngine OpenOn(const Machine& machine) {
    auto engine = SteppedEngine::Open(machine.options, NewRandom());
    EXPECT_TRUE(engine) << Told(engine);
    return engine ? *std::move(engine) : SteppedEngine();
  }
  std::shared_ptr<Random> NewRandom() { return std::make_shared<SeededRandom>(++machines_); }
  static Result<Offset> Append(const SteppedEngine& engine, const std::string& value) {
    const Record record = Value(value);
    MR_ASSIGN_OR_RETURN(const AppendReceipt receipt,
                        engine->Append(At("t"), {&record, 1}, {.durability = Durability::kOs}));
    return receipt.base_offset;
  }
  /// "0" to "count - 1" of topic t, all or some of them uploaded.
  static void AppendAll(const SteppedEngine& engine, int count, int uploaded) {
    ASSERT_TRUE(engine->CreateTopic("t"));
    for (int i = 0; i < count; ++i) {
      const auto appended = Append(engine, std::to_string(i));
      ASSERT_TRUE(appended) << Told(appended);
      if (i + 1 == uploaded) ASSERT_TRUE(engine->Upload());
    }
  }
  /// By offset; what lies in gaps is stepped over.
  static std::map<std::int64_t, std::string> Records(const SteppedEngine& engine) {
    std::map<std::int64_t, std::string> found;
    for (Offset position(0);;) {
      const auto read = engine->Read(At("t"), position);
      EXPECT_TRUE(read) << Told(read);
      if (!read || read->next == position) return found;
      for (const RecordView& record : read->records) found.emplace(record.offset.value(), *record.value);
      position = read->next;
    }
  }
  static std::vector<std::string> KeysOf(ObjectStore& objects) {
    std::vector<std::string> keys;
    for (const ObjectDescription& one : objects.List("", "", 10'000)->objects) keys.push_back(one.key);
    std::ranges::sort(keys);
    return keys;
  }

  std::uint64_t machines_ = 0;
  std::shared_ptr<SimClock> clock_ = std::make_shared<SimClock>();
};

}  // namespace millrace
