// Every metadata store under test, opened fresh and reopened, for suites that run over all of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "env/sim/sim_clock.h"
#include "millrace/metadata_store.h"

namespace millrace {

/// One store with whatever it stands on.
class MetadataBench {
 public:
  virtual ~MetadataBench() = default;
  virtual Result<void> Open() = 0;
  /// Closes and opens again; a store that keeps nothing stays open.
  virtual Result<void> Reopen() = 0;
  virtual MetadataStore& store() = 0;
  /// The store's clock goes on by so much.
  void Advance(std::int64_t ms) { clock.Advance(std::chrono::milliseconds(ms)); }

 protected:
  SimClock clock;
};

struct MetadataContender {
  const char* name;
  std::function<std::unique_ptr<MetadataBench>()> make;
};

std::vector<MetadataContender> MetadataContenders();

}  // namespace millrace
