// Row 8, the position log alone: callers stage changes and await them in any order, calls of the disk fail, and at
// calls of the disk the power is lost: what is recovered must be what was durable, or that with the whole group that
// was being written.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "cursor/position_log.h"
#include "cursor_rows.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"

namespace millrace::sim {
namespace {

constexpr int kSteps = 60;
constexpr int kCursorsMax = 12;
const PartitionKey kPartition{TopicId(7), PartitionId(0)};

using Table = std::map<CursorId, std::pair<std::string, Offset>>;

std::string Text(const Table& table) {
  std::string text;
  for (const auto& [id, place] : table) text += fmt::format(" {}:{}@{}", id.value(), place.first, place.second.value());
  return text.empty() ? " nothing" : text;
}

Table TableOf(const PositionLog& log) {
  Table table;
  for (const PositionDefine& cursor : log.All()) table[cursor.id] = {cursor.key.name, cursor.position};
  return table;
}

class PositionLogLife {
 public:
  PositionLogLife(std::uint64_t seed, Report& report)
      : report_(report), random_(seed), files_(std::make_unique<SimFileSystem>(seed)) {
    Open();
  }

  void Live() {
    for (int i = 0; i < kSteps && log_ && !report_.enough(); ++i) {
      const std::uint64_t dice = random_.Below(20);
      if (dice < 11) {
        Stage();
      } else if (dice < 17) {
        Await();
      } else if (dice < 19) {
        failing_ = random_.OneIn(3) ? 1 + random_.Below(6) : 1;
        until_failure_ = 1 + random_.Below(6);
      } else {
        Reopen();
      }
    }
    failing_ = 0;
    if (log_ && !report_.enough()) Reopen();
  }

 private:
  struct Staged {
    PositionLog::Ticket ticket;
    std::optional<bool> outcome;
  };

  void Open() {
    files_->SetFaultPlan(nullptr);
    auto opened = PositionLog::Open({.directory = "/positions", .file_bytes_min = 16 << 10}, *files_, clock_);
    if (!opened) return report_.Fail("positions-lost", opened.error().ToString());
    log_ = *std::move(opened);
    Judge(*log_, "opened");
    durable_ = TableOf(*log_);
    allowed_ = {durable_};
    files_->SetFaultPlan([this](SimOperation, const auto&, std::uint64_t) -> std::optional<SimFault> {
      if (failing_ == 0 || --until_failure_ > 0) return {};
      --failing_;
      until_failure_ = 1;
      ++failed_;
      report_.Fired("call-failed");
      return SimFault{.bytes_written = random_.Below(3) * 2'048, .pages_left_clean = random_.OneIn(2)};
    });
    files_->SetObserver([this](SimOperation, const auto&) { LosePower(); });
  }

  void Judge(const PositionLog& log, std::string_view when) {
    const Table found = TableOf(log);
    std::string wanted;
    for (const Table& each : allowed_) wanted += Text(each) + ";";
    report_.Expect(std::ranges::find(allowed_, found) != allowed_.end(), "position-wrong",
                   fmt::format("{}:{}, must be one of{}", when, Text(found), wanted));
  }

  /// A world in which the power is lost at this very call; this one goes on.
  void LosePower() {
    if (!awaiting_ || !random_.OneIn(3) || report_.enough()) return;
    SimClock clock;
    const auto after = SimFileSystem::AfterPowerLoss(*files_->Snapshot(), random_.Below(1'000'000));
    const auto opened = PositionLog::Open({.directory = "/positions"}, *after, clock);
    report_.Fired("power-loss");
    if (!opened) return report_.Fail("positions-lost", opened.error().ToString());
    Judge(**opened, "after power loss");
  }

  void Stage() {
    const bool full = staged_.size() >= kCursorsMax;
    const std::uint64_t dice = random_.Below(10);
    if ((dice < 2 || staged_.empty()) && !full) {
      const std::string name = fmt::format("c{}", ++names_);
      const Offset position(static_cast<std::int64_t>(random_.Below(100)));
      auto defined = log_->Define({kPartition, name}, position);
      if (!defined) return report_.Fail("unexpected-error", defined.error().ToString());
      staged_[defined->id] = {name, position};
      tickets_.push_back({std::move(defined->ticket), {}});
      defining_.insert(defined->id);
      report_.Event(fmt::format("define {}", name));
      return;
    }
    if (staged_.empty()) return;
    auto chosen = staged_.begin();
    std::advance(chosen, random_.Below(staged_.size()));
    const CursorId id = chosen->first;
    if (defining_.contains(id)) return;  // no caller has been told of it
    const bool removes = dice == 2;
    const Offset position(static_cast<std::int64_t>(random_.Below(1'000)));
    auto ticket = removes ? log_->Remove(id) : log_->Move(id, position);
    if (!ticket) return report_.Fail("unexpected-error", ticket.error().ToString());
    if (removes) {
      staged_.erase(id);
    } else {
      chosen->second.second = position;
    }
    tickets_.push_back({*std::move(ticket), {}});
    report_.Event(fmt::format("{} {}", removes ? "remove" : "move", id.value()));
    report_.Fired(removes ? "remove" : "move");
  }

  void Await() {
    if (tickets_.empty()) return;
    Staged& chosen = tickets_[random_.Below(tickets_.size())];
    const bool leads = !chosen.outcome;
    const std::uint64_t failed = failed_;
    if (leads) allowed_.push_back(staged_);
    awaiting_ = leads;
    const auto awaited = log_->Await(chosen.ticket);
    awaiting_ = false;
    report_.Event(awaited ? "durable" : "failed");
    if (!leads) {
      report_.Expect(awaited.has_value() == *chosen.outcome, "outcome-changed", "of a change awaited twice");
      return;
    }
    report_.Expect(awaited || failed_ > failed, "unexpected-error", awaited ? "" : awaited.error().ToString());
    if (awaited) {
      durable_ = staged_;
      allowed_ = {durable_};
    } else {
      // One call failed: it did not happen. Several: the disk may say otherwise until something is durable again.
      if (failed_ - failed < 2) allowed_.pop_back();
      report_.Fired(failed_ - failed < 2 ? "refused" : "in-doubt");
    }
    staged_ = durable_;
    defining_.clear();
    for (Staged& each : tickets_)
      if (!each.outcome) each.outcome = awaited.has_value();
    report_.Expect(TableOf(*log_) == durable_, "position-wrong",
                   fmt::format("says{}, durable are{}", Text(TableOf(*log_)), Text(durable_)));
    if (tickets_.size() > 20) tickets_.erase(tickets_.begin(), tickets_.begin() + 10);
  }

  /// What is staged and not awaited belongs to a process that is gone.
  void Reopen() {
    const bool power = random_.OneIn(2);
    report_.Event(power ? "power loss" : "kill");
    report_.Fired("reopened");
    files_->SetObserver(nullptr);
    power ? files_->Crash() : files_->KillProcess();
    // What the destructor still tries, the dead process does not.
    files_->SetFaultPlan([](SimOperation, const auto&, std::uint64_t) { return std::optional(SimFault{}); });
    log_.reset();
    tickets_.clear();
    defining_.clear();
    Open();
    staged_ = durable_;
  }

  Report& report_;
  SeededRandom random_;
  SimClock clock_;
  std::unique_ptr<SimFileSystem> files_;
  std::unique_ptr<PositionLog> log_;
  Table durable_, staged_;
  std::vector<Table> allowed_{{}};  // that a crash may leave
  std::vector<Staged> tickets_;
  std::set<CursorId> defining_;
  std::uint64_t failing_ = 0, until_failure_ = 0, failed_ = 0;
  int names_ = 0;
  bool awaiting_ = false;
};

}  // namespace

void RunPositionLog(std::uint64_t seed, Report& report) { PositionLogLife(seed, report).Live(); }

}  // namespace millrace::sim
