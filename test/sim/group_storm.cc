// How a storm over one group runs: the server's lives and deaths, time, and the model that judges.
#include "group_storm.h"

#include <fmt/format.h>

#include "base/check.h"
#include "group_storm_world.h"

namespace millrace::sim::storm {

// The server.

void GroupStorm::Start() {
  server_ =
      std::make_unique<GroupCoordinator>(GroupCoordinator::Parts{.metadata = *store_,
                                                                 .pool = *pool_,
                                                                 .random = member_ids_,
                                                                 .now = [this] { return now_; },
                                                                 .wall_ms = [] { return std::int64_t{1}; },
                                                                 .may_expire = [] { return false; },
                                                                 .post =
                                                                     [this](GroupWrites::Task task) {
                                                                       const MutexLock lock(mutex_);
                                                                       arrived_.push_back(std::move(task));
                                                                     },
                                                                 .wake_at = [this](GroupTime at) { wake_at_ = at; },
                                                                 .tell = [](std::string_view) {}},
                                         settings_);
  (void)server_->Load();  // it tries again
}

/// What waits is lost with its connections; who is not in the durable generation is unknown from now on.
void GroupStorm::KillServer() {
  report_.Event("the server is killed");
  report_.Fired("server-killed");
  ++life_;
  open_.clear();
  posted_.clear();
  {
    const MutexLock lock(mutex_);
    arrived_.clear();
  }
  wake_at_.reset();
  const auto groups = GroupCatalog(*truth_).Groups();
  MR_CHECK(groups.has_value());
  const std::vector<GroupMemberRow> kept = groups->empty() ? std::vector<GroupMemberRow>() : groups->front().members;
  newest_generation_ = groups->empty() ? 0 : groups->front().row.generation;
  for (Client& client : clients_) {
    const bool is_kept =
        std::ranges::any_of(kept, [&](const GroupMemberRow& row) { return row.key.member == client.member; });
    if (!is_kept) client.excused = true;
    // Its connection ended, and with it what it waited for. Tickets of the next server begin anew: an old number would
    // cancel somebody else's join there, which nobody then answers (seed 376 of 700 wild steps).
    if (std::exchange(client.waits, false)) client.phase = Phase::kOut;
    client.ticket = 0;
  }
  // A generation that was not durable may come again.
  std::erase_if(shared_out_, [&](const auto& each) { return each.first > newest_generation_; });
  Start();
}

/// What was given to the pool is done, and what it posted has arrived: from here to the next call nothing is left to
/// chance.
void GroupStorm::AwaitPool() {
  std::binary_semaphore reached(0);
  MR_CHECK(pool_->Submit([&](const std::stop_token&) { reached.release(); }).has_value());
  reached.acquire();
}

void GroupStorm::RunPosted(bool wild) {
  std::deque<GroupWrites::Task> arrived;
  {
    const MutexLock lock(mutex_);
    arrived.swap(arrived_);
  }
  for (GroupWrites::Task& task : arrived) {
    const GroupTime slow = wild && random_.OneIn(3) ? milliseconds(random_.Below(1'500)) : milliseconds(0);
    posted_.push_back({std::max(now_ + slow, posted_.empty() ? GroupTime{} : posted_.back().due), std::move(task)});
  }
  while (!posted_.empty() && posted_.front().due <= now_) {
    store_is_asked_ = true;  // with what waited meanwhile
    GroupWrites::Task task = std::move(posted_.front().task);
    posted_.pop_front();
    task();
  }
}

// Members.

void GroupStorm::Step(bool wild) {
  now_ += kStep;
  if (std::exchange(store_is_asked_, false)) {
    AwaitPool();
    CheckPositions();
  }
  if (wild && random_.OneIn(40)) {
    const bool fails = random_.OneIn(2);
    store_->SetPlan(fails ? MetadataFaultPlan{.before_per_million = 200'000, .after_per_million = 150'000}
                          : MetadataFaultPlan{});
  }
  const std::uint64_t failed = store_->fired(MetadataFault::kBefore) + store_->fired(MetadataFault::kAfter);
  report_.Fired("store-failed", failed - std::exchange(failed_, failed));
  if (wild && random_.OneIn(200)) KillServer();
  RunPosted(wild);
  if (wake_at_ && *wake_at_ <= now_) {
    wake_at_.reset();
    store_is_asked_ = true;
    server_->Tick();
  }
  for (Client& client : clients_) {
    if (client.quits || now_ < client.paused_until || now_ < client.back_at) continue;
    if (wild) Misbehave(client);
    if (client.quits || now_ < client.paused_until || now_ < client.back_at) continue;
    Act(client);
  }
  CheckOwners();
  CheckWaits();
}

void GroupStorm::Misbehave(Client& client) {
  if (random_.OneIn(400)) {  // as a long collection of garbage
    client.paused_until = now_ + milliseconds(random_.Below(30'000));
    if (client.paused_until - client.spoke > kAway) client.excused = true;
    report_.Event(fmt::format("{} pauses", client.number));
    report_.Fired("paused");
  } else if (random_.OneIn(600)) {  // the process dies; another begins, of the same instance if it has one
    report_.Event(fmt::format("{} crashes", client.number));
    Crash(client);
    client.back_at = now_ + milliseconds(random_.Below(25'000));
    report_.Fired("crashed");
  } else if (random_.OneIn(400) && client.phase == Phase::kIn) {
    store_is_asked_ = true;
    report_.Event(fmt::format("{} leaves", client.number));
    (void)server_->Leave(kGroup, {{client.member, client.instance}});
    Crash(client);
    client.back_at = now_ + milliseconds(random_.Below(10'000));
    client.quits = random_.OneIn(8);
    report_.Fired("left");
  } else if (random_.OneIn(300) && client.phase == Phase::kIn) {
    report_.Fired("rejoined");
    SendJoin(client);  // subscribes to something else
  }
}

void GroupStorm::Crash(Client& client) {
  if (client.ticket != 0) server_->Cancel(client.ticket);
  open_.erase(client.asks);
  client =
      Client{.number = client.number, .instance = client.instance, .quits = client.quits, .lives = client.lives + 1};
}

// The model.

/// In the store as it is: what was acknowledged is there, and nothing goes back.
void GroupStorm::CheckPositions() {
  const auto rows = FindRows(*truth_, keys_);
  MR_CHECK(rows.has_value());
  std::map<std::int32_t, std::int64_t> found;
  for (const PositionRow& row : *rows) found[row.key.partition.partition.value()] = row.position.value();
  for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
    const std::int64_t at = found[partition];
    report_.Expect(at >= acknowledged_[partition], "position-lost",
                   fmt::format("partition {} is at {}, {} was acknowledged", partition, at, acknowledged_[partition]));
    report_.Expect(at >= seen_[partition], "position-back",
                   fmt::format("partition {} goes back from {} to {}", partition, seen_[partition], at));
    seen_[partition] = at;
  }
}

void GroupStorm::CheckOwners() {
  std::map<std::int32_t, const Client*> owner;
  for (const Client& client : clients_) {
    if (client.excused) continue;  // it does not know yet that it was put out
    for (const std::int32_t partition : client.owned)
      report_.Expect(owner.emplace(partition, &client).second, "two-owners",
                     fmt::format("two own partition {} at once", partition));
  }
}

void GroupStorm::CheckWaits() {
  for (const auto& [question, client] : open_) {
    report_.Expect(now_ - client->asked < 3 * kRebalance, "unanswered",
                   fmt::format("nobody answers {}", client->name()));
  }
}

/// Whoever is there has settled.
void GroupStorm::JudgeCalm() {
  report_.Fired("calm");
  std::size_t there = 0, owned = 0;
  for (const Client& client : clients_) {
    if (client.quits) continue;
    ++there;
    owned += client.owned.size();
    report_.Expect(client.phase == Phase::kIn, "not-live", fmt::format("{} did not settle", client.name()));
    report_.Expect(client.generation == newest_generation_, "not-live",
                   fmt::format("{} is in generation {} of {}", client.name(), client.generation, newest_generation_));
  }
  server_->Describe(kGroup, [&](const GroupDescription& group) {
    report_.Expect(group.members.size() == there, "not-live",
                   fmt::format("the group has {} members and not {}", group.members.size(), there));
    const bool settled = there == 0 || group.state == GroupState::kStable;
    report_.Expect(settled, "not-live", GroupStateName(group.state));
  });
  AwaitPool();
  report_.Expect(owned == (there == 0 ? 0 : static_cast<std::size_t>(kPartitions)), "not-live",
                 fmt::format("{} partitions have an owner", owned));
  report_.Expect(open_.empty(), "unanswered", fmt::format("{} joins and syncs wait", open_.size()));
}

}  // namespace millrace::sim::storm

namespace millrace::sim {

void RunGroupStorm(std::uint64_t seed, Report& report) { storm::GroupStorm(seed, report).Run(); }

}  // namespace millrace::sim
