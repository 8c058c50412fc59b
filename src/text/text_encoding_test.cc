// Goal: bytes stand in JSON exactly or as base64, never changed. Method: RFC 4648's vectors, every pair of bytes for
// the shape of UTF-8, round trips over all byte values.
#include <gtest/gtest.h>

#include "text/base64.h"
#include "text/json_writer.h"
#include "text/utf8.h"

namespace millrace {
namespace {

std::string Base64(std::string_view bytes) {
  std::string out;
  AppendBase64(out, bytes);
  return out;
}

TEST(Base64Test, VectorsOfTheStandard) {
  for (auto [plain, coded] : {std::pair("", ""),
                              {"f", "Zg=="},
                              {"fo", "Zm8="},
                              {"foo", "Zm9v"},
                              {"foob", "Zm9vYg=="},
                              {"fooba", "Zm9vYmE="},
                              {"foobar", "Zm9vYmFy"}}) {
    EXPECT_EQ(Base64(plain), coded);
    EXPECT_EQ(DecodeBase64(coded), plain);
  }
}

TEST(Base64Test, EveryLengthOfEveryByteComesBack) {
  std::string all;
  for (int i = 0; i < 256; ++i) {
    all += static_cast<char>(255 - i);
    EXPECT_EQ(DecodeBase64(Base64(all)), all) << i;
  }
}

TEST(Base64Test, WhatIsNoBase64IsRefused) {
  for (const char* text : {"Z", "Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9*", "Zm 9v", "Zm9v\n"}) {
    EXPECT_EQ(DecodeBase64(text), std::nullopt) << text;
  }
}

TEST(Utf8Test, KnowsTextFromBytes) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("plain text that is longer than eight bytes"));
  EXPECT_TRUE(IsUtf8("grün, 日本語, 🙂 and more text after it"));
  for (std::string_view bytes : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
                                 "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xC3", "\xE2\x82", "12345678\xFF"}) {
    EXPECT_FALSE(IsUtf8(bytes)) << Base64(bytes);
  }
}

TEST(Utf8Test, TwoByteSequencesAreThoseOfTheStandard) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      std::string pair{static_cast<char>(first), static_cast<char>(second)};
      bool expected =
          (first < 0x80 && second < 0x80) || (first >= 0xC2 && first <= 0xDF && second >= 0x80 && second <= 0xBF);
      EXPECT_EQ(IsUtf8(pair), expected) << first << ' ' << second;
    }
  }
}

TEST(JsonWriterTest, CommasStandWhereTheyBelong) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Member("a", 1).Member("b", std::string_view("x")).Key("c").BeginArray();
  json.Number(1).BeginObject().EndObject().Null().Boolean(true).EndArray().Member("d", 0.5).EndObject();
  EXPECT_EQ(out, R"({"a":1,"b":"x","c":[1,{},null,true],"d":0.5})");
}

TEST(JsonWriterTest, StringsAreAlwaysValid) {
  std::string out;
  AppendJsonString(out, std::string_view("\"\\\n\t\r\x01 \xC3\xA4 \xFF \0 end", 16));
  EXPECT_EQ(out, "\"\\\"\\\\\\n\\t\\r\\u0001 \xC3\xA4 \xEF\xBF\xBD \\u0000 en\"");
}

}  // namespace
}  // namespace millrace
