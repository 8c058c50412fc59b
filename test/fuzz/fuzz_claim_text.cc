// Any bytes as the texts that say whose an object store is: refused, or read as the same again when written again. Each
// input is tried as it is and with a right CRC behind it.
#include <cstdint>
#include <span>
#include <string>

#include "base/check.h"
#include "base/crc32c.h"
#include "millrace/bytes.h"
#include "tier/claim_text.h"

namespace millrace {
namespace {

void Try(const std::string& text) {
  if (const auto claim = ParseClaimText(text)) {
    const auto again = ParseClaimText(Encode(*claim));
    MR_CHECK(again && again->nonce == claim->nonce && again->generation == claim->generation);
  }
  if (const auto log = ParseLogText(text)) MR_CHECK(!log->identity.contains('\n'));
}

std::string Digits(std::uint32_t number) {
  std::string digits;
  for (int shift = 28; shift >= 0; shift -= 4) digits += "0123456789abcdef"[number >> shift & 15];
  return digits;
}

}  // namespace
}  // namespace millrace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  using namespace millrace;
  const std::string text(AsText(std::as_bytes(std::span(input, size))));
  Try(text);
  Try(text + "crc " + Digits(Crc32c(AsBytes(text))) + "\n");
  return 0;
}
