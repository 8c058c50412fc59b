// What groups must have durable: one transaction at a time for all that waits, so that the more groups commit, the more
// one sync serves.
//
//   Put, Put, Read, Put ─► queue ─► (pool) Put + Put: one transaction; Read; Put ─► post ─► done, done, done, done
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "env/thread_pool.h"
#include "meta/group_catalog.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// Of one thread, on which `post` has tasks run, soon and in their order. Things happen in the order of the calls, and
/// are answered in it.
class GroupWrites {
 public:
  using Task = std::move_only_function<void()>;
  using Post = std::function<void(Task)>;
  using Done = std::move_only_function<void(const Result<void>&)>;
  /// Blocks on a thread of the pool; what it returns runs on ours.
  using Work = std::move_only_function<Task(MetadataStore&)>;

  /// Store and pool outlive what was asked for. If the pool is closed, whatever waits is answered kClosed.
  GroupWrites(MetadataStore& metadata, ThreadPool& pool, Post post);

  /// Errors: kNotFound (there is no such partition: nothing of this call happened); of the store, after which it is not
  /// known whether it happened.
  void Put(std::vector<PositionRow> positions, Done done);
  void Put(StoredGroup group, Done done);
  /// After all that was put before, and before all that is put later.
  void Do(Work work);

  /// Not answered yet.
  [[nodiscard]] std::size_t waiting() const { return state_->waiting; }

 private:
  struct Item {
    std::vector<PositionRow> positions;
    std::optional<StoredGroup> group;
    Done done;
    Work work;  // then nothing else
    Task then;  // what it returned
    Result<void> result;
  };
  using Batch = std::vector<Item>;
  struct State {
    MetadataStore& metadata;
    ThreadPool& pool;
    Post post;
    std::deque<Item> queue;
    std::size_t waiting = 0;
    bool busy = false;
  };

  void Add(Item item);
  static void Start(const std::shared_ptr<State>& state);
  static void Finish(const std::shared_ptr<State>& state, Batch batch);
  static void Carry(MetadataStore& metadata, Batch& batch);
  static void Store(MetadataStore& metadata, std::span<Item> items);

  const std::shared_ptr<State> state_;
};

}  // namespace millrace
