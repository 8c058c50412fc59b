// The stores that the conformance suite runs over.
#include "meta/metadata_bench.h"

#include <filesystem>
#include <memory>
#include <string>

#include "env/posix_file_system.h"
#include "env/sim/sim_file_system.h"
#include "env/temporary_directory.h"
#include "meta/faulty_metadata_store.h"
#include "meta/memory_metadata_store.h"
#include "meta/sqlite_metadata_store.h"

namespace millrace {
namespace {

class MemoryBench final : public MetadataBench {
 public:
  Result<void> Open() override { return {}; }
  Result<void> Reopen() override { return {}; }
  MetadataStore& store() override { return store_; }

 private:
  MemoryMetadataStore store_{&clock};
};

class FaultyBench final : public MetadataBench {
 public:
  Result<void> Open() override { return {}; }
  Result<void> Reopen() override { return {}; }
  MetadataStore& store() override { return store_; }

 private:
  FaultyMetadataStore store_{std::make_shared<MemoryMetadataStore>(&clock), 1};
};

class SqliteBench : public MetadataBench {
 public:
  SqliteBench(std::unique_ptr<FileSystem> file_system, std::filesystem::path directory)
      : file_system_(std::move(file_system)), directory_(std::move(directory)) {}
  Result<void> Open() override {
    auto opened = SqliteMetadataStore::Open(directory_ / "metadata.db", *file_system_, &clock);
    if (!opened) return opened.error();
    store_ = *std::move(opened);
    return {};
  }
  Result<void> Reopen() override {
    if (auto closed = store_->Close(); !closed) return closed;
    store_.reset();
    return Open();
  }
  MetadataStore& store() override { return *store_; }

 protected:
  const std::unique_ptr<FileSystem> file_system_;
  const std::filesystem::path directory_;
  std::unique_ptr<SqliteMetadataStore> store_;
};

class SqlitePosixBench final : public SqliteBench {
 public:
  SqlitePosixBench() : SqlitePosixBench(TemporaryDirectory()) {}
  ~SqlitePosixBench() override { store_.reset(); }

 private:
  explicit SqlitePosixBench(TemporaryDirectory directory)
      : SqliteBench(std::make_unique<PosixFileSystem>(), directory.path()), scratch_(std::move(directory)) {}

  const TemporaryDirectory scratch_;
};

}  // namespace

std::vector<MetadataContender> MetadataContenders() {
  return {{"Memory", [] { return std::make_unique<MemoryBench>(); }},
          {"Faulty", [] { return std::make_unique<FaultyBench>(); }},
          {"SqlitePosix", [] { return std::make_unique<SqlitePosixBench>(); }},
          {"SqliteSim", [] { return std::make_unique<SqliteBench>(std::make_unique<SimFileSystem>(1), "/data"); }}};
}

}  // namespace millrace
