#include "wal_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace millrace::sim {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kInterval(5);
constexpr std::uint64_t kStreams = 3;
constexpr int kStepsMax = 1000;  // of a background step that keeps finding work

std::string_view Name(bool yes, std::string_view name) { return yes ? name : std::string_view(); }

}  // namespace

WalMachineOptions DrawWalMachineOptions(std::uint64_t seed) {
  SeededRandom random(seed);
  WalMachineOptions options;
  const std::array policies = {SyncPolicy::Each(), SyncPolicy::Interval(kInterval), SyncPolicy::None()};
  options.sync = policies[random.Below(5) < 3 ? 0 : 1 + random.Below(2)];
  options.traits = {.direct = !random.OneIn(4), .allocate = !random.OneIn(4), .map = !random.OneIn(4)};
  options.file_bytes = (std::uint64_t{8} << random.Below(4)) << 10;
  options.staging_bytes = 16 << 10;
  return options;
}

WalOptions WalOptionsOf(const WalMachineOptions& options) {
  return {.directory = "/wal",
          .sync = options.sync,
          .wal_bytes_max = options.wal_bytes_max,
          .frame_bytes_max = 64 << 10,
          .staging_bytes = options.staging_bytes,
          .file_bytes = options.file_bytes};
}

WalMachine::WalMachine(std::uint64_t seed, const WalMachineOptions& options, Report& report)
    : options_(options),
      report_(report),
      random_(seed),
      files_(seed, options.traits),
      disk_(files_),
      watched_(std::make_shared<std::multiset<WalPosition>>()) {
  report_.Event(fmt::format("file {} KiB{}{}{}", options.file_bytes >> 10, Name(options.traits.direct, " direct"),
                            Name(options.traits.allocate, " allocate"), Name(options.traits.map, " map")));
}

WalMachine::~WalMachine() {
  if (wal_) files_.KillProcess();
}

bool WalMachine::Allowed(const Result<void>& result, std::string_view call) {
  if (result) return true;
  ++errors_;
  report_.Event(fmt::format("{} failed: {}", call, ErrorCodeName(result.error().code())));
  if (!errors_allowed_) report_.Fail("unexpected-error", fmt::format("{}: {}", call, result.error().ToString()));
  return false;
}

std::vector<std::byte> WalMachine::Payload(std::uint64_t bytes) {
  std::vector<std::byte> payload(bytes);
  // No two alike, and nowhere zeros, so that every lost or foreign byte shows.
  std::uint64_t word = SeededRandom::Mix(++payloads_ + (random_.Next() << 20));
  for (std::size_t at = 0; at < payload.size(); at += 8) {
    word = SeededRandom::Mix(word + 0x9e3779b97f4a7c15U) | 0x0101010101010101U;
    std::memcpy(payload.data() + at, &word, std::min<std::size_t>(8, payload.size() - at));
  }
  return payload;
}

void WalMachine::NoteDurable() {
  if (wal_) model_.Acknowledge(wal_->durable_end());
}

bool WalMachine::Append(std::uint64_t payload_bytes) {
  const auto payload = Payload(payload_bytes);
  const WalStream stream(random_.Below(kStreams) + 1);
  const std::array<std::span<const std::byte>, 2> pieces = {std::span(payload).first(payload.size() / 3),
                                                            std::span(payload).subspan(payload.size() / 3)};
  for (int attempt = 0; attempt < 3; ++attempt) {
    model_.BeginAppend(stream, HashOf(payload));
    const auto extent = wal_->TryAppend(stream, pieces);
    model_.EndAppend(extent);
    if (extent) {
      report_.Event(fmt::format("append {} bytes at {}", payload_bytes, extent->begin.value()));
      report_.Expect(model_.frames().size() < 2 || (model_.frames().end() - 2)->extent.end <= extent->begin,
                     "order-changed", "an append got a place before its predecessor's");
      return true;
    }
    if (extent.error().code() != ErrorCode::kUnavailable) return Allowed(extent.error(), "TryAppend");
    const auto room = wal_->AwaitRoom(payload_bytes, clock_.Monotonic());
    NoteDurable();
    if (!room) {
      if (room.error().code() == ErrorCode::kOutOfSpace && !errors_allowed_) {
        report_.Event("append: no room");
        Recycle();
        continue;
      }
      return Allowed(room, "AwaitRoom");
    }
  }
  report_.Event("append gave up");
  return false;
}

void WalMachine::AppendMeanwhile() {
  if (!wal_) return;
  const auto payload = Payload(1 + random_.Below(300));
  const WalStream stream(random_.Below(kStreams) + 1);
  const std::span<const std::byte> piece(payload);
  model_.BeginAppend(stream, HashOf(payload));
  const auto extent = wal_->TryAppend(stream, std::span(&piece, 1));
  model_.EndAppend(extent);
  if (!extent) return;  // no room, or the log is closing
  report_.Fired("append-meanwhile");
  report_.Event(fmt::format("meanwhile: append {} bytes at {}", payload.size(), extent->begin.value()));
}

bool WalMachine::AwaitDurable(WalPosition end) {
  const auto durable = wal_->AwaitDurable(end);
  if (!Allowed(durable, "AwaitDurable")) return false;
  model_.Acknowledge(end);
  report_.Event(fmt::format("durable to {}", end.value()));
  report_.Expect(wal_->durable_end() >= end, "ack-before-durable-end",
                 "AwaitDurable returned before durable_end moved");
  return true;
}

void WalMachine::Watch(WalPosition end) {
  watched_->insert(end);
  auto watched = watched_;
  wal_->OnDurable(end, [this, watched, end](const Result<void>& result) {
    watched->erase(watched->find(end));
    if (!result) return;
    model_.Acknowledge(end);
    report_.Event(fmt::format("told durable to {}", end.value()));
    report_.Expect(watched->empty() || *watched->begin() >= end, "ack-out-of-order",
                   "an earlier position was still waiting when a later one was acknowledged");
  });
}

void WalMachine::Commit() {
  for (int i = 0; i < kStepsMax; ++i) {
    const auto more = wal_->CommitOnce();
    NoteDurable();
    if (!more) {
      Allowed(more.error(), "CommitOnce");
      return;
    }
    if (!*more) return;
  }
  report_.Fail("livelock", "CommitOnce always finds work");
}

void WalMachine::LetTimePass(milliseconds by) {
  const WalPosition before = wal_->end();
  const std::uint64_t errors = errors_;
  clock_.Advance(by);
  report_.Event(fmt::format("{} ms pass", by.count()));
  bool idle = false;
  for (int i = 0; i < kStepsMax && !idle; ++i) {
    const auto more = wal_->SyncDueOnce();
    NoteDurable();
    if (!more) {
      Allowed(more.error(), "SyncDueOnce");
      return;
    }
    idle = !*more;
  }
  report_.Expect(idle, "livelock", "SyncDueOnce always finds work");
  if (options_.sync.kind == SyncPolicy::Kind::kInterval && by >= kInterval && errors == errors_ && !errors_allowed_) {
    report_.Expect(
        wal_->durable_end() >= before, "interval-sync-late",
        fmt::format("{} of {} is synced after {} ms", wal_->durable_end().value(), before.value(), by.count()));
    report_.Fired("interval-sync");
  }
}

void WalMachine::PrepareFiles() {
  for (int i = 0; i < 4; ++i) {
    const auto more = wal_->PrepareFilesOnce();
    if (!more) {
      Allowed(more.error(), "PrepareFilesOnce");
      return;
    }
    if (!*more) return;
  }
}

void WalMachine::ReadBack() {
  const auto& frames = model_.frames();
  if (frames.empty()) return;
  const WalStream stream(random_.Below(kStreams) + 1);
  const WalExtent range{frames[random_.Below(frames.size())].extent.begin, wal_->end()};
  const auto read = wal_->Read(stream, range, 1 + random_.Below(8192));
  if (!read) {
    if (read.error().code() == ErrorCode::kOutOfRange && range.begin < std::max(wal_->begin(), model_.given_back())) {
      return;
    }
    Allowed(read.error(), "Read");
    return;
  }
  auto expected = std::ranges::find_if(
      frames, [&](const ModelFrame& frame) { return frame.stream == stream && frame.extent.begin >= range.begin; });
  for (const Wal::Frame& frame : read->frames) {
    if (model_.Find(frame.extent.begin) == nullptr && model_.MayExist(stream, HashOf(frame.payload.bytes()))) continue;
    const bool right =
        expected != frames.end() && expected->extent == frame.extent && expected->hash == HashOf(frame.payload.bytes());
    if (!report_.Expect(right, "wrong-read",
                        fmt::format("stream {} at {}", stream.value(), frame.extent.begin.value()))) {
      return;
    }
    expected = std::find_if(expected + 1, frames.end(), [&](const ModelFrame& next) { return next.stream == stream; });
  }
  report_.Expect(!read->frames.empty() || expected == frames.end(), "read-nothing",
                 fmt::format("stream {} from {} has frames, none was read", stream.value(), range.begin.value()));
  report_.Fired("read-back");
}

void WalMachine::Recycle() {
  const auto& frames = model_.frames();
  const WalPosition durable = wal_->durable_end();
  WalPosition position = durable;
  if (!frames.empty() && !random_.OneIn(3)) {
    position = std::min(durable, frames[random_.Below(frames.size())].extent.begin);
  }
  const auto seal = random_.OneIn(4) ? DiskWal::Seal::kSealActive : DiskWal::Seal::kKeepActive;
  model_.GiveBack(position);
  report_.Event(fmt::format("recycle to {}", position.value()));
  if (Allowed(wal_->Recycle(position, seal), "Recycle")) report_.Fired("recycle");
  report_.Expect(wal_->begin() <= std::max(position, model_.given_back()), "recycled-too-much",
                 fmt::format("begin {} after recycling to {}", wal_->begin().value(), position.value()));
  NoteDurable();
}

void WalMachine::Close() {
  report_.Event("close");
  const WalPosition end = wal_->end();
  if (Allowed(wal_->Close(), "Close")) model_.Acknowledge(end);
  report_.Expect(watched_->empty(), "done-never-called", "OnDurable was not answered by Close");
  wal_.reset();
}

void WalMachine::CloseNoted() {
  std::vector<ModelFrame> held;
  for (const ModelFrame& frame : model_.frames())
    if (frame.extent.begin >= wal_->begin()) held.push_back(frame);
  WalPosition taken_at;
  if (!held.empty() && random_.OneIn(3)) {
    taken_at = held.back().extent.end;
    AppendMeanwhile();
    report_.Fired("note-overtaken");
  } else {
    taken_at = wal_->StopStaging();
  }
  report_.Event(fmt::format("close with a note of {} frames to {}", held.size(), taken_at.value()));
  const WalPosition end = wal_->end();
  if (Allowed(wal_->CloseWithNote(NoteOf(held), taken_at), "CloseWithNote")) model_.Acknowledge(end);
  report_.Expect(watched_->empty(), "done-never-called", "OnDurable was not answered by Close");
  wal_.reset();
}

void WalMachine::CountVerdicts(const WalRecoveryReport& recovery) {
  for (std::size_t verdict = 0; verdict < kWalVerdicts; ++verdict) {
    report_.Fired(WalVerdictName(static_cast<WalVerdict>(verdict)), recovery.verdicts[verdict]);
  }
}

bool WalMachine::Reopen(WalModel::After after) {
  last_death_ = after;
  RecoveredFrames found;
  auto opened = DiskWal::Open(WalOptionsOf(options_), disk_, clock_, found);
  if (!opened) {
    Allowed(opened.error(), "Open");
    return false;
  }
  wal_ = std::move(*opened);
  CountVerdicts(wal_->recovery());
  report_.Event(fmt::format("open: {} frames to {}", found.frames().size(), wal_->end().value()));
  report_.Checked();
  if (const auto violation = model_.Compare(found, after, WalModel::Bytes::kSound)) {
    report_.Fail(violation->property, violation->detail);
  }
  report_.Expect(
      wal_->end() >= model_.acknowledged(), "position-fell",
      fmt::format("end {} below what was acknowledged, {}", wal_->end().value(), model_.acknowledged().value()));
  model_.Adopt(found);
  NoteDurable();
  errors_of_earlier_lives_ = errors_;
  return true;
}

// A dead process does nothing any more, so it must not call Close: that would mend its files in the next one's life.
void WalMachine::KillAndReopen() {
  report_.Event("kill");
  report_.Fired("kill");
  files_.KillProcess();
  watched_ = std::make_shared<std::multiset<WalPosition>>();
  wal_.reset();
  Reopen(WalModel::After::kProcessDeath);
}

void WalMachine::LosePowerAndReopen() {
  report_.Event("power loss");
  report_.Fired("power-loss");
  files_.Crash();
  watched_ = std::make_shared<std::multiset<WalPosition>>();
  wal_.reset();
  Reopen(WalModel::After::kPowerLoss);
}

void WalMachine::Step() {
  if (!wal_) {
    Reopen(last_death_);
    return;
  }
  const auto& frames = model_.frames();
  const std::uint64_t dice = random_.Below(100);
  if (dice < 42) {
    constexpr std::array<std::uint64_t, 6> kSizes = {40, 200, 900, 4000, 9000, 20000};
    Append(1 + random_.Below(kSizes[random_.OneIn(12) ? 5 : random_.Below(5)]));
  } else if (dice < 54) {
    if (!frames.empty())
      AwaitDurable(frames[frames.size() - 1 - random_.Below(std::min<std::size_t>(frames.size(), 4))].extent.end);
  } else if (dice < 64) {
    Commit();
  } else if (dice < 72) {
    LetTimePass(milliseconds(random_.Below(15)));
  } else if (dice < 77) {
    PrepareFiles();
  } else if (dice < 84) {
    if (!frames.empty())
      Watch(frames[frames.size() - 1 - random_.Below(std::min<std::size_t>(frames.size(), 4))].extent.end);
  } else if (dice < 91) {
    ReadBack();
  } else if (dice < 95) {
    Recycle();
  } else if (dice < 97) {
    if (random_.OneIn(2)) {
      Close();
    } else {
      CloseNoted();
    }
    Reopen(WalModel::After::kProcessDeath);
  } else if (dice < 98) {
    KillAndReopen();
  } else {
    LosePowerAndReopen();
  }
}

}  // namespace millrace::sim
