// Goal: headers have the form that goes with an API and a version. Method: frames compared byte by byte, and read back.
#include <gtest/gtest.h>

#include "base/coding.h"
#include "kafka/message.h"
#include "kafka/message_fixture.h"
#include "kafka/messages/api_versions.h"
#include "kafka/messages/metadata.h"

namespace millrace::kafka {
namespace {

/// What lies behind the size of a frame, which must be right.
std::vector<std::byte> WithoutSize(const WireSlices& slices) {
  auto frame = Joined(slices);
  EXPECT_EQ(GetBe<std::int32_t>(frame.data()), static_cast<std::int32_t>(frame.size() - 4));
  frame.erase(frame.begin(), frame.begin() + 4);
  return frame;
}

TEST(MessageHeaderTest, ARequestHasTagsInItsHeaderFromItsFirstFlexibleVersionOn) {
  for (const std::int16_t version : {std::int16_t{8}, std::int16_t{9}}) {
    const auto frame = WithoutSize(EncodeRequest(MetadataRequest{}, version, 77, "me"));
    const std::size_t tags = version == 9 ? 1 : 0;
    EXPECT_EQ(frame.size() - Body(MetadataRequest{}, version).size(), 2U + 2 + 4 + 2 + 2 + tags);
    Arena arena;
    WireReader in(frame, arena);
    const auto header = ReadRequestHeader(in);
    ASSERT_TRUE(header) << header.error().ToString();
    EXPECT_EQ(header->api_key, 3);
    EXPECT_EQ(header->api_version, version);
    EXPECT_EQ(header->correlation_id, 77);
    EXPECT_EQ(*header->client_id, "me");  // never compact
    EXPECT_TRUE(Decode<MetadataRequest>(in, version));
    EXPECT_EQ(in.remaining(), 0U);
  }
}

TEST(MessageHeaderTest, AClientNeedNotNameItself) {
  const auto frame = WithoutSize(EncodeRequest(MetadataRequest{}, 0, 1, std::nullopt));
  Arena arena;
  WireReader in(frame, arena);
  const auto header = ReadRequestHeader(in);
  ASSERT_TRUE(header);
  EXPECT_FALSE(header->client_id.has_value());
}

TEST(MessageHeaderTest, AResponseHasTagsInItsHeaderUnlessItIsOfApiVersions) {
  const auto metadata = WithoutSize(EncodeResponse(MetadataResponse{}, 9, 5));
  EXPECT_EQ(metadata.size(), Body(MetadataResponse{}, 9).size() + 5);
  const auto versions = WithoutSize(EncodeResponse(ApiVersionsResponse{}, 4, 5));
  EXPECT_EQ(versions.size(), Body(ApiVersionsResponse{}, 4).size() + 4);
  const auto older = WithoutSize(EncodeResponse(MetadataResponse{}, 8, 5));
  EXPECT_EQ(older.size(), Body(MetadataResponse{}, 8).size() + 4);
}

TEST(MessageHeaderTest, AResponseToAnotherRequestIsRefused) {
  const auto frame = WithoutSize(EncodeResponse(MetadataResponse{}, 9, 5));
  Arena arena;
  WireReader in(frame, arena), again(frame, arena);
  EXPECT_TRUE(DecodeResponse<MetadataResponse>(in, 9, 5));
  const auto other = DecodeResponse<MetadataResponse>(again, 9, 6);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().message(), "MetadataResponse answers request 5, and not 6");
}

TEST(MessageHeaderTest, AnApiWithoutATableIsUnsupported) {
  std::vector<std::byte> frame(10);
  PutBe(frame.data(), std::int16_t{999});
  Arena arena;
  WireReader in(frame, arena);
  const auto header = ReadRequestHeader(in);
  ASSERT_FALSE(header);
  EXPECT_EQ(header.error().code(), ErrorCode::kUnsupported);
}

TEST(MessageHeaderTest, AVersionThatIsTooHighStillHasAHeader) {
  std::vector<std::byte> frame(11);
  PutBe(frame.data(), std::int16_t{18});
  PutBe(frame.data() + 2, std::int16_t{99});
  PutBe(frame.data() + 8, std::int16_t{-1});
  Arena arena;
  WireReader in(frame, arena);
  const auto header = ReadRequestHeader(in);
  ASSERT_TRUE(header) << header.error().ToString();
  EXPECT_EQ(header->api_version, 99);
  EXPECT_EQ(Decode<ApiVersionsRequest>(in, 99).error().code(), ErrorCode::kUnsupported);
}

TEST(MessageHeaderTest, AHeaderCutAnywhereIsRefused) {
  const auto frame = WithoutSize(EncodeRequest(MetadataRequest{}, 9, 77, "me"));
  for (std::size_t size = 0; size < 13; ++size) {
    Arena arena;
    WireReader in(std::span(frame).first(size), arena);
    const auto header = ReadRequestHeader(in);
    ASSERT_FALSE(header) << size;
    EXPECT_EQ(header.error().code(), ErrorCode::kCorruption);
  }
}

}  // namespace
}  // namespace millrace::kafka
