// Whole messages in and out of frames. The messages themselves are made from the tables in kafka/messages; what they
// look like is in docs/kafka.md. A frame here is without the four bytes of its size when it comes, and with them when
// it goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/try.h"
#include "kafka/arena.h"
#include "kafka/wire_reader.h"
#include "kafka/wire_types.h"
#include "kafka/wire_writer.h"
#include "millrace/result.h"

namespace millrace::kafka {

/// What stands before the body of every request. The client's id is a view into the frame.
struct RequestHeader {
  std::int16_t api_key = 0;
  std::int16_t api_version = 0;
  std::int32_t correlation_id = 0;
  NullableText client_id;
};

/// Reads a request's header and leaves `in` at its body. kUnsupported, with what was read as the message, for an API
/// without a table: its header may have either form, so nothing behind the correlation id can be trusted.
Result<RequestHeader> ReadRequestHeader(WireReader& in);

/// kUnsupported for a version that the table of `message` does not have.
Result<void> CheckVersion(std::string_view message, std::int16_t version, VersionRange versions);

template <class Message>
constexpr bool IsFlexible(std::int16_t version) {
  return version >= Message::kFirstFlexible;
}

/// Reads one message from where `in` stands. Bytes behind it are left alone, as Kafka leaves them.
/// Errors: kUnsupported (version), kCorruption (names message, version, field and byte). Cost: no copy; the arrays are
/// in the reader's arena.
template <class Message>
Result<Message> Decode(WireReader& in, std::int16_t version) {
  MR_TRY(CheckVersion(Message::kName, version, Message::kVersions));
  in.SetForm({.message = Message::kName, .version = version, .flexible = IsFlexible<Message>(version)});
  Message message;
  Read(in, message);
  MR_TRY(in.Finish());
  return message;
}

/// Reads a response's frame: its header, which must have `correlation_id`, and its body.
template <class Message>
Result<Message> DecodeResponse(WireReader& in, std::int16_t version, std::int32_t correlation_id);

/// The frame of a request, its size first. Precondition: the table has the version.
template <class Message>
WireSlices EncodeRequest(const Message& message, std::int16_t version, std::int32_t correlation_id,
                         NullableText client_id);

/// The frame of a response, its size first. Precondition: the table has the version.
template <class Message>
WireSlices EncodeResponse(const Message& message, std::int16_t version, std::int32_t correlation_id);

namespace frame {

inline constexpr std::int16_t kApiVersionsKey = 18;  // whose response header never has tags

Result<void> ReadResponseHeader(WireReader& in, std::string_view message, bool flexible, std::int32_t correlation_id);
void WriteRequestHeader(WireWriter& out, const RequestHeader& header, bool flexible);
void WriteResponseHeader(WireWriter& out, std::int32_t correlation_id, bool flexible);
WireSlices Finish(WireWriter& out);

template <class Message>
constexpr bool HasFlexibleResponseHeader(std::int16_t version) {
  return IsFlexible<Message>(version) && Message::kApiKey != kApiVersionsKey;
}

}  // namespace frame

template <class Message>
Result<Message> DecodeResponse(WireReader& in, std::int16_t version, std::int32_t correlation_id) {
  MR_TRY(frame::ReadResponseHeader(in, Message::kName, frame::HasFlexibleResponseHeader<Message>(version),
                                   correlation_id));
  return Decode<Message>(in, version);
}

template <class Message>
WireSlices EncodeRequest(const Message& message, std::int16_t version, std::int32_t correlation_id,
                         NullableText client_id) {
  WireWriter out(version, IsFlexible<Message>(version));
  frame::WriteRequestHeader(out, {Message::kApiKey, version, correlation_id, client_id}, IsFlexible<Message>(version));
  Write(out, message);
  return frame::Finish(out);
}

template <class Message>
WireSlices EncodeResponse(const Message& message, std::int16_t version, std::int32_t correlation_id) {
  WireWriter out(version, IsFlexible<Message>(version));
  frame::WriteResponseHeader(out, correlation_id, frame::HasFlexibleResponseHeader<Message>(version));
  Write(out, message);
  return frame::Finish(out);
}

}  // namespace millrace::kafka
