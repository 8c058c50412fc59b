#include "cli/verbs/group_reading.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <utility>

#include "base/try.h"

namespace millrace {

GroupReading::GroupReading(Session& session, Log& log, LogMember& member, const RecordPrinter& printer,
                           const ConsumeOptions& options)
    : session_(session), log_(log), member_(member), options_(options), stream_(session, log, printer, Streaming()) {}

StreamOptions GroupReading::Streaming() {
  StreamOptions streaming = options_.stream;
  streaming.keep_positions = true;  // what it has in two shares running, it goes on with
  streaming.yields = [this] { return member_.MustJoin(); };
  if (options_.commit == CommitWhen::kPoll) streaming.written = [this](const StreamPart& part) { return Commit(part); };
  return streaming;
}

Result<void> GroupReading::Run() {
  const Result<void> read = ReadShares();
  // However it ended, the others need not wait for its silence.
  const Result<void> left = member_.Leave();
  if (!read) return read.error();
  if (!left)
    session_.Note(
        fmt::format("could not leave group {}, so what this consumer had is read by nobody for some seconds: "
                    "{}",
                    options_.group, left.error().message()));
  return {};
}

Result<void> GroupReading::ReadShares() {
  while (true) {
    const auto share = member_.Join();
    if (!share) {
      if (session_.interrupt.Stopped()) return {};
      return share.error();
    }
    MR_TRY(Take(*share));
    const Result<void> read = ReadParts();
    if (options_.commit == CommitWhen::kEnd)
      for (const StreamPart& part : parts_) MR_TRY(Commit(part));
    if (!read) return read.error();
    if (stream_.Over() || !member_.MustJoin()) return {};
  }
}

Result<void> GroupReading::ReadParts() {
  if (parts_.empty() && options_.stream.follow) {
    AwaitShare();
    return {};
  }
  MR_TRY(stream_.Run(parts_));
  return {};
}

Result<void> GroupReading::Take(const LogMember::Share& share) {
  std::vector<StreamPart> taken;
  for (const LogMember::Place& place : share.places) {
    const auto held = std::ranges::find(parts_, place.partition, &StreamPart::partition);
    if (held != parts_.end() && share.goes_on) {
      taken.push_back(*held);
      continue;
    }
    const bool first = begun_.insert(place.partition).second;
    const std::optional<Offset> stored = first && options_.from ? std::nullopt : place.position;
    MR_ASSIGN_OR_RETURN(StreamPart part, PartOf(session_, log_, options_, place.partition, stored));
    taken.push_back(std::move(part));
  }
  parts_ = std::move(taken);
  return {};
}

Result<void> GroupReading::Commit(const StreamPart& part) {
  const Result<void> committed = member_.Commit(part.partition, part.position);
  if (committed || committed.error().code() != ErrorCode::kFenced) return committed;
  session_.Note(fmt::format("{}; what was printed since its last commit comes again", committed.error().message()));
  return {};
}

void GroupReading::AwaitShare() {
  constexpr int kLookMs = 200;
  session_.interrupt.WatchReader(session_.out.descriptor());
  while (!stream_.Over() && !member_.MustJoin()) {
    pollfd entry{session_.interrupt.descriptor(), POLLIN, 0};
    (void)::poll(&entry, 1, kLookMs);
    session_.out.LookForReader();
  }
}

}  // namespace millrace
