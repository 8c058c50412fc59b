// Goal: a body lands in the parts that were asked for however it is cut on its way, and memory never follows a length
// the peer merely states (rule 13 of the reliability page). Method: every cut of small bodies; lengths that lie.
#include "http/http_body.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

std::string Shown(const HttpResponse& response) {
  std::string shown;
  for (const SharedBytes& part : response.parts) shown += std::string(AsText(part)) + "|";
  return shown + (response.overlong ? "+" : "");
}

std::string Receive(const HttpRequest& request, int status, std::string_view text, std::size_t step,
                    std::optional<std::uint64_t> stated) {
  HttpBody body(request, status, stated);
  for (std::size_t at = 0; at < text.size(); at += step) {
    if (!body.Take(AsBytes(text.substr(at, step)))) break;
  }
  HttpResponse response;
  body.Finish(response);
  return Shown(response);
}

TEST(HttpBodyTest, PartsAreFilledInOrderHoweverTheBodyIsCut) {
  const std::uint64_t lengths[] = {1, 0, 4, 5};
  HttpRequest request;
  request.part_lengths = lengths;
  for (std::size_t step = 1; step <= 10; ++step) {
    for (const std::optional<std::uint64_t> stated :
         {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(10), std::optional<std::uint64_t>(0),
          std::optional<std::uint64_t>(UINT64_MAX)}) {
      EXPECT_EQ(Receive(request, 206, "0123456789", step, stated), "0||1234|56789|");
      EXPECT_EQ(Receive(request, 200, "0123456", step, stated), "0||1234|56|");
      EXPECT_EQ(Receive(request, 206, "01", step, stated), "0||1||");
      EXPECT_EQ(Receive(request, 206, "", step, stated), "||||");
      EXPECT_EQ(Receive(request, 206, "0123456789a", step, stated), "0||1234|56789|+");
      EXPECT_EQ(Receive(request, 404, "<Error>", step, stated), "<Error>|");
    }
  }
}

TEST(HttpBodyTest, ABodyOfUnknownLengthGrowsUpToItsCap) {
  HttpRequest request;
  request.unsized_bytes_max = 100'000;
  const std::string text(100'000, 'x');
  EXPECT_EQ(Receive(request, 200, text, 777, std::nullopt), text + "|");
  EXPECT_EQ(Receive(request, 500, text + "y", 16'384, 5), text + "|+");
}

TEST(HttpBodyTest, ALengthThatLiesAllocatesOnlyWhatWasAsked) {
  // 2^63 bytes announced for a part without bound would end the process if they were believed before they were asked
  // for.
  const std::uint64_t lengths[] = {1000};
  HttpRequest request;
  request.part_lengths = lengths;
  EXPECT_EQ(Receive(request, 206, "abc", 1, std::uint64_t{1} << 63), "abc|");
  const std::uint64_t boundless[] = {UINT64_MAX};
  request.part_lengths = boundless;
  EXPECT_EQ(Receive(request, 206, "abc", 1, std::uint64_t{1} << 63), "abc|");
  request.part_lengths = {};
  EXPECT_EQ(Receive(request, 503, "abc", 1, std::uint64_t{1} << 63), "abc|");
}

}  // namespace
}  // namespace millrace
