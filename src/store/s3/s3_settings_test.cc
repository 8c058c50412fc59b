// Goal: a URL means one place or is refused, and what it holds is not repeated. Method: URLs of every kind.
#include "store/s3/s3_settings.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

// "https host:port bucket/prefix region style", or the code.
std::string Told(std::string_view url, std::string_view region = "") {
  const auto at = ParseS3Url(url, {.region = std::string(region)});
  if (!at) {
    EXPECT_EQ(at.error().ToString().find("hunter2"), std::string::npos) << at.error().ToString();
    return std::string(ErrorCodeName(at.error().code()));
  }
  return std::string(at->tls ? "https " : "http ") + at->host + ":" + std::to_string(at->port) + " " + at->bucket +
         "/" + at->prefix + " " + at->region + (at->addressing == S3Addressing::kPath ? " path" : " virtual");
}

TEST(S3SettingsTest, AUrlNamesAPlace) {
  EXPECT_EQ(Told("s3://logs"), "https s3.us-east-1.amazonaws.com:443 logs/ us-east-1 virtual");
  EXPECT_EQ(Told("s3://logs/a/b/", "eu-west-3"), "https s3.eu-west-3.amazonaws.com:443 logs/a/b eu-west-3 virtual");
  EXPECT_EQ(Told("s3://logs?region=cn-north-1"), "https s3.cn-north-1.amazonaws.com.cn:443 logs/ cn-north-1 virtual");
  EXPECT_EQ(Told("s3://my.logs"), "https s3.us-east-1.amazonaws.com:443 my.logs/ us-east-1 path");
  EXPECT_EQ(Told("s3://logs/p?endpoint=http://127.0.0.1:9000"), "http 127.0.0.1:9000 logs/p us-east-1 path");
  EXPECT_EQ(Told("s3://logs?endpoint=http%3A%2F%2F%5B%3A%3A1%5D%3A9000%2F"), "http ::1:9000 logs/ us-east-1 path");
  EXPECT_EQ(Told("s3://logs?endpoint=minio.local&region=here"), "https minio.local:443 logs/ here path");
  EXPECT_EQ(Told("s3://logs?endpoint=https://minio.local:9443&style=virtual"),
            "https minio.local:9443 logs/ us-east-1 virtual");
  EXPECT_EQ(Told("s3://logs?style=path"), "https s3.us-east-1.amazonaws.com:443 logs/ us-east-1 path");
}

TEST(S3SettingsTest, WhatTheUrlDoesNotNameIsThatOfTheSurroundings) {
  const S3Defaults defaults{.region = "eu-west-3", .endpoint = "http://minio:9000"};
  const auto by_default = ParseS3Url("s3://logs", defaults);
  EXPECT_EQ(by_default->host, "minio");
  EXPECT_EQ(by_default->addressing, S3Addressing::kPath);
  EXPECT_EQ(by_default->checksums, Checksums::kOn);
  const auto named = ParseS3Url("s3://logs?endpoint=other&checksum=none&ca=/etc/ca.pem", defaults);
  EXPECT_EQ(named->host, "other");
  EXPECT_EQ(named->checksums, Checksums::kOff);
  EXPECT_EQ(named->ca_file, "/etc/ca.pem");
}

TEST(S3SettingsTest, OthersAreRefusedAndNotRepeated) {
  for (const std::string_view url : {"s3:",
                                     "s3://",
                                     "s3:///key",
                                     "s3:/logs",
                                     "s3://lo gs",
                                     "s3://user:hunter2@logs/p",
                                     "s3://logs/p?secret=hunter2",
                                     "s3://logs/../x",
                                     "s3://logs//x",
                                     "s3://logs/a b",
                                     "s3://logs?region=",
                                     "s3://logs?region=a/hunter2",
                                     "s3://logs?style=hunter2",
                                     "s3://logs?checksum=hunter2",
                                     "s3://logs?ca=hunter2.pem",
                                     "s3://logs?endpoint=http://",
                                     "s3://logs?endpoint=http://h:0",
                                     "s3://logs?endpoint=http://h:hunter2",
                                     "s3://logs?endpoint=http://h:99999",
                                     "s3://logs?endpoint=http://hunter2@h",
                                     "s3://logs?endpoint=http://h/path",
                                     "s3://logs?endpoint=[::1",
                                     "s3://logs?endpoint=%zz"}) {
    EXPECT_EQ(Told(url), "kInvalidArgument") << url;
  }
}

}  // namespace
}  // namespace millrace
