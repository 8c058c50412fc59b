#include "http/http_body.h"

#include <algorithm>
#include <cstring>

namespace millrace {
namespace {

constexpr std::uint64_t kFirstBytes = 16 << 10;
constexpr std::uint64_t kBelievedBytes = 64 << 20;  // of a stated length, before as much has arrived

bool IsSized(const HttpRequest& request, int status) { return status / 100 == 2 && !request.part_lengths.empty(); }

}  // namespace

HttpBody::HttpBody(const HttpRequest& request, int status, std::optional<std::uint64_t> content_length)
    : sized_(IsSized(request, status)),
      one_part_(request.unsized_bytes_max),
      lengths_(sized_ ? request.part_lengths : std::span<const std::uint64_t>(&one_part_, 1)),
      expected_(content_length) {}

std::uint64_t HttpBody::PartLength() const { return lengths_[parts_.size()]; }

void HttpBody::Grow(std::uint64_t wanted) {
  std::uint64_t size = std::max({wanted, 2 * filled_, kFirstBytes});
  if (expected_) {
    const std::uint64_t to_come = *expected_ - std::min(*expected_, received_ - filled_);
    size = std::max(wanted, std::min(to_come, std::max(2 * filled_, kBelievedBytes)));
  }
  Buffer larger(std::min(size, PartLength()));
  if (filled_ > 0) std::memcpy(larger.bytes().data(), part_.bytes().data(), filled_);
  part_ = std::move(larger);
}

void HttpBody::ClosePart() {
  part_.Shrink(filled_);
  if (filled_ == 0) {
    parts_.emplace_back();
  } else {
    parts_.push_back(std::move(part_).Freeze());
  }
  part_ = Buffer();
  filled_ = 0;
}

bool HttpBody::Take(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    while (parts_.size() < lengths_.size() && filled_ == PartLength()) ClosePart();
    if (parts_.size() == lengths_.size()) {
      overlong_ = true;
      return false;
    }
    const std::uint64_t taken = std::min<std::uint64_t>(bytes.size(), PartLength() - filled_);
    if (filled_ + taken > part_.size()) Grow(filled_ + taken);
    std::memcpy(part_.bytes().data() + filled_, bytes.data(), taken);
    filled_ += taken;
    received_ += taken;
    bytes = bytes.subspan(taken);
  }
  return true;
}

void HttpBody::Finish(HttpResponse& response) {
  if (parts_.size() < lengths_.size()) ClosePart();
  parts_.resize(lengths_.size());
  response.parts = std::move(parts_);
  response.body_bytes = received_;
  response.overlong = overlong_;
}

}  // namespace millrace
