// What a member of a storm sends and how it takes the answers, as Kafka's clients do.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "group_storm_world.h"

namespace millrace::sim::storm {
namespace {

std::string Encode(const Partitions& partitions) {
  std::string text;
  for (const std::int32_t partition : partitions) text += static_cast<char>('A' + partition);
  return text;
}
Partitions DecodePartitions(const std::string& text) {
  Partitions partitions;
  for (const char letter : text) partitions.insert(letter - 'A');
  return partitions;
}

}  // namespace

void GroupStorm::Act(Client& client) {
  while (!client.answers.empty()) {
    const Client::Answer answer = std::move(client.answers.front());
    client.answers.pop_front();
    if (const auto* join = std::get_if<JoinAnswer>(&answer)) OnJoin(client, *join);
    if (const auto* sync = std::get_if<SyncAnswer>(&answer)) OnSync(client, *sync);
    if (const auto* fetched = std::get_if<GroupCoordinator::Positions>(&answer)) OnFetch(client, *fetched);
    if (const auto* commit = std::get_if<CommitAnswer>(&answer); commit != nullptr && client.phase == Phase::kIn) {
      // That others are joining again it learns from its heartbeat.
      if (commit->error != GroupError::kRebalanceInProgress) Heed(client, commit->error);
    }
  }
  if (client.phase == Phase::kOut) return SendJoin(client);
  if (client.phase == Phase::kIn && random_.OneIn(50)) Commit(client);
  if (client.phase == Phase::kIn && late_commits_.OneIn(50)) CommitLate(client);
  const bool beats = client.phase == Phase::kIn || client.phase == Phase::kFetching;
  if (beats && now_ >= client.next_beat) Beat(client);
}

void GroupStorm::Beat(Client& client) {
  client.next_beat = now_ + seconds(2);
  client.spoke = now_;
  const GroupError error = server_->Heartbeat(kGroup, {client.member, client.instance}, client.generation);
  if (error == kNone || error == GroupError::kRebalanceInProgress) client.excused = false;
  Heed(client, error);
}

void GroupStorm::Heed(Client& client, GroupError error) {
  switch (error) {
    case GroupError::kNone:
    case GroupError::kCoordinatorLoading:
    case GroupError::kCoordinatorNotAvailable:  // it tries again
      return;
    case GroupError::kRebalanceInProgress:
      return SendJoin(client);
    case GroupError::kIllegalGeneration:
      Lose(client);
      return SendJoin(client);
    case GroupError::kUnknownMember:
      report_.Expect(client.excused, "live-member-unknown",
                     fmt::format("{} kept its word and is unknown", client.member));
      report_.Fired("put-out");
      Lose(client);
      client.member.clear();
      client.excused = false;
      return SendJoin(client);
    default:
      report_.Fail("unexpected-error",
                   fmt::format("{} is answered {}", client.name(), static_cast<std::int16_t>(error)));
  }
}

void GroupStorm::Lose(Client& client) {
  client.owned.clear();
  client.generation = -1;
}

std::uint64_t GroupStorm::Ask(Client& client) {
  open_.erase(client.asks);  // whatever it asked before, it does not wait for any more
  client.asks = ++last_question_;
  client.asked = client.spoke = now_;
  client.ticket = 0;
  client.waits = true;
  return client.asks;
}

/// An answer to a question that is still asked.
void GroupStorm::Take(Client& client, std::uint64_t question, Client::Answer answer) {
  open_.erase(question);
  if (client.asks != question) return;
  client.waits = false;
  client.ticket = 0;
  client.answers.push_back(std::move(answer));
}

void GroupStorm::SendJoin(Client& client) {
  if (style_ == Style::kEager) client.owned.clear();
  if (client.instance && client.member.empty() && client.lives > 0) report_.Fired("instance-back");
  store_is_asked_ = true;
  client.phase = Phase::kJoining;
  const std::uint64_t question = Ask(client);
  open_[question] = &client;
  const JoinCall call{.who = {client.member, client.instance},
                      .client_id = "client",
                      .client_host = "/host",
                      .protocol_type = "consumer",
                      .protocols = {{"model", Encode(client.owned)}},
                      .session_timeout = kSession,
                      .rebalance_timeout = kRebalance,
                      .takes_member_id = takes_id_,
                      .skips_assignment = true};
  const GroupTicket ticket = server_->Join(kGroup, call, [this, &client, question, life = life_](JoinAnswer answer) {
    if (life != life_) return;
    if (answer.error == kNone) newest_generation_ = std::max(newest_generation_, answer.generation);
    Take(client, question, std::move(answer));
  });
  if (client.asks == question && client.waits) client.ticket = ticket;
}

void GroupStorm::OnJoin(Client& client, const JoinAnswer& answer) {
  if (answer.error == GroupError::kMemberIdRequired) {
    client.member = answer.member;
    return SendJoin(client);
  }
  if (answer.error != kNone) {
    client.phase = Phase::kOut;
    client.back_at = now_ + seconds(1);
    return Heed(client, answer.error);
  }
  report_.Event(fmt::format("{} joins as {} in generation {}", client.number, answer.member, answer.generation));
  report_.Fired("joined");
  client.member = answer.member;
  client.generation = answer.generation;
  SendSync(client, answer);
}

void GroupStorm::SendSync(Client& client, const JoinAnswer& joined) {
  client.phase = Phase::kSyncing;
  store_is_asked_ = true;
  const std::uint64_t question = Ask(client);
  open_[question] = &client;
  SyncCall call{.who = {client.member, client.instance}, .generation = client.generation};
  if (joined.leader == client.member && !joined.skip_assignment) call.assignments = AssignTo(joined.members);
  const GroupTicket ticket = server_->Sync(kGroup, call, [this, &client, question, life = life_](SyncAnswer answer) {
    if (life == life_) Take(client, question, std::move(answer));
  });
  if (client.asks == question && client.waits) client.ticket = ticket;
}

/// Evenly, in the order of members; cooperative: what another still owns waits for the next round.
std::vector<std::pair<std::string, std::string>> GroupStorm::AssignTo(const std::vector<JoinedMember>& members) const {
  std::map<std::int32_t, std::string> owner;
  std::vector<std::string> ids;
  for (const JoinedMember& member : members) {
    ids.push_back(member.member);
    if (style_ == Style::kCooperative) {
      for (const std::int32_t partition : DecodePartitions(member.metadata)) owner[partition] = member.member;
    }
  }
  std::ranges::sort(ids);
  std::map<std::string, Partitions> assigned;
  for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
    const std::string& to = ids[static_cast<std::size_t>(partition) % ids.size()];
    if (!owner.contains(partition) || owner[partition] == to) assigned[to].insert(partition);
  }
  std::vector<std::pair<std::string, std::string>> all;
  for (const std::string& id : ids) all.emplace_back(id, Encode(assigned[id]));
  return all;
}

void GroupStorm::OnSync(Client& client, const SyncAnswer& answer) {
  if (answer.error != kNone) {
    client.phase = Phase::kOut;
    if (answer.error == GroupError::kCoordinatorNotAvailable) Lose(client);
    return Heed(client, answer.error);
  }
  report_.Event(fmt::format("{} is given {} in generation {}", client.number, answer.assignment, client.generation));
  const Partitions before = std::exchange(client.owned, DecodePartitions(answer.assignment));
  std::erase_if(client.to_fetch, [&](std::int32_t partition) { return !client.owned.contains(partition); });
  for (const std::int32_t partition : client.owned)
    if (!before.contains(partition)) client.to_fetch.insert(partition);
  // Of a static member another process may have taken the place, in the same generation.
  auto& places = shared_out_[client.generation];
  if (places.empty()) report_.Fired("generation");
  for (const std::int32_t partition : client.owned) {
    const auto [place, first] = places.emplace(partition, client.name());
    report_.Expect(first || place->second == client.name(), "two-owners",
                   fmt::format("partition {} of generation {}: {} and {}", partition, client.generation, place->second,
                               client.name()));
  }
  client.next_beat = now_;
  const bool gave_up =
      std::ranges::any_of(before, [&](std::int32_t partition) { return !client.owned.contains(partition); });
  if (gave_up && style_ == Style::kCooperative) return SendJoin(client);  // the second round
  if (client.to_fetch.empty()) {
    client.phase = Phase::kIn;
  } else {
    SendFetch(client);
  }
}

/// Where others left off.
void GroupStorm::SendFetch(Client& client) {
  client.phase = Phase::kFetching;
  store_is_asked_ = true;
  const std::uint64_t question = Ask(client);
  std::vector<PartitionKey> partitions;
  for (const std::int32_t partition : client.to_fetch)
    partitions.push_back(keys_[static_cast<std::size_t>(partition)].partition);
  server_->Fetch(kGroup, std::move(partitions),
                 [this, &client, question, life = life_](GroupCoordinator::Positions positions) {
                   if (life == life_) Take(client, question, std::move(positions));
                 });
}

void GroupStorm::OnFetch(Client& client, const GroupCoordinator::Positions& positions) {
  if (client.phase != Phase::kFetching) return;
  if (!positions) return SendFetch(client);
  for (const std::int32_t partition : client.to_fetch) client.read[partition] = 0;
  for (const PositionRow& row : *positions) client.read[row.key.partition.partition.value()] = row.position.value();
  client.to_fetch.clear();
  client.phase = Phase::kIn;
}

/// Reads on, and commits without waiting for the answer.
void GroupStorm::Commit(Client& client) {
  std::vector<PositionRow> rows;
  std::vector<std::pair<std::int32_t, std::int64_t>> told;
  for (const std::int32_t partition : client.owned) {
    if (client.to_fetch.contains(partition)) continue;  // of this one it knows nothing yet
    std::int64_t& at = client.read[partition];
    at += static_cast<std::int64_t>(random_.Below(5));
    rows.push_back({.key = keys_[static_cast<std::size_t>(partition)], .position = Offset(at), .metadata = ""});
    told.emplace_back(partition, at);
  }
  if (rows.empty()) return;
  client.spoke = now_;
  client.last_commit = {.member = client.member, .generation = client.generation, .life = life_, .rows = rows};
  store_is_asked_ = true;
  const bool is_old = client.generation < newest_generation_;
  server_->Commit(kGroup, {client.member, client.instance}, client.generation, std::move(rows),
                  [this, &client, told = std::move(told), asks = client.asks, is_old, life = life_](GroupError error) {
                    if (life != life_) return;
                    report_.Event(fmt::format("a commit of {} is answered {}", client.number, static_cast<int>(error)));
                    report_.Fired(error == kNone ? "committed" : "commit-refused");
                    if (error == kNone) {
                      report_.Expect(!is_old, "old-generation-committed", client.name());
                      for (const auto& [partition, at] : told)
                        acknowledged_[partition] = std::max(acknowledged_[partition], at);
                    }
                    if (client.asks == asks) client.answers.push_back(CommitAnswer{error});
                  });
}

/// What the member sent in a generation that is over comes once more, as from a connection that was slow. Others may
/// have read on from there: it is refused, whatever it says.
void GroupStorm::CommitLate(Client& client) {
  if (!client.last_commit) return;
  const Client::Sent& sent = *client.last_commit;
  const bool is_late = sent.life == life_ && sent.member == client.member && sent.generation < client.generation;
  if (!is_late) return;
  store_is_asked_ = true;
  server_->Commit(kGroup, {sent.member, client.instance}, sent.generation, sent.rows,
                  [this, name = client.name(), life = life_](GroupError error) {
                    if (life != life_) return;
                    report_.Fired("late-commit");
                    report_.Expect(error != kNone, "old-generation-committed", name);
                  });
}

}  // namespace millrace::sim::storm
