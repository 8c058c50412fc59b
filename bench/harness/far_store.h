// An object store at a distance: the simulated S3 over HTTP on this machine, as slow as a row wants it, and clients of
// ours to it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "env/system_clock.h"
#include "http/http_transport.h"
#include "millrace/clock.h"
#include "millrace/object_store.h"
#include "store/s3/s3_settings.h"
#include "test/s3/sim_s3.h"
#include "test/s3/sim_s3_server.h"

namespace millrace::bench {

/// What the rows of the read path stand on unless they say otherwise.
inline constexpr std::chrono::milliseconds kFirstByte{30};
inline constexpr std::uint64_t kConnectionBytesPerSecond = 80'000'000;

/// kUnlimited: as many requests at once as are asked for, each sent once.
enum class Client { kOfEngine, kUnlimited };

S3Settings FarSettings(Client client, std::string host, std::uint16_t port);
std::shared_ptr<ObjectStore> OpenFarStore(S3Settings settings, std::shared_ptr<HttpTransport> transport,
                                          const Clock& clock);

class FarStore {
 public:
  explicit FarStore(std::uint64_t seed);

  [[nodiscard]] SimS3& s3() { return s3_; }
  /// With connections of its own.
  [[nodiscard]] std::shared_ptr<ObjectStore> Connect(Client client);
  void AnswerAtOnce() { s3_.SetBehaviour({}); }
  /// After `first_byte`, at `bytes_per_second` a connection (0: unlimited).
  void AnswerLate(std::chrono::nanoseconds first_byte = kFirstByte,
                  std::uint64_t bytes_per_second = kConnectionBytesPerSecond) {
    s3_.SetBehaviour({.first_byte = first_byte, .bytes_per_second = bytes_per_second});
  }
  [[nodiscard]] SimS3Counts Counts() const { return s3_.Counts(); }

 private:
  SystemClock clock_;
  SimS3 s3_;
  std::unique_ptr<SimS3Server> server_;
};

/// Gets since `before`.
[[nodiscard]] std::uint64_t GetsSince(const SimS3Counts& before, const SimS3Counts& now);

}  // namespace millrace::bench
