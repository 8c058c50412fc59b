// A message of the product's codec as the frame of a request, and the answer to one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bench/harness/opened_engine.h"
#include "kafka/message.h"
#include "millrace/bytes.h"

namespace millrace::bench {

/// Of every request: its connection has no other that is not answered, or all of them have the same kind of answer.
inline constexpr std::int32_t kCorrelation = 1;

template <class Request>
std::string FrameOf(const Request& request, std::int16_t version) {
  std::string frame;
  for (const SharedBytes& slice : kafka::EncodeRequest(request, version, kCorrelation, "bench")) frame += AsText(slice);
  return frame;
}

/// What it says, as views into `answer` and `arena`; ends the program if it cannot be read.
template <class Response>
Response Answered(std::string_view answer, std::int16_t version, kafka::Arena& arena) {
  kafka::WireReader in(AsBytes(answer), arena);
  return OrDie(kafka::DecodeResponse<Response>(in, version, kCorrelation), "an answer");
}

}  // namespace millrace::bench
