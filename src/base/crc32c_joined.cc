// A CRC's register is a polynomial over GF(2), bits reversed: bit 31 is the coefficient of x^0. `n` bytes more multiply
// it by x^(8n), and what the bytes themselves add is the other CRC.
#include <array>

#include "base/crc32c.h"

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

// powers[k][n] = x^(8 n 256^k): what n 256^k bytes multiply by.
constexpr Powers MakePowers() {
  Powers powers{};
  std::uint32_t step = kOne >> 8;
  for (auto& row : powers) {
    row[0] = kOne;
    for (std::size_t n = 1; n < row.size(); ++n) row[n] = Product(row[n - 1], step);
    step = Product(row[255], step);
  }
  return powers;
}

constexpr Powers kPowers = MakePowers();

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

}  // namespace

std::uint32_t Crc32cJoined(std::uint32_t first, std::uint32_t second, std::uint64_t second_bytes) {
  return Product(first, Shift(second_bytes)) ^ second;
}

}  // namespace millrace
