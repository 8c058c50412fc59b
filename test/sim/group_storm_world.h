// A storm over one group: eager or cooperative members, some of them static, join, leave, pause, crash and come back,
// while the store of metadata is slow or fails and the server is killed and begins anew with what is durable. Members
// keep to the protocol as Kafka's clients do.
//
//   members ─► GroupCoordinator ─► (pool) FaultyMetadataStore ─► what is durable, which outlives the server
//      ▲             └── posted: after a while drawn from the seed ──┘
//
// The model: who was given which partition in which generation; which positions were acknowledged, and which were seen.
// (B84)
#pragma once

#include <fmt/format.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <semaphore>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"
#include "env/seeded_random.h"
#include "group/group_coordinator.h"
#include "meta/catalog.h"
#include "meta/faulty_metadata_store.h"
#include "meta/find_row.h"
#include "meta/group_catalog.h"
#include "meta/memory_metadata_store.h"
#include "report.h"

namespace millrace::sim::storm {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kStep{250};
constexpr int kWildSteps = 450, kCalmSteps = 400;
constexpr seconds kSession{10}, kRebalance{20};
constexpr seconds kAway{9};  // silent for so long, a member may be put out
constexpr std::size_t kClients = 20;
constexpr std::int32_t kPartitions = 24;
constexpr GroupError kNone = GroupError::kNone;
const std::string kGroup = "g";

using Partitions = std::set<std::int32_t>;

enum class Style { kEager, kCooperative };

struct CommitAnswer {
  GroupError error = GroupError::kNone;
};

/// One process that consumes.
struct Client {
  enum class Phase { kOut, kJoining, kSyncing, kFetching, kIn };
  std::size_t number = 0;
  std::optional<std::string> instance;
  std::string member;
  std::int32_t generation = -1;
  Phase phase = Phase::kOut;
  std::uint64_t asks = 0;  // the question whose answer it waits for
  bool waits = false;      // for that answer; it may be here, and not looked at yet
  GroupTicket ticket = 0;  // of this life of the server, while it waits
  GroupTime asked{}, next_beat{}, spoke{}, paused_until{}, back_at{};
  using Answer = std::variant<JoinAnswer, SyncAnswer, CommitAnswer, GroupCoordinator::Positions>;
  std::deque<Answer> answers;  // that came, and were not looked at yet
  bool excused = false;        // it was away too long, or the server forgot: 25 is right
  bool quits = false;          // does not take part any more
  Partitions owned, to_fetch;
  std::map<std::int32_t, std::int64_t> read;  // where it goes on
  int lives = 0;                              // that are over

  struct Sent {
    std::string member;
    std::int32_t generation = -1;
    std::uint64_t life = 0;  // of the server
    std::vector<PositionRow> rows;
  };
  std::optional<Sent> last_commit;  // which may come once more, late

  /// Tells it from all others, over its lives if it is static.
  [[nodiscard]] std::string name() const { return instance.value_or(member); }
};

class GroupStorm {
 public:
  GroupStorm(std::uint64_t seed, Report& report)
      : report_(report),
        random_(SeededRandom::Mix(seed)),
        member_ids_(seed),
        late_commits_(seed + 2),
        style_(random_.OneIn(2) ? Style::kEager : Style::kCooperative),
        settings_{.initial_delay = milliseconds(random_.Below(2) * 1'000)},
        truth_(std::make_shared<MemoryMetadataStore>()),
        store_(std::make_shared<FaultyMetadataStore>(truth_, seed + 1)),
        pool_(*ThreadPool::Start({.threads = 1, .queue_max = 1'000})),
        takes_id_(!random_.OneIn(4)) {
    report_.Fired(style_ == Style::kEager ? "eager" : "cooperative");
    clients_.resize(kClients);
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      clients_[i].number = i;
      if (random_.OneIn(3)) clients_[i].instance = fmt::format("instance-{}", i);
      clients_[i].back_at = seconds(100 + random_.Below(10));
    }
    const auto topic = Catalog(*truth_).CreateTopic("t", {.partitions = kPartitions}, "", 1);
    MR_CHECK(topic.has_value());
    for (std::int32_t i = 0; i < kPartitions; ++i) keys_.push_back({kGroup, {topic->id, PartitionId(i)}});
    Start();
  }
  ~GroupStorm() {
    pool_->Close();
    posted_.clear();
  }
  GroupStorm(const GroupStorm&) = delete;
  GroupStorm& operator=(const GroupStorm&) = delete;

  void Run() {
    for (int i = 0; i < kWildSteps && !report_.enough(); ++i) Step(/*wild=*/true);
    store_->SetPlan({});
    for (int i = 0; i < kCalmSteps && !report_.enough(); ++i) Step(/*wild=*/false);
    if (!report_.enough()) JudgeCalm();
  }

 private:
  using Phase = Client::Phase;

  // The server.
  void Start();
  void KillServer();
  void AwaitPool();
  void RunPosted(bool wild);

  // Members.
  void Step(bool wild);
  void Misbehave(Client& client);
  void Crash(Client& client);
  void Act(Client& client);
  void SendJoin(Client& client);
  void SendSync(Client& client, const JoinAnswer& joined);
  void SendFetch(Client& client);
  void Commit(Client& client);
  void CommitLate(Client& client);
  void Beat(Client& client);
  void OnJoin(Client& client, const JoinAnswer& answer);
  void OnSync(Client& client, const SyncAnswer& answer);
  void OnFetch(Client& client, const GroupCoordinator::Positions& positions);
  void Heed(Client& client, GroupError error);
  static void Lose(Client& client);
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> AssignTo(
      const std::vector<JoinedMember>& members) const;
  std::uint64_t Ask(Client& client);
  void Take(Client& client, std::uint64_t question, Client::Answer answer);

  // The model.
  void CheckPositions();
  void CheckOwners();
  void CheckWaits();
  void JudgeCalm();

  Report& report_;
  SeededRandom random_, member_ids_, late_commits_;  // each its own: more late commits change no storm
  const Style style_;
  const GroupSettings settings_;
  const std::shared_ptr<MemoryMetadataStore> truth_;
  const std::shared_ptr<FaultyMetadataStore> store_;
  const std::unique_ptr<ThreadPool> pool_;
  const bool takes_id_;
  std::vector<PositionKey> keys_;
  std::unique_ptr<GroupCoordinator> server_;
  std::uint64_t life_ = 0;       // of the server
  bool store_is_asked_ = false;  // since the pool was waited for
  std::uint64_t failed_ = 0;     // calls of the store
  std::vector<Client> clients_;
  GroupTime now_ = seconds(100);
  std::optional<GroupTime> wake_at_;
  std::uint64_t last_question_ = 0;
  std::map<std::uint64_t, Client*> open_;  // joins and syncs without an answer
  std::int32_t newest_generation_ = 0;     // that any member was told of

  struct Posted {
    GroupTime due;
    GroupWrites::Task task;
  };
  Mutex mutex_;
  std::deque<GroupWrites::Task> arrived_ MR_GUARDED_BY(mutex_);
  std::deque<Posted> posted_;

  std::map<std::int32_t, std::int64_t> acknowledged_, seen_;
  std::map<std::int32_t, std::map<std::int32_t, std::string>> shared_out_;  // by generation
};

}  // namespace millrace::sim::storm
