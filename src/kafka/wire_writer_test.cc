// Goal: fields are written as Kafka's protocol says, and records are never copied. Method: bytes compared by hand,
// slices by their addresses.
#include "kafka/wire_writer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kafka/message_fixture.h"

namespace millrace::kafka {
namespace {

std::vector<int> Written(WireWriter& out) {
  std::vector<int> values;
  for (const std::byte byte : Joined(out.Finish())) values.push_back(std::to_integer<int>(byte));
  return values;
}

SharedBytes Block(std::size_t size, char letter) { return SharedBytes::Copy(AsBytes(std::string(size, letter))); }

TEST(WireWriterTest, LengthsAreOneMoreInTheCompactForm) {
  WireWriter compact(1, true);
  compact.String("ab");
  compact.NullableString(std::nullopt, true);
  compact.NullableString(std::nullopt, false);
  compact.ByteString(AsBytes("c"));
  EXPECT_EQ(Written(compact), (std::vector<int>{3, 'a', 'b', 0, 1, 2, 'c'}));
  WireWriter wide(1, false);
  wide.String("ab");
  wide.NullableString(std::nullopt, true);
  wide.NullableByteString(std::nullopt, true);
  wide.NullableElements<std::int32_t>(std::nullopt, false);
  EXPECT_EQ(Written(wide), (std::vector<int>{0, 2, 'a', 'b', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}));
}

TEST(WireWriterTest, AStringThatItsLengthCannotSayIsCut) {
  const std::string text(40'000, 't');
  WireWriter wide(1, false), compact(1, true);
  wide.String(text);
  compact.String(text);
  EXPECT_EQ(wide.size_bytes(), 2U + 32'767);
  EXPECT_EQ(compact.size_bytes(), 3U + 40'000);
  EXPECT_EQ(GetBe<std::int16_t>(wide.Finish()[0].data()), 32'767);
}

TEST(WireWriterTest, RecordsComeOutWhereTheyBelongAndAreNotCopied) {
  const SharedBytes large = Block(100'000, 'x'), small = Block(10, 's');
  const SharedBytes slices[] = {large, small, large.Slice(500, 60'000)};
  WireWriter out(1, false);
  out.Int16(7);
  out.RecordBytes({.slices = slices});
  out.Int16(8);
  out.RecordBytes({.slices = {&large, 1}});
  EXPECT_EQ(out.size_bytes(), 2U + 4 + 100'000 + 10 + 60'000 + 2 + 4 + 100'000);
  const WireSlices sent = out.Finish();
  ASSERT_EQ(sent.size(), 6U);  // head, large, small (copied), part of large, head, large
  EXPECT_EQ(sent[0].size(), 2U + 4);
  EXPECT_EQ(GetBe<std::int32_t>(sent[0].data() + 2), 160'010);
  EXPECT_EQ(sent[1].data(), large.data());
  EXPECT_EQ(AsText(sent[2]), "ssssssssss");
  EXPECT_EQ(sent[3].data(), large.data() + 500);
  EXPECT_EQ(sent[4].size(), 2U + 4);
  EXPECT_EQ(sent[5].data(), large.data());
  EXPECT_EQ(sent[0].owner(), sent[4].owner());
}

TEST(WireWriterTest, RecordsAtTheVeryEndLeaveNoEmptySlice) {
  const SharedBytes large = Block(WireWriter::kSharedBytesMin, 'x');
  WireWriter out(1, true);
  out.RecordBytes({.slices = {&large, 1}});
  const WireSlices sent = out.Finish();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].size(), 2U);
  EXPECT_EQ(sent[1].data(), large.data());
}

TEST(WireWriterTest, TheSizeOfATagMayTakeSeveralBytes) {
  const std::string text(300, 't');
  WireWriter out(1, true);
  TagWriter tags(out);
  tags.Begin(0);
  out.String(text);
  tags.End();
  tags.Begin(5);
  out.Int8(9);
  tags.End();
  const auto bytes = Written(out);
  ASSERT_EQ(bytes.size(), 1U + 1 + 2 + 302 + 1 + 1 + 1);
  EXPECT_EQ(std::vector<int>(bytes.begin(), bytes.begin() + 6), (std::vector<int>{2, 0, 0xae, 2, 0xad, 2}));
  EXPECT_EQ(std::vector<int>(bytes.end() - 4, bytes.end()), (std::vector<int>{'t', 5, 1, 9}));
}

TEST(WireWriterTest, TagsAreForTheFlexibleFormAlone) {
  WireWriter out(1, false);
  const TagWriter tags(out);
  EXPECT_EQ(out.size_bytes(), 0U);
}

}  // namespace
}  // namespace millrace::kafka
