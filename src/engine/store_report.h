// What lies in the object store of a log, told from the log's own rows or from the store alone. Looks only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "millrace/options.h"
#include "millrace/result.h"
#include "tier/log_survey.h"
#include "tier/store_audit.h"

namespace millrace {

struct StoreReport {
  std::string identity, home;
  std::uint32_t generation = 0;   // held last; 0: none
  bool from_store_alone = false;  // else: from the directory's rows
  StoreAccount account;
  // From the store alone: what the newest snapshot that can be read accounts for, and what lies behind it.
  std::int64_t snapshot_ms = 0;  // 0: there is none
  std::uint64_t snapshot_objects = 0, behind_objects = 0, behind_bytes = 0;
  std::uint64_t unlisted = 0;           // are there although the listing left them out
  std::vector<SurveyFinding> unusable;  // from the store alone: snapshots and objects that cannot be read
};

/// Of the log in `options.data_dir`, at its home. Errors: as ClosedLog::Open, and those of the store. Cost: a scan of
/// metadata, a listing of everything under the prefix, and one request for each object that it does not name.
Result<StoreReport> ReportLog(const EngineOptions& options);
/// Of the log at `url`, whoever has it open. Errors: kNotFound (no log there), kInvalidArgument, those of the store.
/// Cost: the listing, the newest snapshot, and a request for each object behind it.
Result<StoreReport> ReportStore(const std::string& url, const std::string& name_space);

}  // namespace millrace
