#include "meta/home_catalog.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <utility>

#include "base/try.h"
#include "meta/find_row.h"

namespace millrace {
namespace {

StoreRow RowOf(std::string_view name, const Generation& generation) {
  return {.name = std::string(name), .number = generation.number, .text = fmt::format("{:08x}", generation.nonce)};
}

StoreRow RowOf(const Parting& parting) {
  return {.name = std::string(kPartingName), .number = static_cast<std::int64_t>(parting.state), .text = parting.why};
}

Result<Generation> GenerationIn(const StoreRow& row) {
  if (row.number == 0 && row.text.empty()) return Generation();
  Generation generation;
  const char* end = row.text.data() + row.text.size();
  const auto parsed = std::from_chars(row.text.data(), end, generation.nonce, 16);
  const bool fits = row.number > 0 && row.number <= std::numeric_limits<std::uint32_t>::max();
  if (parsed.ec != std::errc() || parsed.ptr != end || !fits)
    return Error(ErrorCode::kCorruption, fmt::format("metadata: the row {} names no generation", row.name));
  generation.number = static_cast<std::uint32_t>(row.number);
  return generation;
}

}  // namespace

void PutStoreRow(Transition& to, const std::optional<StoreRow>& present, StoreRow row) {
  if (!present) return to.Insert(std::move(row));
  if (*present == row) return;
  to.Expect(*present);
  to.Put(std::move(row));
}

Result<StoreRow> HomeCatalog::Find(std::string_view name) const {
  MR_ASSIGN_OR_RETURN(const auto row, FindRow(store_, StoreKey{std::string(name)}));
  return row.value_or(StoreRow{.name = std::string(name)});
}

Result<void> HomeCatalog::Put(StoreRow row) const {
  return CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    MR_ASSIGN_OR_RETURN(const auto present, FindRow(store_, StoreKey{row.name}));
    Transition to;
    PutStoreRow(to, present, row);
    return to;
  });
}

Result<std::string> HomeCatalog::Home() const {
  MR_ASSIGN_OR_RETURN(StoreRow row, Find(kHomeName));
  return std::move(row.text);
}

Result<void> HomeCatalog::SetHome(std::string_view url) const {
  return Put({.name = std::string(kHomeName), .text = std::string(url)});
}

Result<std::string> HomeCatalog::Marker() const {
  MR_ASSIGN_OR_RETURN(StoreRow row, Find(kMarkerName));
  return std::move(row.text);
}

Result<void> HomeCatalog::SetMarker(std::string_view marker) const {
  return Put({.name = std::string(kMarkerName), .text = std::string(marker)});
}

Result<Generation> HomeCatalog::Held() const {
  MR_ASSIGN_OR_RETURN(const StoreRow row, Find(kClaimName));
  return GenerationIn(row);
}

Result<std::optional<Generation>> HomeCatalog::Pending() const {
  MR_ASSIGN_OR_RETURN(const StoreRow row, Find(kClaimPendingName));
  MR_ASSIGN_OR_RETURN(const Generation pending, GenerationIn(row));
  return pending == Generation() ? std::nullopt : std::optional(pending);
}

Result<void> HomeCatalog::Begin(const Generation& pending) const { return Put(RowOf(kClaimPendingName, pending)); }

Result<void> HomeCatalog::Hold(const Generation& generation) const {
  const StoreRow held = RowOf(kClaimName, generation);
  return CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    MR_ASSIGN_OR_RETURN(const auto present, FindRow(store_, StoreKey{held.name}));
    MR_ASSIGN_OR_RETURN(const auto pending, FindRow(store_, StoreKey{std::string(kClaimPendingName)}));
    Transition to;
    PutStoreRow(to, present, held);
    if (pending) {
      to.Expect(*pending);
      to.Erase(*pending);
    }
    return to;
  });
}

Result<std::uint32_t> HomeCatalog::TakenOver() const {
  MR_ASSIGN_OR_RETURN(const StoreRow row, Find(kTakenOverName));
  return static_cast<std::uint32_t>(row.number);
}

Result<std::optional<Fence>> HomeCatalog::Fenced() const {
  MR_ASSIGN_OR_RETURN(const StoreRow row, Find(kFencedName));
  if (row.text.empty()) return std::optional<Fence>();
  return std::optional(Fence{.generation = static_cast<std::uint32_t>(row.number), .why = row.text});
}

Result<std::optional<Parting>> HomeCatalog::Parted() const {
  MR_ASSIGN_OR_RETURN(const StoreRow row, Find(kPartingName));
  if (row.number == 0) return std::optional<Parting>();
  const auto state = row.number == 1 ? Parting::State::kBegun : Parting::State::kDone;
  return std::optional(Parting{.state = state, .why = row.text});
}

Result<void> HomeCatalog::SetParting(const Parting& parting) const { return Put(RowOf(parting)); }

Result<void> HomeCatalog::SetParting(const Parting& parting, const Generation& pending) const {
  return CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    Transition to;
    for (StoreRow row : {RowOf(parting), RowOf(kClaimPendingName, pending)}) {
      MR_ASSIGN_OR_RETURN(const auto present, FindRow(store_, StoreKey{row.name}));
      PutStoreRow(to, present, std::move(row));
    }
    return to;
  });
}

Result<void> HomeCatalog::Settle(std::string_view home, const Generation& held) const {
  return CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    Transition to;
    for (StoreRow row :
         {StoreRow{.name = std::string(kHomeName), .text = std::string(home)}, RowOf(kClaimName, held)}) {
      MR_ASSIGN_OR_RETURN(const auto present, FindRow(store_, StoreKey{row.name}));
      PutStoreRow(to, present, std::move(row));
    }
    for (const std::string_view name : {kClaimPendingName, kPartingName}) {
      MR_ASSIGN_OR_RETURN(const auto present, FindRow(store_, StoreKey{std::string(name)}));
      if (!present) continue;
      to.Expect(*present);
      to.Erase(*present);
    }
    return to;
  });
}

Result<void> HomeCatalog::SetFenced(const Fence& fence) const {
  return Put({.name = std::string(kFencedName), .number = fence.generation, .text = fence.why});
}

}  // namespace millrace
