// Goal: keys are unique, sort as their numbers do, and only keys of this log are taken for its own.
#include "tier/store_keys.h"

#include <gtest/gtest.h>

#include <set>

namespace millrace {
namespace {

const StoreKeys kKeys("ns/6162/", "00112233445566778899aabbccddeeff");

TEST(StoreKeysTest, AKeyTellsWhatItIsTheKeyOf) {
  for (const ObjectName name : {ObjectName{1, 0, 0}, ObjectName{7, 0xfeedbeef, 4'095}, ObjectName{7, 0xfeedbeef, 4'096},
                                ObjectName{0xffffffff, 0xffffffff, kAttemptsMax - 1}}) {
    EXPECT_EQ(kKeys.ObjectIn(kKeys.Object(name)), name) << kKeys.Object(name);
    EXPECT_TRUE(kKeys.Object(name).starts_with(kKeys.ObjectsOf(name.generation, name.nonce)));
    EXPECT_EQ(StoreKeys("", kKeys.identity()).ObjectIn(kKeys.Object(name)), std::nullopt);
    EXPECT_EQ(StoreKeys(kKeys.prefix(), "other").ObjectIn(kKeys.Object(name)), std::nullopt);
  }
  EXPECT_EQ(kKeys.Object({7, 0xfeedbeef, 0x1fed}),
            "ns/6162/00112233445566778899aabbccddeeff/o/00000007-feedbeef/1/fed.obj");
  EXPECT_EQ(kKeys.ClaimIn(kKeys.Claim(12)), 12U);
  EXPECT_EQ(kKeys.Claim(12), "ns/6162/00112233445566778899aabbccddeeff/claim/0000000c");
  const SnapshotName snapshot{3, 4, 5};
  EXPECT_EQ(kKeys.SnapshotIn(kKeys.Snapshot(snapshot)), snapshot);
  EXPECT_LT(kKeys.Snapshot({3, 9, 5}), kKeys.Snapshot({4, 1, 0}));
  EXPECT_LT(kKeys.Snapshot({3, 9, 9}), kKeys.Snapshot({3, 9, 0x10}));
}

TEST(StoreKeysTest, NothingElseIsTakenForAKey) {
  const std::string key = kKeys.Object({7, 0xfeedbeef, 5});
  for (std::size_t cut = 0; cut < key.size(); ++cut) EXPECT_EQ(kKeys.ObjectIn(key.substr(0, cut)), std::nullopt);
  for (std::size_t at = 0; at < key.size(); ++at) {
    std::string other = key;
    other[at] = 'x';
    EXPECT_EQ(kKeys.ObjectIn(other), std::nullopt) << other;
  }
  EXPECT_EQ(kKeys.ObjectIn(key + "j"), std::nullopt);
  EXPECT_EQ(kKeys.ClaimIn(key), std::nullopt);
  EXPECT_EQ(kKeys.SnapshotIn(kKeys.Claim(1)), std::nullopt);
}

TEST(StoreKeysTest, NeighboursBeginAlikeAndNobodyElseDoes) {
  const ObjectName name{7, 0xfeedbeef, 0x31ab};
  const std::string around = kKeys.ObjectsAround(name);
  for (std::uint64_t number = 0; number < kAttemptsMax; ++number)
    EXPECT_EQ(kKeys.Object({7, 0xfeedbeef, number}).starts_with(around), number >> 8 == 0x31) << number;
}

TEST(StoreKeysTest, IdsAreAsDifferentAsTheirNames) {
  std::set<ObjectId> ids;
  for (std::uint32_t generation : {0U, 1U, 256U})
    for (std::uint32_t nonce : {0U, 1U, 256U})
      for (std::uint64_t sequence : {0U, 1U, 256U}) ids.insert(ObjectIdOf({generation, nonce, sequence}));
  EXPECT_EQ(ids.size(), 27U);
  EXPECT_FALSE(ids.contains(ObjectIdOf({1, 2, 3})));
}

}  // namespace
}  // namespace millrace
