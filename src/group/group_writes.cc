#include "group/group_writes.h"

#include <algorithm>
#include <utility>

namespace millrace {
namespace {

/// Of one transaction: so many rows hold up a reader of the store for some milliseconds.
constexpr std::size_t kItemsMax = 4'096;

}  // namespace

GroupWrites::GroupWrites(MetadataStore& metadata, ThreadPool& pool, Post post)
    : state_(std::make_shared<State>(State{.metadata = metadata, .pool = pool, .post = std::move(post)})) {}

void GroupWrites::Put(std::vector<PositionRow> positions, Done done) {
  Add({.positions = std::move(positions), .done = std::move(done)});
}

void GroupWrites::Put(StoredGroup group, Done done) { Add({.group = std::move(group), .done = std::move(done)}); }

void GroupWrites::Do(Work work) { Add({.work = std::move(work)}); }

void GroupWrites::Add(Item item) {
  state_->queue.push_back(std::move(item));
  ++state_->waiting;
  Start(state_);
}

/// Everything that waits goes; what comes meanwhile goes next.
void GroupWrites::Start(const std::shared_ptr<State>& state) {
  if (state->busy || state->queue.empty()) return;
  const std::size_t count = std::min(state->queue.size(), kItemsMax);
  auto batch = std::make_shared<Batch>();
  batch->reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    batch->push_back(std::move(state->queue.front()));
    state->queue.pop_front();
  }
  state->busy = true;
  const auto submitted = state->pool.TrySubmit([state, batch](const std::stop_token&) {
    Carry(state->metadata, *batch);
    state->post([state, batch] { Finish(state, std::move(*batch)); });
  });
  if (submitted) return;
  for (Item& item : *batch) item.result = submitted.error();
  state->post([state, batch] { Finish(state, std::move(*batch)); });
}

void GroupWrites::Finish(const std::shared_ptr<State>& state, Batch batch) {
  state->busy = false;
  state->waiting -= batch.size();
  Start(state);  // the disk works while we answer
  for (Item& item : batch) {
    if (item.then) item.then();
    if (item.done) item.done(item.result);
  }
}

void GroupWrites::Carry(MetadataStore& metadata, Batch& batch) {
  for (std::size_t begin = 0; begin < batch.size();) {
    if (batch[begin].work) {
      batch[begin].then = batch[begin].work(metadata);
      ++begin;
      continue;
    }
    std::size_t end = begin;
    while (end < batch.size() && !batch[end].work) ++end;
    Store(metadata, std::span(batch).subspan(begin, end - begin));
    begin = end;
  }
}

void GroupWrites::Store(MetadataStore& metadata, std::span<Item> items) {
  std::vector<PositionRow> positions;
  std::vector<StoredGroup> groups;
  for (const Item& item : items) {
    positions.insert(positions.end(), item.positions.begin(), item.positions.end());
    if (item.group) groups.push_back(*item.group);
  }
  const auto stored = GroupCatalog(metadata).Store(positions, groups);
  if (stored || items.size() == 1) {
    for (Item& item : items) item.result = stored;
    return;
  }
  // One of them spoils it: each answers for its own.
  for (Item& item : items) {
    const std::span<const StoredGroup> group = item.group ? std::span(&*item.group, 1) : std::span<StoredGroup>();
    item.result = GroupCatalog(metadata).Store(item.positions, group);
  }
}

}  // namespace millrace
