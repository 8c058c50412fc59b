#include "store/s3/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <memory>

#include "base/check.h"
#include "text/base64.h"

namespace millrace {
namespace {

using DigestContext = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

DigestContext Begin(const EVP_MD* kind) {
  DigestContext context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (context && EVP_DigestInit_ex(context.get(), kind, nullptr) != 1) context.reset();
  return context;
}

Sha256Digest FinishSha256(EVP_MD_CTX* context) {
  Sha256Digest digest;
  MR_CHECK(EVP_DigestFinal_ex(context, reinterpret_cast<unsigned char*>(digest.data()), nullptr) == 1);
  return digest;
}

}  // namespace

Sha256Digest Sha256(std::string_view text) {
  const DigestContext context = Begin(EVP_sha256());
  MR_CHECK(context != nullptr);
  MR_CHECK(EVP_DigestUpdate(context.get(), text.data(), text.size()) == 1);
  return FinishSha256(context.get());
}

Sha256Digest Sha256(std::span<const SharedBytes> pieces) {
  const DigestContext context = Begin(EVP_sha256());
  MR_CHECK(context != nullptr);
  for (const SharedBytes& piece : pieces) {
    MR_CHECK(EVP_DigestUpdate(context.get(), piece.data(), piece.size()) == 1);
  }
  return FinishSha256(context.get());
}

Sha256Digest HmacSha256(std::span<const std::byte> key, std::string_view text) {
  Sha256Digest digest;
  unsigned int size = 0;
  const unsigned char* done =
      HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
           text.size(), reinterpret_cast<unsigned char*>(digest.data()), &size);
  MR_CHECK(done != nullptr);
  return digest;
}

std::string Md5Base64(std::string_view text) {
  const DigestContext context = Begin(EVP_md5());
  std::array<std::byte, 16> digest;
  if (!context || EVP_DigestUpdate(context.get(), text.data(), text.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr) != 1) {
    return {};
  }
  return ToBase64(digest);
}

std::string CrcBase64(std::uint32_t crc) {
  const std::byte bytes[] = {static_cast<std::byte>(crc >> 24), static_cast<std::byte>(crc >> 16),
                             static_cast<std::byte>(crc >> 8), static_cast<std::byte>(crc)};
  return ToBase64(bytes);
}

}  // namespace millrace
