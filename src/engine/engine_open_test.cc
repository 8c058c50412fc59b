// Opening, reopening and closing an engine. Method: real files in a temporary directory.
// Proves R25, W26, W40, B20, B28, B47, B48, B50.
#include <fstream>
#include <thread>

#include "engine/engine_fixture.h"

namespace millrace {
namespace {

using EngineOpenTest = EngineFixture;

TEST_F(EngineOpenTest, FiveCyclesOfOpenAppendCloseKeepTheirOrder) {
  for (int cycle = 0; cycle < 5; ++cycle) {
    const auto engine = Open();
    if (cycle == 0) ASSERT_TRUE(engine->CreateTopic("t"));
    AppendNumbers(*engine, At("t"), 2, 2 * cycle);
    ASSERT_TRUE(engine->Close());
  }
  EXPECT_EQ(ReadAll(*Open(), At("t")), Numbers(0, 10));
}

TEST_F(EngineOpenTest, ASecondOpenIsRefusedNamesTheHolderAndHarmsNobody) {
  const auto first = Open();
  ASSERT_TRUE(first->CreateTopic("t"));
  const auto second = Engine::Open(Options());
  ASSERT_EQ(CodeOf(second), ErrorCode::kUnavailable);
  EXPECT_NE(second.error().message().find("process " + std::to_string(getpid())), std::string::npos) << Told(second);
  AppendNumbers(*first, At("t"), 1);
  EXPECT_EQ(ReadAll(*first, At("t")), Numbers(0, 1));
}

TEST_F(EngineOpenTest, WithoutCreateIfMissingNothingIsMade) {
  EngineOptions options = Options();
  options.create_if_missing = false;
  EXPECT_EQ(CodeOf(Engine::Open(options)), ErrorCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(options.data_dir));
  std::filesystem::create_directories(options.data_dir);
  EXPECT_EQ(CodeOf(Engine::Open(options)), ErrorCode::kNotFound);
  EXPECT_TRUE(std::filesystem::is_empty(options.data_dir));
  options.create_if_missing = true;
  ASSERT_TRUE(Engine::Open(options));
  options.create_if_missing = false;
  EXPECT_TRUE(Engine::Open(options));
}

TEST_F(EngineOpenTest, ADirectoryIsTheOneThatWasNamedAtOpen) {
  const auto here = std::filesystem::current_path();
  std::filesystem::create_directories(directory_.path() / "home");
  std::filesystem::create_directories(directory_.path() / "elsewhere");
  std::filesystem::current_path(directory_.path() / "home");
  EngineOptions options = Options();
  options.data_dir = "file:x";  // a name like any other
  options.read.cache_dir = "cache";
  auto engine = Engine::Open(options);
  std::filesystem::current_path(directory_.path() / "elsewhere");
  EXPECT_TRUE(engine) << Told(engine);
  if (engine) {
    EXPECT_TRUE((*engine)->CreateTopic("t"));
    AppendNumbers(**engine, At("t"), 100);
    EXPECT_TRUE((*engine)->Upload());
    EXPECT_TRUE((*engine)->Recycle());
    EXPECT_EQ(ReadAll(**engine, At("t")), Numbers(0, 100));
    EXPECT_TRUE((*engine)->Close());
  }
  std::filesystem::current_path(here);
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path() / "elsewhere"));
  EXPECT_TRUE(std::filesystem::exists(directory_.path() / "home" / "file:x" / "engine"));
}

TEST_F(EngineOpenTest, ADirectoryOfANewerReleaseIsRefusedNamingItsVersion) {
  ASSERT_TRUE(Open()->Close());
  std::ofstream(Options().data_dir / "engine") << "millrace 7\nidentity 00\ncrc 00000000\n";
  EXPECT_EQ(CodeOf(Engine::Open(Options())), ErrorCode::kCorruption);  // the CRC is wrong: nothing else is believed
}

TEST_F(EngineOpenTest, EveryByteOfTheMarkerIsUnderItsCrc) {
  ASSERT_TRUE(Open()->Close());
  const auto path = Options().data_dir / "engine";
  std::string whole;
  {
    std::ifstream in(path);
    whole.assign(std::istreambuf_iterator<char>(in), {});
  }
  ASSERT_GT(whole.size(), 50U);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    std::ofstream(path, std::ios::trunc) << damaged;
    EXPECT_EQ(CodeOf(Engine::Open(Options())), ErrorCode::kCorruption) << "byte " << at;
  }
  std::ofstream(path, std::ios::trunc) << whole;
  EXPECT_NE(Open(), nullptr);
}

TEST_F(EngineOpenTest, EverySyncPolicyOpensServesClosesAndReopensWithEverything) {
  int index = 0;
  for (const SyncPolicy sync :
       {SyncPolicy::Each(), SyncPolicy::Interval(std::chrono::milliseconds(5)), SyncPolicy::None()}) {
    for (const std::string objects : {"file:", "memory:"}) {
      for (const std::string metadata : {"sqlite:", "memory:"}) {
        SCOPED_TRACE(objects + " " + metadata + " " + std::to_string(static_cast<int>(sync.kind)));
        EngineOptions options = Options();
        options.data_dir = directory_.path() / std::to_string(index++);
        options.sync = sync;
        options.object_store = objects;
        options.metadata_store = metadata;
        {
          const auto engine = Open(options);
          ASSERT_TRUE(engine->CreateTopic("t"));
          AppendNumbers(*engine, At("t"), 10, 0, {.durability = Durability::kOs});
          EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(0, 10));
          if (objects == "file:") {
            const auto uploaded = engine->Upload();
            EXPECT_TRUE(uploaded) << Told(uploaded);
          }
          EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(0, 10));
          const auto closed = engine->Close();
          ASSERT_TRUE(closed) << Told(closed);
        }
        if (metadata == "memory:") continue;
        const auto engine = Open(options);
        EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(0, 10));
      }
    }
  }
}

TEST_F(EngineOpenTest, NameSpacesNeverMeet) {
  const std::vector<std::string> names = {"", "a/b", "a_b", "../x", "a", std::string("a\0b", 3), std::string(150, 'n')};
  for (const std::string& name : names) {
    EngineOptions options = Options();
    options.name_space = name;
    const auto engine = Open(options);
    ASSERT_TRUE(engine->CreateTopic("t"));
    const Record record = Value("in " + name);
    ASSERT_TRUE(engine->Append(At("t"), {&record, 1}));
    ASSERT_TRUE(engine->Upload());
  }
  for (const std::string& name : names) {
    EngineOptions options = Options();
    options.name_space = name;
    EXPECT_EQ(ReadAll(*Open(options), At("t")), std::vector<std::string>{"in " + name});
  }
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "x"));
}

TEST_F(EngineOpenTest, EnginesOpenedFromManyThreadsNeverMix) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([this, i] {
      EngineOptions options = Options();
      options.data_dir = directory_.path() / std::to_string(i);
      const auto engine = Open(options);
      ASSERT_TRUE(engine->CreateTopic("t"));
      AppendNumbers(*engine, At("t"), 20, 100 * i);
      EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(100 * i, 100 * i + 20));
    });
  }
}

TEST_F(EngineOpenTest, MetadataOfAnotherDirectoryIsRefused) {
  EngineOptions a = Options(), b = Options();
  a.data_dir = directory_.path() / "a";
  b.data_dir = directory_.path() / "b";
  for (const auto& options : {a, b}) {
    const auto engine = Open(options);
    ASSERT_TRUE(engine->CreateTopic("t"));
  }
  b.metadata_store = "sqlite://" + (a.data_dir / "metadata.db").string();
  const auto mixed = Engine::Open(b);
  EXPECT_EQ(CodeOf(mixed), ErrorCode::kInvalidArgument) << Told(mixed);
  std::filesystem::remove(a.data_dir / "engine");
  EXPECT_EQ(CodeOf(Engine::Open(a)), ErrorCode::kCorruption);
}

TEST_F(EngineOpenTest, LostMetadataIsNeverReplacedByAnEmptyOne) {
  {
    const auto engine = Open();
    ASSERT_TRUE(engine->CreateTopic("t"));
    AppendNumbers(*engine, At("t"), 3);
  }
  for (const auto& entry : std::filesystem::directory_iterator(Options().data_dir))
    if (entry.path().filename().string().starts_with("metadata")) std::filesystem::remove(entry.path());
  EXPECT_EQ(CodeOf(Engine::Open(Options())), ErrorCode::kCorruption);
}

TEST_F(EngineOpenTest, ALostObjectStoreIsNeverReplacedByAnEmptyOne) {
  {
    const auto engine = Open();
    ASSERT_TRUE(engine->CreateTopic("t"));
    AppendNumbers(*engine, At("t"), 3);
    ASSERT_TRUE(engine->Upload());
    ASSERT_TRUE(engine->Recycle());
  }
  std::filesystem::remove_all(Options().data_dir / "objects");
  const auto engine = Open();  // the store is asked at first contact
  const auto read = engine->Read(At("t"), Offset(0));
  EXPECT_EQ(CodeOf(read), ErrorCode::kInvalidArgument) << Told(read);
  // The wrong store is no damage that a reader could step over: its place would be lost with the history.
  EXPECT_EQ(CodeOf(engine->Read(At("t"), Offset(0), {.on_damage = OnDamage::kSkip})), ErrorCode::kInvalidArgument);
}

TEST_F(EngineOpenTest, AfterCloseEveryCallAnswersClosed) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  AppendNumbers(*engine, At("t"), 1);
  auto consumer = engine->OpenConsumer({.group = "g", .topics = {"t"}});
  ASSERT_TRUE(consumer);
  ASSERT_TRUE(engine->Close());
  ASSERT_TRUE(engine->Close());
  const Record record = Value("x");
  EXPECT_EQ(CodeOf(engine->Append(At("t"), {&record, 1})), ErrorCode::kClosed);
  EXPECT_EQ(CodeOf(engine->Append("t", "x")), ErrorCode::kClosed);
  EXPECT_EQ(CodeOf(engine->Read(At("t"), Offset(0))), ErrorCode::kClosed);
  EXPECT_EQ(CodeOf(engine->CreateTopic("u")), ErrorCode::kClosed);
  EXPECT_EQ(CodeOf(engine->DescribeTopics()), ErrorCode::kClosed);
  EXPECT_EQ(CodeOf(engine->Upload()), ErrorCode::kClosed);
  EXPECT_EQ(CodeOf(engine->OpenConsumer({.topics = {"t"}})), ErrorCode::kClosed);
  EXPECT_EQ(CodeOf((*consumer)->Poll(1)), ErrorCode::kClosed);
  EXPECT_EQ(CodeOf((*consumer)->Commit()), ErrorCode::kClosed);
  int told = 0;
  engine->AppendAsync(At("t"), {&record, 1}, {}, [&](Result<AppendReceipt> receipt) {
    ++told;
    EXPECT_EQ(CodeOf(receipt), ErrorCode::kClosed);
  });
  EXPECT_EQ(told, 1);
}

TEST_F(EngineOpenTest, CloseEndsAWaitingPoll) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  auto consumer = engine->OpenConsumer({.topics = {"t"}});
  ASSERT_TRUE(consumer);
  std::jthread closer([&] { ASSERT_TRUE(engine->Close()); });
  const auto polled = (*consumer)->Poll(1, std::chrono::hours(1));
  EXPECT_EQ(CodeOf(polled), ErrorCode::kClosed) << Told(polled);
}

TEST_F(EngineOpenTest, EverySettingOutOfBoundsIsRefusedByName) {
  struct Case {
    const char* name;
    void (*spoil)(EngineOptions&);
  };
  const Case cases[] = {
      {"data_dir", [](EngineOptions& o) { o.data_dir.clear(); }},
      {"record_bytes_max", [](EngineOptions& o) { o.record_bytes_max = 0; }},
      {"record_bytes_max", [](EngineOptions& o) { o.record_bytes_max = o.batch_bytes_max + 1; }},
      {"batch_bytes_max", [](EngineOptions& o) { o.batch_bytes_max = o.wal_bytes_max + 1; }},
      {"batch_bytes_max",
       [](EngineOptions& o) {
         o.wal_bytes_max = 8ULL << 30;
         o.batch_bytes_max = (1'023 << 20) + 1;
       }},
      {"record_bytes_max",
       [](EngineOptions& o) {
         o.wal_bytes_max = 8ULL << 30;
         o.batch_bytes_max = 1'023 << 20;
         o.record_bytes_max = (1'023 << 20) + 1;
       }},
      {"wal_bytes_max", [](EngineOptions& o) { o.wal_bytes_max = (16 << 20) - 1; }},
      {"wal_index_memory_max", [](EngineOptions& o) { o.wal_index_memory_max = (1 << 20) - 1; }},
      {"append_wait_max", [](EngineOptions& o) { o.append_wait_max = std::chrono::milliseconds(-1); }},
      {"sync interval", [](EngineOptions& o) { o.sync = SyncPolicy::Interval(std::chrono::milliseconds(0)); }},
      {"read.fetch_size", [](EngineOptions& o) { o.read.fetch_size = 0; }},
      {"read.read_memory_max", [](EngineOptions& o) { o.read.read_memory_max = 0; }},
      {"read.eviction", [](EngineOptions& o) { o.read.eviction = static_cast<EvictionPolicy>(9); }},
      {"upload.segment_bytes_max", [](EngineOptions& o) { o.upload.segment_bytes_max = 0; }},
      {"upload.segment_age_max", [](EngineOptions& o) { o.upload.segment_age_max = std::chrono::milliseconds(0); }},
      {"upload.delete_grace", [](EngineOptions& o) { o.upload.delete_grace = std::chrono::milliseconds(-1); }},
      {"name_space", [](EngineOptions& o) { o.name_space.assign(1'001, 'x'); }},
  };
  for (const Case& spoilt : cases) {
    EngineOptions options = Options();
    spoilt.spoil(options);
    const auto engine = Engine::Open(options);
    ASSERT_EQ(CodeOf(engine), ErrorCode::kInvalidArgument) << spoilt.name;
    EXPECT_NE(engine.error().message().find(spoilt.name), std::string::npos) << Told(engine);
  }
  for (const char* url : {"s3://", "s3://bucket?unknown=1", "http://x"}) {
    EngineOptions options = Options();
    options.object_store = url;
    EXPECT_FALSE(Engine::Open(options)) << url;
  }
  EXPECT_FALSE(std::filesystem::exists(Options().data_dir));
}

}  // namespace
}  // namespace millrace
