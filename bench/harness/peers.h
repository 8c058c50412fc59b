// LevelDB and RocksDB (Debian's packages) as logs: keys that grow, values that are our payloads, compression off.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

namespace millrace::bench {

enum class PeerSync { kEachWrite, kNever };

class Peer {
 public:
  virtual ~Peer() = default;
  /// One record; durable on return under kEachWrite. Any thread. Ends the program on an error.
  virtual void Put(std::uint64_t key, std::string_view value) = 0;
  /// Everything once, in key order; the number of value bytes seen.
  virtual std::uint64_t Scan() = 0;
};

/// Both in an empty folder. The write buffer is 64 MiB, which helps them: their own default is smaller for LevelDB.
std::unique_ptr<Peer> OpenLevelDb(const std::filesystem::path& directory, PeerSync sync);
std::unique_ptr<Peer> OpenRocksDb(const std::filesystem::path& directory, PeerSync sync);

}  // namespace millrace::bench
