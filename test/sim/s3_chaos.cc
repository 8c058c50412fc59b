#include "s3_chaos.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "meta/memory_metadata_store.h"
#include "store/retrying_object_store.h"
#include "test/s3/s3_stores.h"

namespace millrace::sim {
namespace {

using std::chrono::milliseconds;

constexpr int kSteps = 150;
constexpr int kInsistsMax = 40;
constexpr milliseconds kInsistPause(50);
constexpr milliseconds kSegmentAge(1'000);
// Times as long in chaos as in fair weather, over many seeds; a single one may have met five stalls more.
constexpr std::uint64_t kSlowerMax = 3, kStallsMaxMs = 10'000, kSeedsToJudge = 20;

SimS3Behaviour BehaviourOf(S3World::Weather weather) {
  SimS3Behaviour behaviour;
  behaviour.first_byte = milliseconds(30);
  behaviour.bytes_per_second = 80'000'000;
  if (weather == S3World::Weather::kFair) return behaviour;
  return behaviour.Set(S3Fault::kSlowDown, 100'000)
      .Set(S3Fault::kTooMany, 50'000)
      .Set(S3Fault::kResetBefore, 50'000)
      .Set(S3Fault::kResetAfter, 50'000)
      .Set(S3Fault::kResetInBody, 50'000)
      .Set(S3Fault::kTruncated, 10'000)
      .Set(S3Fault::kShortRange, 8'000)
      .Set(S3Fault::kWrongRange, 8'000)
      .Set(S3Fault::kFlippedBit, 10'000)
      .Set(S3Fault::kWrongChecksum, 10'000)
      .Set(S3Fault::kStall, 5'000)
      .Set(S3Fault::kSlowGet, 8'000)
      .Set(S3Fault::kStaleList, 100'000);
}

/// Two flips in a row are told as damage, as they must be: no reader can know that a third answer would be whole.
template <class Result>
bool MayRepeat(const Result& result) {
  return !result && (result.error().retryable() || result.error().code() == ErrorCode::kCorruption);
}

}  // namespace

/// The wire of one process. Armed, it carries out the next put and dies before the answer is heard.
class S3World::LastWords final : public HttpTransport {
 public:
  LastWords(SimS3& s3, SimClock& clock, std::shared_ptr<ProcessLife> life, SimFileSystem& files)
      : wire_(s3, clock), life_(std::move(life)), files_(files) {}

  Result<HttpResponse> Send(const HttpRequest& request) override {
    if (!life_->alive) return Error(ErrorCode::kUnavailable, "the process is dead");
    Result<HttpResponse> answer = wire_.Send(request);
    if (!armed_ || request.method != HttpMethod::kPut) return answer;
    life_->alive = false;
    files_.KillProcess();
    return Error(ErrorCode::kUnavailable, "the process died before it heard the answer");
  }
  Result<HttpResponse> Race(const HttpRequest& request, const HedgePlan& plan) override {
    if (!life_->alive) return Error(ErrorCode::kUnavailable, "the process is dead");
    return wire_.Race(request, plan);
  }
  void Arm() { armed_ = true; }

 private:
  SimS3Transport wire_;
  const std::shared_ptr<ProcessLife> life_;
  SimFileSystem& files_;
  bool armed_ = false;
};

S3World::S3World(std::uint64_t seed, Weather weather, Report& report)
    : report_(report),
      weather_(weather),
      script_(seed),
      files_(std::make_shared<SimFileSystem>(seed)),
      s3_(seed + 1, clock_),
      jitter_(seed + 2),
      processes_seed_(SeededRandom::Mix(seed)) {
  s3_.CreateBucket(kTestBucket);
  s3_.SetBehaviour(BehaviourOf(weather));
  s3_.SetTrace([this](std::string_view line) { report_.Event(line); });
  truth_.metadata = std::make_shared<MemoryMetadataStore>();
  truth_.delete_grace = std::chrono::hours(1);
  truth_.clock = &clock_;
}

S3World::~S3World() {
  if (life_) life_->alive = false;
  files_->KillProcess();
}

bool S3World::Start() {
  life_ = std::make_shared<ProcessLife>();
  wire_ = std::make_shared<LastWords>(s3_, clock_, life_, *files_);
  EngineOptions options;
  options.data_dir = "/data";
  options.wal_bytes_max = 16 << 20;
  options.append_wait_max = milliseconds(0);
  options.read.block_cache_max_size = 256 << 10;
  options.read.read_memory_max = 8 << 20;
  // Mostly without a disk cache: reads are to meet the store.
  if (processes_seed_ % 4 != 0) options.read.cache_max_size = 0;
  options.read.prefetch_enabled = processes_seed_ % 3 != 0;
  options.upload.segment_bytes_max = 1 << 20;
  options.upload.segment_age_max = kSegmentAge;
  options.upload.delete_grace = truth_.delete_grace;
  options.clock = std::shared_ptr<Clock>(std::shared_ptr<void>(), &clock_);
  options.file_system = files_;
  const RetryOptions retries{.attempts_max = 8, .backoff_first = milliseconds(20), .budget = 1'000};
  truth_.objects = std::make_shared<RetryingObjectStore>(OpenS3({}, "log", wire_, clock_), retries, clock_, jitter_,
                                                         [this](auto pause) { clock_.Advance(pause); });
  options.objects = ObjectsOfProcess(truth_.objects, truth_, life_, report_);
  options.metadata = MetadataOfProcess(truth_.metadata, truth_, life_, report_);
  ++process_;
  auto opened = Insist(
      "open", [&] { return SteppedEngine::Open(options, std::make_shared<SeededRandom>(processes_seed_ + process_)); });
  if (!opened) return false;
  engine_ = std::move(**opened);
  return true;
}

template <class Call>
auto S3World::Insist(std::string_view what, Call&& call) -> std::optional<decltype(call())> {
  const std::chrono::nanoseconds begin = clock_.Monotonic();
  auto result = call();
  for (int i = 0; i < kInsistsMax && MayRepeat(result) && life_->alive; ++i) {
    report_.Fired("error");
    clock_.Advance(kInsistPause);
    result = call();
  }
  took_ += clock_.Monotonic() - begin;
  if (result) return result;
  if (life_->alive) report_.Fail("never-worked", fmt::format("{}: {}", what, result.error().ToString()));
  return std::nullopt;
}

void S3World::Die() {
  report_.Event("kill");
  report_.Fired("kill");
  life_->alive = false;
  files_->KillProcess();
  engine_.reset();
  if (!Start()) return;
  for (std::int32_t i = 0; i < kPartitions; ++i) {
    const auto offsets = engine_->Offsets(Name(i));
    report_.Expect(offsets && offsets->log_end == models_[i].end(), "acknowledged-lost",
                   fmt::format("events-{} after a kill: {} of {} records", i, offsets ? offsets->log_end.value() : -1,
                               models_[i].end().value()));
  }
}

void S3World::Append(SeededRandom& random) {
  const auto partition = static_cast<std::int32_t>(random.Below(kPartitions));
  std::vector<Record> records(1 + random.Below(20));
  std::vector<std::uint64_t> batch;
  for (Record& record : records) {
    std::string value = fmt::format("{:08x}", ++values_);
    const std::uint64_t size = 100 + random.Below(6'000);
    for (std::uint64_t word = values_; value.size() < size; value += static_cast<char>('a' + word % 26)) {
      word = SeededRandom::Mix(word + 1);
    }
    record.value = std::move(value);
    record.timestamp_ms = 1'700'000'000'000 + static_cast<std::int64_t>(values_);
    batch.push_back(FingerprintOf(record));
  }
  const auto receipt = engine_->Append(Name(partition), records, {});
  if (!report_.Expect(receipt.has_value(), "append-failed", receipt ? "" : receipt.error().ToString())) return;
  models_[partition].Add(batch);
}

bool S3World::IsUploaded() {
  for (std::int32_t i = 0; i < kPartitions; ++i) {
    const auto offsets = engine_->Offsets(Name(i));
    if (!offsets || offsets->tiered_end < models_[i].end()) return false;
  }
  return true;
}

void S3World::Upload() {
  clock_.Advance(kSegmentAge);
  const std::chrono::nanoseconds begin = clock_.Monotonic();
  // A partition whose upload failed is due again after a pause.
  for (int i = 0; i < kInsistsMax && !IsUploaded(); ++i) {
    const auto uploaded = engine_.steps().uploader.UploadOnce();
    if (!uploaded) report_.Fired("error");
    if (!uploaded || !*uploaded) clock_.Advance(kInsistPause);
  }
  took_ += clock_.Monotonic() - begin;
  if (!report_.Expect(IsUploaded(), "never-worked", "an upload")) return;
  report_.Fired("uploaded");
  // From here on the bytes are in the store alone.
  (void)engine_->Recycle();
}

/// The put takes effect and is never answered: it is sent again once its time is over, and must find its own.
void S3World::UploadUnanswered() {
  if (IsUploaded()) return;
  const std::chrono::nanoseconds took = took_;
  if (weather_ == Weather::kChaos) s3_.FailRequest(1, S3Fault::kUnanswered);
  Upload();
  took_ = took;  // how long a client waits for an answer is no measure of how it bears bad weather
}

/// The put takes effect, its answer is never heard, and the process is dead: the next one must put its own, and what
/// was left must do no harm.
void S3World::UploadAndDie() {
  clock_.Advance(kSegmentAge);
  wire_->Arm();
  (void)engine_.steps().uploader.UploadOnce();
  report_.Fired("killed-within-put", life_->alive ? 0 : 1);
  Die();
}

bool S3World::JudgeRead(std::int32_t partition, Offset begin, const ReadResult& read) {
  const PartitionModel& model = models_[partition];
  Offset expected = begin;
  for (const RecordView& record : read.records) {
    const bool right = record.offset == expected && expected < model.end() &&
                       model.records[static_cast<std::size_t>(expected.value())] == FingerprintOf(record);
    if (!report_.Expect(right, "wrong-record", fmt::format("events-{} at {}", partition, record.offset.value()))) {
      return false;
    }
    expected += 1;
  }
  report_.Fired("read-objects", read.explanation.bytes.object_store > 0 ? 1 : 0);
  return report_.Expect(read.next == expected && (!read.records.empty() || begin == model.end()), "gap-in-read",
                        fmt::format("events-{} from {}: next {}", partition, begin.value(), read.next.value()));
}

/// What threads would do while the reader is busy with what it has.
void S3World::FetchAhead() {
  const std::chrono::nanoseconds begin = clock_.Monotonic();
  while (engine_.prefetcher().FetchOnce()) report_.Fired("fetched-ahead");
  took_ += clock_.Monotonic() - begin;
}

void S3World::ReadSomewhere(SeededRandom& random) {
  const auto partition = static_cast<std::int32_t>(random.Below(kPartitions));
  const auto begin =
      Offset(static_cast<std::int64_t>(random.Below(static_cast<std::uint64_t>(models_[partition].end().value()) + 1)));
  const ReadLimits limits{.bytes_max = 1 + random.Below(100'000)};
  const auto read = Insist("Read", [&] { return engine_->Read(Name(partition), begin, limits); });
  if (read) JudgeRead(partition, begin, **read);
}

void S3World::ReadAll(std::int32_t partition) {
  for (Offset at(0); at < models_[partition].end();) {
    const auto read = Insist("Read", [&] { return engine_->Read(Name(partition), at, {.bytes_max = 256 << 10}); });
    if (!read || !JudgeRead(partition, at, **read)) return;
    at = (*read)->next;
    FetchAhead();
  }
  report_.Fired("read-whole");
}

void S3World::Do(const Step& step) {
  SeededRandom random(step.seed);
  if (step.dice < 30) return Append(random);
  if (step.dice < 40) return Upload();
  if (step.dice < 97) return ReadSomewhere(random);
  if (step.dice < 98) return UploadUnanswered();
  if (step.dice < 99) return UploadAndDie();
  Die();
}

void S3World::Live(int steps) {
  if (!Start()) return;
  const auto created =
      Insist("CreateTopic", [&] { return engine_->CreateTopic("events", {.partitions = kPartitions}); });
  if (!created) return;
  for (int i = 0; i < steps && engine_ && !report_.enough(); ++i) {
    Do({.dice = script_.Below(100), .seed = script_.Next()});
  }
  if (!engine_ || report_.enough()) return;
  Upload();
  for (std::int32_t i = 0; i < kPartitions; ++i) ReadAll(i);
  Die();
  for (std::int32_t i = 0; engine_ && i < kPartitions; ++i) ReadAll(i);
}

void RunS3Chaos(std::uint64_t seed, Report& report) {
  S3World fair(seed, S3World::Weather::kFair, report), chaos(seed, S3World::Weather::kChaos, report);
  fair.Live(kSteps);
  if (report.enough()) return;
  chaos.Live(kSteps);
  for (std::size_t i = 0; i < kS3Faults; ++i) {
    const auto fault = static_cast<S3Fault>(i);
    report.Fired(fmt::format("s3-{}", S3FaultName(fault)), chaos.s3().fired(fault));
  }
  const auto ms = [](const S3World& world) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(world.took()).count());
  };
  report.Fired("ms-fair", ms(fair));
  report.Fired("ms-chaos", ms(chaos));
  // A client sends a get twice only once it has seen twenty answers: a young one waits for what stalls.
  report.Expect(ms(chaos) <= kSlowerMax * ms(fair) + kStallsMaxMs, "too-slow",
                fmt::format("{} ms of virtual time, {} ms in fair weather", ms(chaos), ms(fair)));
  const bool many = report.seeds() >= kSeedsToJudge;
  report.Expect(!many || report.fired("ms-chaos") <= kSlowerMax * report.fired("ms-fair"), "too-slow-over-all",
                fmt::format("{} ms of virtual time over all seeds", report.fired("ms-chaos")));
}

}  // namespace millrace::sim
