// Goal: servers are named as people write them. Method: a table of texts.
#include "client/address.h"

#include <gtest/gtest.h>

namespace millrace::client {
namespace {

TEST(AddressTest, EveryForm) {
  EXPECT_EQ(Address::Parse("localhost:9093"), (Address{"localhost", 9093}));
  EXPECT_EQ(Address::Parse("log.example"), (Address{"log.example", 9092}));
  EXPECT_EQ(Address::Parse(":19092"), (Address{"localhost", 19092}));
  EXPECT_EQ(Address::Parse("[::1]:9093"), (Address{"::1", 9093}));
  EXPECT_EQ(Address::Parse("[::1]"), (Address{"::1", 9092}));
  EXPECT_EQ(Address::Parse("fe80::1"), (Address{"fe80::1", 9092}));
  for (const char* text :
       {"", "host:", "host:0", "host:65536", "host:x", "[::1", "[]:1", "[::1]9092", "http://host:1", "a b:1", "a,b:1"})
    EXPECT_FALSE(Address::Parse(text)) << text;
}

TEST(AddressTest, TextIsReadBack) {
  for (const char* text : {"localhost:9092", "[::1]:9092"}) EXPECT_EQ(Address::Parse(text)->Text(), text);
}

}  // namespace
}  // namespace millrace::client
