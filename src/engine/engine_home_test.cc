// Goal: a log remembers where its objects are; another place is refused by name, and never taken for damage. Method:
// real directories as object stores. Proves B82.
#include <fstream>
#include <string>

#include "engine/directory_takeover.h"
#include "engine/engine_fixture.h"

namespace millrace {
namespace {

class EngineHomeTest : public EngineFixture {
 protected:
  [[nodiscard]] std::string Place(const std::string& name) const {
    return "file://" + (directory_.path() / name).string();
  }
  EngineOptions At(const std::string& data, const std::string& store) const {
    EngineOptions options = Options();
    options.data_dir = directory_.path() / data;
    options.object_store = store.empty() ? "" : Place(store);
    return options;
  }
  /// One record in the object store.
  static Result<AppendReceipt> AppendObject(Engine& engine, const std::string& value) {
    if (auto created = engine.CreateTopic("t"); !created && created.error().code() != ErrorCode::kAlreadyExists)
      return created.error();
    const Record record = Value(value);
    return engine.Append({"t", PartitionId(0)}, {&record, 1}, {.durability = Durability::kObject});
  }
};

TEST_F(EngineHomeTest, IsRememberedFromTheFirstTimeOn) {
  for (int process = 0; process < 3; ++process) {
    const auto engine = Open(At("data", process == 0 ? "store" : ""));
    const auto appended = AppendObject(*engine, std::to_string(process));
    ASSERT_TRUE(appended) << Told(appended);
    EXPECT_EQ(engine->Stats().object_store, Place("store"));
  }
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "data" / "objects"));
  std::string told;  // for people
  std::getline(std::ifstream(directory_.path() / "data" / "home"), told);
  EXPECT_EQ(told, Place("store"));
  EXPECT_EQ(ReadAll(*Open(At("data", "store")), {"t", PartitionId(0)}), Numbers(0, 3));
}

TEST_F(EngineHomeTest, ANewLogWithoutAnyIsInItsDirectory) {
  const auto engine = Open(At("data", ""));
  ASSERT_TRUE(AppendObject(*engine, "0"));
  EXPECT_EQ(engine->Stats().object_store, "file:");
  EXPECT_TRUE(std::filesystem::exists(directory_.path() / "data" / "objects" / "log"));
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "data" / "home"));
}

TEST_F(EngineHomeTest, AnotherPlaceIsRefusedNamingBoth) {
  ASSERT_TRUE(AppendObject(*Open(At("data", "store")), "0"));
  ASSERT_TRUE(AppendObject(*Open(At("other", "taken")), "0"));
  for (const std::string wrong : {"empty", "taken"}) {
    const auto engine = Engine::Open(At("data", wrong));
    ASSERT_EQ(CodeOf(engine), ErrorCode::kInvalidArgument) << wrong << " " << Told(engine);
    EXPECT_EQ(engine.error().damage(), nullptr);  // nothing to be skipped
    EXPECT_NE(engine.error().message().find(Place("store")), std::string_view::npos) << Told(engine);
    EXPECT_NE(engine.error().message().find(Place(wrong)), std::string_view::npos) << Told(engine);
  }
  ASSERT_TRUE(AppendObject(*Open(At("data", "")), "1"));
}

TEST_F(EngineHomeTest, TheSamePlaceUnderANewAddressIsAdopted) {
  ASSERT_TRUE(AppendObject(*Open(At("data", "store")), "0"));
  std::filesystem::rename(directory_.path() / "store", directory_.path() / "moved");
  ASSERT_TRUE(AppendObject(*Open(At("data", "moved")), "1"));
  const auto engine = Open(At("data", ""));
  EXPECT_EQ(engine->Stats().object_store, Place("moved"));
  EXPECT_EQ(ReadAll(*engine, {"t", PartitionId(0)}), Numbers(0, 2));
}

TEST_F(EngineHomeTest, ANewLogIsNotBegunWhereThereIsOne) {
  ASSERT_TRUE(AppendObject(*Open(At("data", "store")), "0"));
  const auto second = Engine::Open(At("second", "store"));
  ASSERT_EQ(CodeOf(second), ErrorCode::kAlreadyExists) << Told(second);
  EXPECT_NE(second.error().hint().find("store restore"), std::string_view::npos);
  // Nothing was begun: with a place of its own it opens.
  EXPECT_TRUE(AppendObject(*Open(At("second", "another")), "0"));
}

TEST_F(EngineHomeTest, APlaceInsideTheDirectoryIsItsOwn) {
  EngineOptions options = At("data", "");
  options.object_store = "file://" + (options.data_dir / "inside").string();
  ASSERT_TRUE(AppendObject(*Open(options), "0"));
  std::size_t claims = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(options.data_dir / "inside"))
    claims += entry.path().filename() == "claim" ? 1 : 0;
  EXPECT_EQ(claims, 0U);
}

TEST_F(EngineHomeTest, ACopyReadsAndWritesNothingUntilItIsToldToGoOn) {
  ASSERT_TRUE(AppendObject(*Open(At("data", "store")), "0"));
  std::filesystem::copy(directory_.path() / "data", directory_.path() / "copy",
                        std::filesystem::copy_options::recursive);
  {
    const auto copy = Open(At("copy", ""));
    EXPECT_EQ(ReadAll(*copy, {"t", PartitionId(0)}), Numbers(0, 1));
    const auto refused = AppendObject(*copy, "x");
    EXPECT_EQ(CodeOf(refused), ErrorCode::kFenced) << Told(refused);
    EXPECT_TRUE(copy->Stats().fenced);
  }
  const auto taken = TakeOverDirectory(At("copy", ""));
  ASSERT_TRUE(taken) << Told(taken);
  EXPECT_TRUE(*taken);
  ASSERT_TRUE(AppendObject(*Open(At("copy", "")), "1"));
  // Now it is the original that may not go on.
  EXPECT_EQ(CodeOf(AppendObject(*Open(At("data", "")), "y")), ErrorCode::kFenced);
  EXPECT_EQ(ReadAll(*Open(At("copy", "")), {"t", PartitionId(0)}), Numbers(0, 2));
}

/// A directory restored file by file, where nobody went on meanwhile.
TEST_F(EngineHomeTest, ADirectoryThatWasTakenForACopyIsAdoptedIfNobodyWentOn) {
  ASSERT_TRUE(AppendObject(*Open(At("data", "store")), "0"));
  const auto copy = [&](const std::string& from, const std::string& to) {
    std::filesystem::copy(directory_.path() / from, directory_.path() / to, std::filesystem::copy_options::recursive);
  };
  copy("data", "again");
  const auto fenced = AppendObject(*Open(At("again", "")), "x");
  EXPECT_EQ(CodeOf(fenced), ErrorCode::kFenced);
  const auto look = AdoptDirectory(At("again", ""), AdoptScope::kThisDirectory, AdoptMode::kLook);
  ASSERT_TRUE(look) << Told(look);
  EXPECT_TRUE(look->was_taken_for_copy);
  EXPECT_EQ(CodeOf(AppendObject(*Open(At("again", "")), "x")), ErrorCode::kFenced);  // looking changed nothing
  const auto adopted = AdoptDirectory(At("again", ""), AdoptScope::kThisDirectory, AdoptMode::kChange);
  ASSERT_TRUE(adopted) << Told(adopted);
  ASSERT_TRUE(AppendObject(*Open(At("again", "")), "1"));
  // The other one is the copy now: it lost, and adopting it would fork the log.
  EXPECT_EQ(CodeOf(AppendObject(*Open(At("data", "")), "y")), ErrorCode::kFenced);
  EXPECT_EQ(CodeOf(AdoptDirectory(At("data", ""), AdoptScope::kThisDirectory, AdoptMode::kChange)), ErrorCode::kFenced);
  EXPECT_EQ(ReadAll(*Open(At("again", "")), {"t", PartitionId(0)}), Numbers(0, 2));
}

TEST_F(EngineHomeTest, ACopyOfALogThatWentOnIsNotAdopted) {
  ASSERT_TRUE(AppendObject(*Open(At("data", "store")), "0"));
  std::filesystem::copy(directory_.path() / "data", directory_.path() / "copy",
                        std::filesystem::copy_options::recursive);
  ASSERT_TRUE(AppendObject(*Open(At("data", "")), "1"));
  const auto refused = AdoptDirectory(At("copy", ""), AdoptScope::kThisDirectory, AdoptMode::kChange);
  EXPECT_EQ(CodeOf(refused), ErrorCode::kFenced) << Told(refused);
  ASSERT_TRUE(AppendObject(*Open(At("data", "")), "2"));
  EXPECT_EQ(ReadAll(*Open(At("data", "")), {"t", PartitionId(0)}), Numbers(0, 3));
}

TEST_F(EngineHomeTest, ANewAddressIsAdoptedByName) {
  ASSERT_TRUE(AppendObject(*Open(At("data", "store")), "0"));
  std::filesystem::create_directory_symlink(directory_.path() / "store", directory_.path() / "renamed");
  const auto look = AdoptDirectory(At("data", "renamed"), AdoptScope::kAddress, AdoptMode::kLook);
  ASSERT_TRUE(look) << Told(look);
  EXPECT_TRUE(look->was_elsewhere);
  EXPECT_EQ(Open(At("data", ""))->Stats().object_store, Place("store"));
  const auto adopted = AdoptDirectory(At("data", "renamed"), AdoptScope::kAddress, AdoptMode::kChange);
  ASSERT_TRUE(adopted) << Told(adopted);
  EXPECT_EQ(Open(At("data", ""))->Stats().object_store, Place("renamed"));
  EXPECT_EQ(CodeOf(AdoptDirectory(At("data", "empty"), AdoptScope::kAddress, AdoptMode::kChange)),
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace millrace
