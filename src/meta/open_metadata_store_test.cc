// Which URLs name a metadata store: what will come is told apart from what is none.
#include "meta/open_metadata_store.h"

#include <gtest/gtest.h>

#include <string>

#include "env/sim/sim_file_system.h"

namespace millrace {
namespace {

TEST(OpenMetadataStoreTest, EachSchemeHasItsKind) {
  EXPECT_EQ(MetadataStoreKindOf("memory:").value(), MetadataStoreKind::kMemory);
  EXPECT_EQ(MetadataStoreKindOf("sqlite:").value(), MetadataStoreKind::kSqlite);
  EXPECT_EQ(MetadataStoreKindOf("sqlite:///x").value(), MetadataStoreKind::kSqlite);
}

TEST(OpenMetadataStoreTest, WhatWillComeIsUnsupportedAndTheRestIsRefused) {
  for (const std::string url : {"postgres://host/db", "postgresql://host/db"})
    EXPECT_EQ(MetadataStoreKindOf(url).error().code(), ErrorCode::kUnsupported) << url;
  for (const std::string url : {"", "sqlite", "sqlite://", "sqlite:///", "sqlite://host/path", "mysql://host/db"})
    EXPECT_EQ(MetadataStoreKindOf(url).error().code(), ErrorCode::kInvalidArgument) << url;
}

TEST(OpenMetadataStoreTest, TheDefaultLiesInTheDataDirectoryAndAPathWhereItSays) {
  SimFileSystem files;
  ASSERT_TRUE(files.CreateDirectories("/data"));
  ASSERT_TRUE(files.CreateDirectories("/else"));
  ASSERT_TRUE(OpenMetadataStore("sqlite:", "/data", files).value()->Close());
  ASSERT_TRUE(OpenMetadataStore("sqlite:///else/m.db", "/data", files).value()->Close());
  EXPECT_TRUE(files.Open("/data/metadata.db", {}));
  EXPECT_TRUE(files.Open("/else/m.db", {}));
}

}  // namespace
}  // namespace millrace
