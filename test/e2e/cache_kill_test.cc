// Goal: whatever moment a process that downloads into its disk cache is killed at, the next one serves no partial and
// no stale chunk from it, and the cache keeps its ceiling. Method: a reader process over the simulated S3, with a cache
// a third of what it reads, killed by signal 9 at the n-th request the store receives or after its n-th read; then a
// second process over the same directory reads everything and compares. Now and then the topic is made anew under the
// same name, with other contents at the same offsets. Proves S1, S2, S3, S6, B59 and B78 as far as the cache goes.
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "env/seeded_random.h"
#include "env/system_clock.h"
#include "env/temporary_directory.h"
#include "test/e2e/far_topic.h"
#include "test/s3/s3_stores.h"
#include "test/s3/sim_s3_server.h"

extern char** environ;

namespace millrace {
namespace {

constexpr int kSegments = 3, kRecords = 8'000;  // 8 MB each, as much as the cache holds in all
constexpr Offset kEnd(kSegments* kRecords);

/// A reader under way.
class Reader {
 public:
  Reader(const std::filesystem::path& directory, std::uint16_t port, std::uint64_t generation, Offset begin) {
    std::vector<std::string> words{FAR_READER,
                                   directory.string(),
                                   std::to_string(port),
                                   std::to_string(generation),
                                   std::to_string(begin.value()),
                                   std::to_string(kEnd.value())};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    pid_t spawned = 0;
    EXPECT_EQ(::posix_spawn(&spawned, FAR_READER, &actions, nullptr, arguments.data(), environ), 0);
    process_ = spawned;
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    output_ = ::fdopen(ends[0], "r");
  }
  ~Reader() { std::fclose(output_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  [[nodiscard]] pid_t process() const { return process_; }
  /// Its next line; empty: it said all it had to say.
  std::string Line() {
    char line[512];
    return std::fgets(line, sizeof line, output_) != nullptr ? line : "";
  }
  void Kill() const { ::kill(process_, SIGKILL); }
  /// True: it was killed. False: it ended by itself, and `last` is what it said then.
  bool Await(std::string* last) {
    for (std::string line = Line(); !line.empty(); line = Line()) *last = line;
    int status = 0;
    EXPECT_EQ(::waitpid(process_, &status, 0), process_);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }

 private:
  pid_t process_ = 0;
  std::FILE* output_ = nullptr;
};

std::uint64_t BytesIn(const std::filesystem::path& directory) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory))
    if (entry.is_regular_file()) bytes += entry.file_size();
  return bytes;
}

TEST(CacheKillTest, NoPartialAndNoStaleChunkIsServedAfterAKillInMidDownload) {
  constexpr int kRounds = 36, kRoundsOfATopic = 9, kKillsMin = 30;
  const TemporaryDirectory directory;
  const SystemClock clock;
  SimS3 s3(1, clock);
  s3.CreateBucket(kTestBucket);
  const auto server = SimS3Server::Start(s3);
  ASSERT_TRUE(server);
  const std::uint16_t port = (*server)->port();
  SeededRandom random(20);
  std::uint64_t checked = 0;
  int killed = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto generation = static_cast<std::uint64_t>(round / kRoundsOfATopic);
    if (round % kRoundsOfATopic == 0) {
      s3.SetBehaviour({});
      auto engine = Engine::Open(FarOptions(directory.path(), port));
      ASSERT_TRUE(engine) << engine.error().ToString();
      MakeFarTopic(**engine, generation, kSegments, kRecords);
      ASSERT_TRUE((*engine)->Close());
      s3.SetBehaviour({.first_byte = std::chrono::milliseconds(1), .bytes_per_second = 60'000'000});
    }
    const Offset begin(static_cast<std::int64_t>(random.Next() % static_cast<std::uint64_t>(kEnd.value() / 2)));
    const std::uint64_t moment = 1 + random.Next() % 8;
    std::string last;
    if (round % 2 == 0) {  // while the store has just been asked
      std::atomic<pid_t> victim{0};
      std::atomic<std::uint64_t> requests{0};
      s3.SetTrace([&](std::string_view) {
        if (++requests >= moment && victim != 0) ::kill(victim, SIGKILL);
      });
      Reader reader(directory.path(), port, generation, begin);
      victim = reader.process();
      killed += reader.Await(&last) ? 1 : 0;
      s3.SetTrace({});
    } else {  // while what came is being written and more is on its way
      Reader reader(directory.path(), port, generation, begin);
      for (std::uint64_t line = 0; line < moment * 2; ++line) reader.Line();
      reader.Kill();
      killed += reader.Await(&last) ? 1 : 0;
    }
    ASSERT_EQ(last.find("wrong"), std::string::npos) << last;
    ASSERT_LE(BytesIn(directory.path() / "cache"), 8U << 20) << "after kill " << killed;

    Reader next(directory.path(), port, generation, Offset(0));
    ASSERT_FALSE(next.Await(&last));
    ASSERT_EQ(last, "right " + std::to_string(kEnd.value()) + "\n") << "round " << round;
    ASSERT_LE(BytesIn(directory.path() / "cache"), 8U << 20) << "after round " << round;
    checked += static_cast<std::uint64_t>(kEnd.value());
  }
  std::printf("row cache-kill checked=%llu kills=%d floor=%d\n", static_cast<unsigned long long>(checked), killed,
              kKillsMin);
  EXPECT_GE(killed, kKillsMin);
}

}  // namespace
}  // namespace millrace
