// Goal: whatever members do, a partition has one owner, every join and sync ends, a member that keeps its word is never
// told that it is unknown, and positions never go back. Method: storms of eager, cooperative and static members over
// one group, drawn from a seed: they join, leave, pause, crash and come back, while snapshots are late or lost and the
// server restarts from the last durable one. Members keep to the protocol as Kafka's clients do.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "env/seeded_random.h"
#include "group/consumer_group.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kStep{250};
constexpr seconds kSession{10}, kRebalance{20};
constexpr int kPartitions = 24;
constexpr GroupError kNone = GroupError::kNone;

using Partitions = std::set<int>;

std::string Encode(const Partitions& partitions) {
  std::string text;
  for (const int partition : partitions) text += static_cast<char>('A' + partition);
  return text;
}
Partitions DecodePartitions(const std::string& text) {
  Partitions partitions;
  for (const char letter : text) partitions.insert(letter - 'A');
  return partitions;
}

enum class Style { kEager, kCooperative };

/// One process that consumes.
struct Client {
  enum class Phase { kOut, kJoining, kSyncing, kIn };
  std::optional<std::string> instance;
  std::string member;
  std::int32_t generation = -1;
  Phase phase = Phase::kOut;
  GroupTicket ticket = 0;
  GroupTime asked{}, next_beat{}, spoke{}, paused_until{}, back_at{};
  std::deque<std::variant<JoinAnswer, SyncAnswer>> answers;  // that came, and were not looked at yet
  bool excused = false;                                      // it was away too long, or the server forgot: 25 is right
  bool quits = false;                                        // does not take part any more
  Partitions owned;
  std::map<int, std::int64_t> read;  // where it goes on
};

class Storm {
 public:
  Storm(std::uint64_t seed, Style style)
      : random_(seed),
        style_(style),
        rules_{.initial_delay = milliseconds(random_.Below(2) * 1'000)},
        group_(std::in_place, rules_) {
    clients_.resize(4 + random_.Below(17));
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      if (random_.OneIn(3)) clients_[i].instance = "instance-" + std::to_string(i);
      clients_[i].back_at = seconds(random_.Below(10));
    }
    takes_id_ = !random_.OneIn(4);
  }

  void Run() {
    for (int i = 0; i < 1'200; ++i) Step(/*wild=*/true);
    // Calm: whoever is there settles, and everyone is answered.
    for (int i = 0; i < 500; ++i) Step(/*wild=*/false);
    std::size_t there = 0, owned = 0;
    for (const Client& client : clients_) {
      if (client.quits) continue;
      ++there;
      owned += client.owned.size();
      EXPECT_EQ(client.phase, Client::Phase::kIn);
      EXPECT_EQ(client.generation, group_->generation());
    }
    EXPECT_EQ(group_->members(), there);
    EXPECT_EQ(group_->state(), there == 0 ? GroupState::kEmpty : GroupState::kStable);
    EXPECT_EQ(owned, there == 0 ? 0u : static_cast<std::size_t>(kPartitions));
    EXPECT_TRUE(tickets_.empty());
  }
  [[nodiscard]] int generations() const { return generations_; }

 private:
  using Phase = Client::Phase;

  void Step(bool wild) {
    now_ += kStep;
    if (wild && random_.OneIn(300)) Restart();
    Tick();
    while (!saves_.empty() && (saves_.front().due <= now_)) FinishSave(wild);
    for (Client& client : clients_) {
      if (client.quits || now_ < client.paused_until || now_ < client.back_at) continue;
      if (wild) Misbehave(client);
      if (client.quits || now_ < client.paused_until || now_ < client.back_at) continue;
      Act(client);
    }
    CheckOwners();
    CheckWaits();
    group_->CheckInvariants();
  }

  void Misbehave(Client& client) {
    if (random_.OneIn(400)) {  // as a long collection of garbage
      client.paused_until = now_ + milliseconds(random_.Below(30'000));
      if (client.paused_until - client.spoke > seconds(9)) client.excused = true;
    } else if (random_.OneIn(600)) {  // the process dies; another begins, of the same instance if it has one
      Die(client);
      client.back_at = now_ + milliseconds(random_.Below(25'000));
    } else if (random_.OneIn(400) && client.phase == Phase::kIn) {
      GroupEffects effects;
      (void)group_->Leave({client.member, client.instance}, now_, effects);
      Die(client);
      Take(effects);
      client.back_at = now_ + milliseconds(random_.Below(10'000));
      client.quits = random_.OneIn(8);
    } else if (random_.OneIn(300) && client.phase == Phase::kIn) {
      SendJoin(client);  // subscribes to something else
    }
  }

  static void Die(Client& client) {
    const auto instance = client.instance;
    const bool quits = client.quits;
    client = Client{.instance = instance, .quits = quits};
  }

  void Act(Client& client) {
    while (!client.answers.empty()) {
      const auto answer = std::move(client.answers.front());
      client.answers.pop_front();
      if (const auto* join = std::get_if<JoinAnswer>(&answer)) OnJoin(client, *join);
      if (const auto* sync = std::get_if<SyncAnswer>(&answer)) OnSync(client, *sync);
    }
    switch (client.phase) {
      case Phase::kOut:
        return SendJoin(client);
      case Phase::kJoining:
      case Phase::kSyncing:
        return;
      case Phase::kIn:
        break;
    }
    if (random_.OneIn(4)) Commit(client);
    if (client.phase == Phase::kIn && now_ >= client.next_beat) {
      client.next_beat = now_ + seconds(2);
      client.spoke = now_;
      const GroupError error = group_->Heartbeat({client.member, client.instance}, client.generation, now_);
      if (error == kNone || error == GroupError::kRebalanceInProgress) client.excused = false;
      Heed(client, error);
    }
  }

  /// Reads on and commits; after a position that another has left it may only go forward.
  void Commit(Client& client) {
    const GroupError error = group_->CheckCommit({client.member, client.instance}, client.generation, now_);
    for (const int partition : client.owned) {
      std::int64_t& at = client.read[partition];
      at += static_cast<std::int64_t>(random_.Below(5));
      if (error != kNone) continue;
      EXPECT_GE(at, committed_[partition]) << "partition " << partition << " goes back";
      committed_[partition] = at;
    }
    if (error != GroupError::kRebalanceInProgress) Heed(client, error);
  }

  void Heed(Client& client, GroupError error) {
    switch (error) {
      case GroupError::kNone:
        return;
      case GroupError::kRebalanceInProgress:
        return SendJoin(client);
      case GroupError::kIllegalGeneration:
        Lose(client);
        return SendJoin(client);
      case GroupError::kUnknownMember:
        EXPECT_TRUE(client.excused) << client.member << " kept its word and is unknown";
        Lose(client);
        client.member.clear();
        client.excused = false;
        return SendJoin(client);
      case GroupError::kFencedInstance:
        ADD_FAILURE() << "one process an instance, and it is fenced";
        return;
      default:
        Lose(client);
        client.phase = Phase::kOut;
        client.back_at = now_ + seconds(1);
    }
  }

  static void Lose(Client& client) {
    client.owned.clear();
    client.generation = -1;
  }

  void SendJoin(Client& client) {
    if (style_ == Style::kEager) client.owned.clear();
    client.phase = Phase::kJoining;
    client.ticket = ++last_ticket_;
    client.asked = client.spoke = now_;
    tickets_[client.ticket] = &client;
    JoinCall call{.who = {client.member, client.instance},
                  .protocol_type = "consumer",
                  .protocols = {{"model", Encode(client.owned)}},
                  .session_timeout = kSession,
                  .rebalance_timeout = kRebalance,
                  .takes_member_id = takes_id_,
                  .skips_assignment = true};
    GroupEffects effects;
    group_->Join(call, "member-" + std::to_string(++last_id_), client.ticket, now_, effects);
    Take(effects);
  }

  void OnJoin(Client& client, const JoinAnswer& answer) {
    if (answer.error == GroupError::kMemberIdRequired) {
      client.member = answer.member;
      return SendJoin(client);
    }
    if (answer.error != kNone) {
      client.phase = Phase::kOut;
      return Heed(client, answer.error);
    }
    client.member = answer.member;
    client.generation = answer.generation;
    client.phase = Phase::kSyncing;
    client.ticket = ++last_ticket_;
    client.asked = client.spoke = now_;
    tickets_[client.ticket] = &client;
    SyncCall call{.who = {client.member, client.instance}, .generation = client.generation};
    if (answer.leader == client.member && !answer.skip_assignment) call.assignments = AssignTo(answer.members);
    GroupEffects effects;
    group_->Sync(call, client.ticket, now_, effects);
    Take(effects);
  }

  /// Evenly, in the order of members; cooperative: what another still owns waits for the next round.
  std::vector<std::pair<std::string, std::string>> AssignTo(const std::vector<JoinedMember>& members) const {
    std::map<int, std::string> owner;
    std::vector<std::string> ids;
    for (const JoinedMember& member : members) {
      ids.push_back(member.member);
      if (style_ == Style::kCooperative) {
        for (const int partition : DecodePartitions(member.metadata)) owner[partition] = member.member;
      }
    }
    std::ranges::sort(ids);
    std::map<std::string, Partitions> assigned;
    for (int partition = 0; partition < kPartitions; ++partition) {
      const std::string& to = ids[static_cast<std::size_t>(partition) % ids.size()];
      if (!owner.contains(partition) || owner[partition] == to) assigned[to].insert(partition);
    }
    std::vector<std::pair<std::string, std::string>> all;
    for (const std::string& id : ids) all.emplace_back(id, Encode(assigned[id]));
    return all;
  }

  void OnSync(Client& client, const SyncAnswer& answer) {
    if (answer.error != kNone) {
      client.phase = Phase::kOut;
      // What it owned is told with the next join, but where its place is gone.
      return Heed(client, answer.error);
    }
    generations_ = std::max(generations_, static_cast<int>(client.generation));
    const Partitions before = client.owned, after = DecodePartitions(answer.assignment);
    bool gave_up = false;
    for (const int partition : before) gave_up |= !after.contains(partition);
    for (const int partition : after)
      if (!before.contains(partition)) client.read[partition] = committed_[partition];
    client.owned = after;
    client.phase = Phase::kIn;
    client.next_beat = now_;
    // Of a static member another process may have taken the place, in the same generation.
    const std::string name = client.instance.value_or(client.member);
    for (const int partition : after) {
      const auto [place, first] = shared_out_[client.generation].emplace(partition, name);
      EXPECT_TRUE(first || place->second == name) << "two owners in generation " << client.generation;
    }
    if (gave_up && style_ == Style::kCooperative) SendJoin(client);  // the second round
  }

  void Take(GroupEffects& effects) {
    if (effects.save != 0) {
      saves_.push_back({now_ + milliseconds(random_.Below(1'500)), effects.save, group_->Snapshot()});
      // In order, as one writer makes them durable.
      if (saves_.size() > 1) saves_.back().due = std::max(saves_.back().due, saves_[saves_.size() - 2].due);
    }
    for (auto& [ticket, answer] : effects.joins) {
      if (Client* client = Answered(ticket)) client->answers.emplace_back(std::move(answer));
    }
    for (auto& [ticket, answer] : effects.syncs) {
      if (Client* client = Answered(ticket)) client->answers.emplace_back(std::move(answer));
    }
  }

  /// Null: whoever asked does not wait for it any more.
  Client* Answered(GroupTicket ticket) {
    const auto found = tickets_.find(ticket);
    if (found == tickets_.end()) {
      ADD_FAILURE() << "ticket " << ticket << " is answered twice";
      return nullptr;
    }
    Client* client = found->second;
    tickets_.erase(found);
    return client->ticket == ticket ? client : nullptr;
  }

  void Tick() {
    const auto next = group_->NextDeadline();
    if (!next || *next > now_) return;
    GroupEffects effects;
    group_->Tick(now_, effects);
    Take(effects);
  }

  void FinishSave(bool wild) {
    const Save save = std::move(saves_.front());
    saves_.pop_front();
    const bool durable = !wild || !random_.OneIn(20);
    // Of one that failed it is not known whether it happened.
    if (durable || random_.OneIn(2)) kept_ = save.snapshot;
    GroupEffects effects;
    group_->Saved(save.number, durable, now_, effects);
    Take(effects);
  }

  /// What waits is lost with its connections; who is not in the durable snapshot is unknown from now on.
  void Restart() {
    saves_.clear();
    tickets_.clear();
    group_.emplace(rules_, kept_, now_);
    for (Client& client : clients_) {
      const bool kept = std::ranges::count(kept_.members, client.member, &MemberSnapshot::member) > 0;
      if (!kept) client.excused = true;
      const bool asks = client.phase == Phase::kJoining || client.phase == Phase::kSyncing;
      if (asks && client.answers.empty()) client.phase = Phase::kOut;
    }
    // A generation that nobody was told of may come again.
    std::erase_if(shared_out_, [&](const auto& each) { return each.first > kept_.generation; });
  }

  void CheckOwners() {
    std::map<int, const Client*> owner;
    for (const Client& client : clients_) {
      if (client.excused) continue;  // it does not know yet that it was put out
      for (const int partition : client.owned)
        EXPECT_TRUE(owner.emplace(partition, &client).second) << "two own partition " << partition;
    }
  }

  void CheckWaits() {
    for (const auto& [ticket, client] : tickets_) {
      if (client->ticket == ticket)
        EXPECT_LT(now_ - client->asked, 3 * kRebalance) << "nobody answers " << client->member;
    }
  }

  struct Save {
    GroupTime due;
    std::uint64_t number;
    GroupSnapshot snapshot;
  };

  SeededRandom random_;
  const Style style_;
  const GroupRules rules_;
  std::optional<ConsumerGroup> group_;
  GroupSnapshot kept_;
  std::vector<Client> clients_;
  bool takes_id_ = true;
  GroupTime now_ = seconds(100);
  GroupTicket last_ticket_ = 0;
  int last_id_ = 0, generations_ = 0;
  std::map<GroupTicket, Client*> tickets_;
  std::deque<Save> saves_;
  std::map<int, std::int64_t> committed_;
  std::map<std::int32_t, std::map<int, std::string>> shared_out_;
};

class ConsumerGroupStormTest : public testing::TestWithParam<Style> {};

INSTANTIATE_TEST_SUITE_P(Styles, ConsumerGroupStormTest, testing::Values(Style::kEager, Style::kCooperative),
                         [](const auto& info) { return info.param == Style::kEager ? "Eager" : "Cooperative"; });

TEST_P(ConsumerGroupStormTest, NoStormBreaksTheGroup) {
  int generations = 0;
  for (std::uint64_t seed = 1; seed <= 12 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Storm storm(seed, GetParam());
    storm.Run();
    generations += storm.generations();
  }
  EXPECT_GT(generations, 300);  // or the storms were mild
}

}  // namespace
}  // namespace millrace
