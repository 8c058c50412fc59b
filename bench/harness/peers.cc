#include "bench/harness/peers.h"

#include <leveldb/db.h>
#include <rocksdb/db.h>

#include <array>
#include <string>

#include "bench/harness/suite.h"

namespace millrace::bench {

namespace {

constexpr std::size_t kWriteBufferBytes = 64u << 20;

/// Big-endian, so that keys stand in the order of their numbers.
std::array<char, 8> KeyBytes(std::uint64_t key) {
  std::array<char, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(key >> (56 - 8 * i));
  return bytes;
}

template <class Status>
void Check(const Status& status) {
  if (!status.ok()) Die("peer: " + status.ToString());
}

template <class Iterator>
std::uint64_t ScanAll(Iterator& iterator) {
  std::uint64_t bytes = 0;
  for (iterator.SeekToFirst(); iterator.Valid(); iterator.Next()) bytes += iterator.value().size();
  Check(iterator.status());
  return bytes;
}

class LevelDbPeer final : public Peer {
 public:
  LevelDbPeer(const std::filesystem::path& directory, PeerSync sync) {
    leveldb::Options options;
    options.create_if_missing = true;
    options.compression = leveldb::kNoCompression;
    options.write_buffer_size = kWriteBufferBytes;
    leveldb::DB* db = nullptr;
    Check(leveldb::DB::Open(options, directory.string(), &db));
    db_.reset(db);
    write_.sync = sync == PeerSync::kEachWrite;
  }

  void Put(std::uint64_t key, std::string_view value) override {
    const auto bytes = KeyBytes(key);
    Check(db_->Put(write_, leveldb::Slice(bytes.data(), bytes.size()), leveldb::Slice(value.data(), value.size())));
  }

  std::uint64_t Scan() override {
    const std::unique_ptr<leveldb::Iterator> iterator(db_->NewIterator(leveldb::ReadOptions()));
    return ScanAll(*iterator);
  }

 private:
  std::unique_ptr<leveldb::DB> db_;
  leveldb::WriteOptions write_;
};

class RocksDbPeer final : public Peer {
 public:
  RocksDbPeer(const std::filesystem::path& directory, PeerSync sync) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.compression = rocksdb::kNoCompression;
    options.write_buffer_size = kWriteBufferBytes;
    rocksdb::DB* db = nullptr;
    Check(rocksdb::DB::Open(options, directory.string(), &db));
    db_.reset(db);
    write_.sync = sync == PeerSync::kEachWrite;
  }

  void Put(std::uint64_t key, std::string_view value) override {
    const auto bytes = KeyBytes(key);
    Check(db_->Put(write_, rocksdb::Slice(bytes.data(), bytes.size()), rocksdb::Slice(value.data(), value.size())));
  }

  std::uint64_t Scan() override {
    const std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(rocksdb::ReadOptions()));
    return ScanAll(*iterator);
  }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteOptions write_;
};

}  // namespace

std::unique_ptr<Peer> OpenLevelDb(const std::filesystem::path& directory, PeerSync sync) {
  return std::make_unique<LevelDbPeer>(directory, sync);
}

std::unique_ptr<Peer> OpenRocksDb(const std::filesystem::path& directory, PeerSync sync) {
  return std::make_unique<RocksDbPeer>(directory, sync);
}

}  // namespace millrace::bench
