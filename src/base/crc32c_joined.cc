// A CRC's register is a polynomial over GF(2), bits reversed: bit 31 is the coefficient of x^0. `n` bytes more multiply
// it by x^(8n), and what the bytes themselves add is the other CRC.
//
// Two processor instructions multiply: the product of two registers without carries, taken as a message of 8 bytes, has
// the CRC left * right * x^33. So the factors of that way are kept divided by x^33.
#include <array>

#include "base/crc32c.h"
#include "base/crc32c_portable.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
#endif

namespace millrace {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // Castagnoli, bits reversed
constexpr std::uint32_t kOne = 1u << 31;

/// Modulo the polynomial.
constexpr std::uint32_t Product(std::uint32_t left, std::uint32_t right) {
  std::uint32_t product = 0;
  for (int power = 31; power >= 0; --power) {
    product ^= right & (0 - ((left >> power) & 1));
    right = (right >> 1) ^ (kPolynomial & (0 - (right & 1)));  // times x
  }
  return product;
}

using Powers = std::array<std::array<std::uint32_t, 256>, 3>;

// powers[k][n] = x^(8 n 256^k) * times: what n 256^k bytes multiply by.
constexpr Powers MakePowers(std::uint32_t times) {
  Powers powers{};
  std::uint32_t step = kOne >> 8;
  for (auto& row : powers) {
    std::uint32_t power = kOne;
    for (std::uint32_t& entry : row) {
      entry = Product(power, times);
      power = Product(power, step);
    }
    step = power;
  }
  return powers;
}

constexpr Powers kPowers = MakePowers(kOne);

/// x^(8 bytes).
std::uint32_t Shift(std::uint64_t bytes) {
  std::uint32_t shift =
      Product(Product(kPowers[0][bytes & 255], kPowers[1][bytes >> 8 & 255]), kPowers[2][bytes >> 16 & 255]);
  std::uint32_t step = Product(kPowers[2][255], kPowers[2][1]);  // of 2^24 bytes
  for (bytes >>= 24; bytes != 0; bytes >>= 1) {
    if ((bytes & 1) != 0) shift = Product(shift, step);
    step = Product(step, step);
  }
  return shift;
}

/// Times x^(8 bytes).
std::uint32_t ShiftedBySteps(std::uint32_t crc, std::uint64_t bytes) { return Product(crc, Shift(bytes)); }

#if defined(__x86_64__)
/// 1 / x^33.
constexpr std::uint32_t InverseOfSurplus() {
  std::uint32_t inverse = kOne;
  for (int i = 0; i < 33; ++i) inverse = (inverse & kOne) != 0 ? (inverse ^ kPolynomial) << 1 | 1 : inverse << 1;
  return inverse;
}

constexpr Powers kPowersLessSurplus = MakePowers(InverseOfSurplus());

__attribute__((target("sse4.2,pclmul"))) std::uint32_t ShiftedByInstructions(std::uint32_t crc, std::uint64_t bytes) {
  if (bytes >> 24 != 0) crc = ShiftedBySteps(crc, bytes >> 24 << 24);
  for (const auto& row : kPowersLessSurplus) {
    const std::uint64_t digit = bytes & 255;
    bytes >>= 8;
    if (digit == 0) continue;
    const __m128i left = _mm_cvtsi32_si128(static_cast<int>(crc));
    const __m128i right = _mm_cvtsi32_si128(static_cast<int>(row[digit]));
    const __m128i product = _mm_clmulepi64_si128(left, right, 0);
    crc = static_cast<std::uint32_t>(_mm_crc32_u64(0, static_cast<std::uint64_t>(_mm_cvtsi128_si64(product))));
  }
  return crc;
}
#endif

struct Way {
  std::uint32_t (*shifted)(std::uint32_t, std::uint64_t);
  std::size_t pays_from;
};

Way ChooseWay() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
    return {.shifted = &ShiftedByInstructions, .pays_from = 512};
#endif
  return {.shifted = &ShiftedBySteps, .pays_from = 16 << 10};
}

const Way& ChosenWay() {
  static const Way way = ChooseWay();
  return way;
}

}  // namespace

std::uint32_t Crc32cJoined(std::uint32_t first, std::uint32_t second, std::uint64_t second_bytes) {
  return ChosenWay().shifted(first, second_bytes) ^ second;
}

std::uint32_t Crc32cJoinedPortable(std::uint32_t first, std::uint32_t second, std::uint64_t second_bytes) {
  return ShiftedBySteps(first, second_bytes) ^ second;
}

std::size_t Crc32cJoiningPaysFrom() { return ChosenWay().pays_from; }

}  // namespace millrace
