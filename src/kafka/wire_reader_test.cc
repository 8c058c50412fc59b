// Goal: single fields are read as Kafka's protocol says, and what is no field fails with its place. Method: bytes
// written by hand.
#include "kafka/wire_reader.h"

#include <gtest/gtest.h>

#include <vector>

namespace millrace::kafka {
namespace {

std::vector<std::byte> BytesOf(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

/// A reader over bytes of its own.
struct Reading {
  explicit Reading(std::initializer_list<int> values, bool flexible = true) : bytes(BytesOf(values)), in(bytes, arena) {
    in.SetForm({.message = "Message", .version = 1, .flexible = flexible});
  }
  std::string failure() const {
    const auto result = in.Finish();
    return result ? "" : std::string(result.error().message());
  }
  std::vector<std::byte> bytes;
  Arena arena;
  WireReader in;
};

TEST(WireReaderTest, NumbersAreBigEndian) {
  Reading r(
      {1, 0xff, 0xff, 0xfe, 0xff, 0xfe, 0, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 0, 1, 0x40, 0x09, 0x21, 0xfb, 0, 0, 0, 0});
  EXPECT_TRUE(r.in.Bool("a"));
  EXPECT_EQ(r.in.Int8("b"), -1);
  EXPECT_EQ(r.in.Int16("c"), -2);
  EXPECT_EQ(r.in.Uint16("d"), 65534);
  EXPECT_EQ(r.in.Int32("e"), 256);
  EXPECT_EQ(r.in.Int64("f"), std::numeric_limits<std::int64_t>::min() + 1);
  EXPECT_NEAR(r.in.Float64("g"), 3.14159, 0.001);
  EXPECT_EQ(r.failure(), "");
  EXPECT_EQ(r.in.remaining(), 0U);
}

TEST(WireReaderTest, VarintsHaveAtMostThirtyTwoBits) {
  Reading good({0, 0x7f, 0x80, 0x01, 0xff, 0xff, 0xff, 0xff, 0x0f});
  EXPECT_EQ(good.in.Varint("v"), 0U);
  EXPECT_EQ(good.in.Varint("v"), 127U);
  EXPECT_EQ(good.in.Varint("v"), 128U);
  EXPECT_EQ(good.in.Varint("v"), 0xffffffffU);
  EXPECT_EQ(good.failure(), "");
  for (auto bad : {BytesOf({0xff, 0xff, 0xff, 0xff, 0x10}), BytesOf({0x80, 0x80, 0x80, 0x80, 0x80, 0x00})}) {
    Arena arena;
    WireReader in(bad, arena);
    EXPECT_EQ(in.Varint("v"), 0U);
    EXPECT_FALSE(in.Finish());
  }
}

TEST(WireReaderTest, LengthsAreOneMoreInTheCompactForm) {
  Reading compact({1, 3, 'a', 'b', 0, 2, 'c'});
  EXPECT_EQ(compact.in.String("empty"), "");
  EXPECT_EQ(compact.in.String("two"), "ab");
  EXPECT_FALSE(compact.in.NullableString("null", true).has_value());
  EXPECT_EQ(AsText(compact.in.ByteString("one")), "c");
  EXPECT_EQ(compact.failure(), "");
  Reading wide({0, 2, 'a', 'b', 0xff, 0xff, 0, 0, 0, 1, 'c', 0xff, 0xff, 0xff, 0xff}, false);
  EXPECT_EQ(wide.in.String("two"), "ab");
  EXPECT_FALSE(wide.in.NullableString("null", true).has_value());
  EXPECT_EQ(AsText(wide.in.NullableRecordBytes("one", true)->view), "c");
  EXPECT_FALSE(wide.in.NullableByteString("null", true).has_value());
  EXPECT_EQ(wide.failure(), "");
}

TEST(WireReaderTest, TheFirstFailureIsToldAndAllBehindItIsEmpty) {
  Reading r({5, 'a', 'b', 0, 0, 0, 0, 7});
  EXPECT_EQ(r.in.Int8("fine"), 5);
  EXPECT_EQ(r.in.String("text"), "");  // 96 bytes, and 6 are left
  EXPECT_EQ(r.in.Int32("later"), 0);
  EXPECT_TRUE(r.in.Elements<std::int32_t>("array", 4).empty());
  EXPECT_EQ(r.in.Id("id"), Uuid());
  EXPECT_EQ(r.failure(), "Message v1, field text at byte 2 of 8: it is longer than the bytes that are left");
  EXPECT_EQ(r.in.Finish().error().code(), ErrorCode::kCorruption);
}

TEST(WireReaderTest, NegativeLengthsAreRefused) {
  Reading string({0xff, 0xfe, 0, 0}, false);
  EXPECT_FALSE(string.in.NullableString("s", true).value_or("x").size() > 0);
  EXPECT_EQ(string.failure(), "Message v1, field s at byte 2 of 4: its length is negative");
  Reading array({0x80, 0, 0, 0}, false);
  EXPECT_TRUE(array.in.NullableElements<std::int32_t>("a", 4, true)->empty());
  EXPECT_EQ(array.failure(), "Message v1, field a at byte 4 of 4: its length is negative");
  Reading null({0xff, 0xff}, false);
  EXPECT_EQ(null.in.String("s"), "");
  EXPECT_EQ(null.failure(), "Message v1, field s at byte 2 of 2: it is null and must not be");
}

TEST(WireReaderTest, TagsInAnyOrderAreReadAndOthersCounted) {
  Reading r({3, 9, 1, 0xaa, 1, 2, 0, 7, 0, 1, 5, 0x33});
  int one = 0, zero = 0;
  r.in.Tags("tags", [&](std::uint32_t tag) {
    if (tag == 1) one = r.in.Int16("one");
    if (tag == 0) zero = r.in.Int8("zero");
    return tag < 2;
  });
  EXPECT_EQ(one, 7);
  EXPECT_EQ(zero, 5);
  EXPECT_EQ(r.in.unknown_tags(), 1U);
  EXPECT_EQ(r.in.Int8("behind"), 0x33);
  EXPECT_EQ(r.failure(), "");
}

TEST(WireReaderTest, AKnownTagFillsItsSize) {
  const auto read = [](Reading& r) {
    r.in.Tags("tags", [&](std::uint32_t) {
      r.in.Int16("known");
      return true;
    });
    return r.failure();
  };
  Reading longer({1, 0, 3, 0, 7, 0, 0});
  EXPECT_EQ(read(longer), "Message v1, field tags at byte 5 of 7: a tagged field is longer than what it holds");
  Reading shorter({1, 0, 1, 0, 7, 0, 0});
  EXPECT_EQ(read(shorter), "Message v1, field known at byte 3 of 7: the frame ends within it");
  EXPECT_EQ(shorter.in.remaining(), 0U);
  Reading beyond({1, 0, 9, 0, 7, 0, 0});
  EXPECT_EQ(read(beyond),
            "Message v1, field tags at byte 3 of 7: a tagged field is longer than the bytes that are left");
}

TEST(WireReaderTest, ACountOfTagsThatCannotBeEndsAtOnce) {
  Reading r({0xff, 0xff, 0xff, 0xff, 0x0f, 1, 0, 2, 0});
  r.in.Tags("tags");
  EXPECT_TRUE(r.in.failed());
  EXPECT_EQ(r.in.unknown_tags(), 2U);
}

TEST(WireReaderTest, AnArrayThatLiesIsRefusedBeforeAnythingIsAllocated) {
  Reading r({0xff, 0xff, 0xff, 0xff, 0x07, 1, 2, 3});
  EXPECT_TRUE(r.in.Elements<std::int64_t>("array", 8).empty());
  EXPECT_EQ(r.failure(), "Message v1, field array at byte 5 of 8: more elements than the bytes that are left can hold");
  EXPECT_EQ(r.arena.held_bytes(), 0U);
}

struct Pair {
  std::int8_t one = 0, other = 0;
};
void Read(WireReader& in, Pair& pair) {
  pair.one = in.Int8("pair.one");
  pair.other = in.Int8("pair.other");
}

TEST(WireReaderTest, AStructMayBeNull) {
  Reading r({1, 4, 5, 0xff, 0xff});
  const auto pair = r.in.NullableStruct<Pair>("pair", true);
  ASSERT_TRUE(pair);
  EXPECT_EQ(pair->other, 5);
  EXPECT_FALSE(r.in.NullableStruct<Pair>("none", true));
  EXPECT_EQ(r.failure(), "");
  EXPECT_FALSE(r.in.NullableStruct<Pair>("none", false));
  EXPECT_EQ(r.failure(), "Message v1, field none at byte 5 of 5: it is null and must not be");
}

TEST(NullableTest, EmptyIsNotNull) {
  EXPECT_FALSE(NullableText().has_value());
  EXPECT_TRUE(NullableText("").has_value());
  EXPECT_TRUE(NullableText(Text()).has_value());
  EXPECT_TRUE(NullableArray<Pair>(Array<Pair>()).has_value());
  EXPECT_TRUE(NullableText()->empty());
  EXPECT_EQ(NullableText().value_or("x"), "x");
  EXPECT_FALSE(NullableText("") == NullableText());
  EXPECT_EQ(sizeof(NullableText), sizeof(Text));
}

}  // namespace
}  // namespace millrace::kafka
