#include "engine/store_abstract.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "base/try.h"
#include "engine/store_at_url.h"
#include "tier/log_survey.h"

namespace millrace {
namespace {

/// Without the nonce, which says nothing to people.
std::string HowText(const ClaimText& claim) {
  switch (claim.how) {
    case ClaimText::How::kFirst:
      return "first";
    case ClaimText::How::kContinues:
      return "continues";
    case ClaimText::How::kTakesOver:
      return "takes over";
    case ClaimText::How::kReleases:
      return "releases";
    case ClaimText::How::kMovedTo:
      return "moved to " + claim.place;
    case ClaimText::How::kComesFrom:
      return "comes from " + claim.place;
  }
  return "";
}

}  // namespace

Result<StoreAbstract> DescribeStore(const std::string& url, const std::string& name_space) {
  MR_ASSIGN_OR_RETURN(const StoreAtUrl place, OpenStoreAtUrl(url, name_space));
  ObjectStore& objects = *place.objects;
  const std::string& prefix = place.key_prefix;
  StoreAbstract found;
  MR_ASSIGN_OR_RETURN(const LogText log, ReadLogText(objects, prefix));
  found.identity = log.identity;
  found.made_ms = log.made_ms;
  found.made_by = log.host;
  const StoreKeys keys(prefix, log.identity);
  std::string continuation;
  SnapshotName newest;
  do {
    MR_ASSIGN_OR_RETURN(const ObjectPage page, objects.List(keys.Snapshots(), continuation, 1'000));
    for (const ObjectDescription& one : page.objects) {
      const auto name = keys.SnapshotIn(one.key);
      if (!name) continue;
      if (++found.snapshots == 1 || *name > newest) {
        newest = *name;
        found.snapshot_bytes = one.size_bytes;
      }
    }
    continuation = page.next;
  } while (!continuation.empty());
  MR_ASSIGN_OR_RETURN(const auto claims, ReadClaims(objects, {.key_prefix = prefix, .requests_at_once = 16}, keys));
  if (claims.empty()) return found;
  found.generation = claims.back().generation;
  found.how = HowText(claims.back());
  found.host = claims.back().host;
  found.claim_ms = claims.back().at_ms;
  return found;
}

}  // namespace millrace
