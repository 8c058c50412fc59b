// Goal: every key in a store is told for what it is, and what the rows need and the store has not is named. Method:
// rows and listings made by hand; the fold does no I/O. Proves B90.
#include "tier/store_audit.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

const StoreKeys kKeys("", "00112233445566778899aabbccddeeff");

class StoreAuditTest : public ::testing::Test {
 protected:
  /// An object with one segment of 80 bytes of its 100.
  ObjectName Object(std::uint64_t sequence, ObjectState state = ObjectState::kCommitted, std::int64_t topic = 1) {
    const ObjectName name{.generation = 2, .nonce = 7, .sequence = sequence};
    audit_.Add(ObjectRow{.id = ObjectIdOf(name), .key = kKeys.Object(name), .size_bytes = 100, .state = state});
    if (state == ObjectState::kCommitted)
      audit_.Add(SegmentRow{.partition = {TopicId(topic), PartitionId(0)},
                            .base = Offset(static_cast<std::int64_t>(sequence) * 10),
                            .end = Offset(static_cast<std::int64_t>(sequence) * 10 + 10),
                            .object = ObjectIdOf(name),
                            .byte_size = 80,
                            .records = 10});
    return name;
  }
  void List(const std::string& key, std::uint64_t size = 100) { audit_.AddListed({key, size, 5}); }
  void ListClaims() {
    for (std::uint32_t number : {1U, 2U, 3U}) List(kKeys.Claim(number), 10);
  }
  static std::string Told(const StoreAccount& account) {
    std::string text;
    for (const StoreFinding& found : account.found) text += std::string(NameOf(found.kind)) + " " + found.key + "\n";
    return text;
  }

  StoreAudit audit_{kKeys, {.taken_over = 1, .held = 3}};
};

TEST_F(StoreAuditTest, WhatRowsKnowIsCountedAndNothingIsFound) {
  audit_.Add(TopicRow{.id = TopicId(2), .name = "b"});
  audit_.Add(TopicRow{.id = TopicId(1), .name = "a"});
  for (const std::uint64_t sequence : {0U, 1U}) List(kKeys.Object(Object(sequence)));
  List(kKeys.Object(Object(2, ObjectState::kCommitted, 2)));
  List(kKeys.Object(Object(3, ObjectState::kDeleting)));
  List(kKeys.Object(Object(4, ObjectState::kPrepared)));
  Object(5, ObjectState::kPrepared);  // was never put
  Object(6, ObjectState::kDeleting);  // is deleted, and its row not yet
  audit_.Add(SegmentRow{.partition = {TopicId(1), PartitionId(0)}, .base = Offset(70), .end = Offset(90)});  // a gap
  List(kKeys.Log(), 20);
  List(kKeys.Snapshot({3, 1, 0}), 50);
  ListClaims();
  const StoreAccount account = audit_.Finish();
  EXPECT_EQ(Told(account), "");
  EXPECT_EQ(account.of(StoredAs::kInUse).objects, 3U);
  EXPECT_EQ(account.of(StoredAs::kInUse).bytes, 300U);
  EXPECT_EQ(account.of(StoredAs::kGivenUp).objects, 1U);
  EXPECT_EQ(account.of(StoredAs::kUnderWay).objects, 1U);
  EXPECT_EQ(account.of(StoredAs::kClaim).bytes, 30U);
  EXPECT_EQ(account.of(StoredAs::kSnapshot).bytes, 50U);
  EXPECT_EQ(account.of(StoredAs::kLog).objects, 1U);
  EXPECT_EQ(account.unused_bytes, 60U);
  ASSERT_EQ(account.topics.size(), 2U);
  EXPECT_EQ(account.topics[0].name, "a");
  EXPECT_EQ(account.topics[0].objects, 2U);
  EXPECT_EQ(account.topics[0].segments, 2U);
  EXPECT_EQ(account.topics[0].bytes, 160U);
  EXPECT_EQ(account.topics[1].records, 10U);
}

TEST_F(StoreAuditTest, WhatIsNeededAndNotThereIsNamedFirst) {
  const std::string missing = kKeys.Object(Object(0)), cut = kKeys.Object(Object(1));
  List(cut, 99);
  List("a/stranger");
  ListClaims();
  const SegmentRow rowless{
      .partition = {TopicId(1), PartitionId(0)}, .base = Offset(50), .end = Offset(60), .object = {9}, .byte_size = 5};
  audit_.Add(rowless);
  const StoreAccount account = audit_.Finish();
  EXPECT_EQ(Told(account),
            "missing " + missing + "\nwrong_size " + cut +
                "\nmissing object 09000000000000000000000000000000 (it has no row)\nforeign a/stranger\n");
  EXPECT_EQ(account.found[0].expected_bytes, 100U);
  EXPECT_EQ(account.found[1].expected_bytes, 100U);
  EXPECT_EQ(account.found[1].size_bytes, 99U);
  EXPECT_TRUE(account.found[2].is_damage());
  EXPECT_FALSE(account.found[3].is_damage());
}

TEST_F(StoreAuditTest, WhatNoRowKnowsIsAnOrphanOnlyWithinWhatThisLogPut) {
  ListClaims();
  List(kKeys.Object({2, 9, 0}));  // of a process of this log
  List(kKeys.Object({1, 9, 0}));  // before it was taken over
  List(kKeys.Object({4, 9, 0}));  // after it went on elsewhere
  List(kKeys.Object({2, 9, 1}) + "j");
  const StoreAccount account = audit_.Finish();
  EXPECT_EQ(Told(account), "elsewhere " + kKeys.Object({1, 9, 0}) + "\norphan " + kKeys.Object({2, 9, 0}) +
                               "\nforeign " + kKeys.Object({2, 9, 1}) + "j\nelsewhere " + kKeys.Object({4, 9, 0}) +
                               "\n");
}

TEST_F(StoreAuditTest, OtherLogsAreCountedAndNoneOfItsBusiness) {
  ListClaims();
  List("ns/6162/log");
  List("ffeeddccbbaa99887766554433221100/o/00000001-00000001/0/000.obj");
  List("ffeeddccbbaa99887766554433221100");  // no folder
  const StoreAccount account = audit_.Finish();
  EXPECT_EQ(account.of(StoredAs::kOtherLog).objects, 2U);
  EXPECT_EQ(Told(account), "foreign ffeeddccbbaa99887766554433221100\n");
}

TEST_F(StoreAuditTest, AClaimThatIsGoneIsNamed) {
  List(kKeys.Claim(1));
  List(kKeys.Claim(3));
  EXPECT_EQ(Told(audit_.Finish()), "missing_claim " + kKeys.Claim(2) + "\n");
}

TEST_F(StoreAuditTest, WithoutAnyClaimTheOneHeldLastIsMissing) {
  EXPECT_EQ(Told(audit_.Finish()), "missing_claim " + kKeys.Claim(3) + "\n");
  EXPECT_EQ(Told(StoreAudit(kKeys, {.held = 3, .claims = false}).Finish()), "");
}

}  // namespace
}  // namespace millrace
