// For tests of all messages at once: visits each at each version of its table, fills its fields, writes it out as text.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "kafka/arena.h"
#include "kafka/message.h"
#include "kafka/messages/all_messages.h"
#include "kafka/wire_reader.h"
#include "kafka/wire_writer.h"

namespace millrace::kafka {

template <class T>
constexpr bool kIsArray = false;
template <class T>
constexpr bool kIsArray<std::span<const T>> = true;
template <>
inline constexpr bool kIsArray<Bytes> = false;

template <class T>
constexpr bool kMayBeNull = false;
template <class T>
constexpr bool kMayBeNull<Nullable<T>> = true;
template <class T>
constexpr bool kMayBeNull<std::optional<T>> = true;

/// Calls `test(Message{}, version)` for every message at every version of its table.
template <class Test>
void ForEachMessage(Test&& test) {
  const auto all_versions = [&]<class Message>(const Message& message) {
    for (std::int16_t version = Message::kVersions.first; version <= Message::kVersions.last; ++version) {
      test(message, version);
    }
  };
  std::apply([&](const auto&... message) { (all_versions(message), ...); }, AllMessages());
}

enum class Filling {
  kSet,   // every field differs from its default; arrays have two elements
  kNull,  // what may be null in this version is, arrays have one element
};

/// Gives every field of a message a value, also those that the version does not have.
class Filler {
 public:
  Filler(Arena& arena, std::int16_t version, Filling filling) : arena_(arena), version_(version), filling_(filling) {}

  template <class T>
  void operator()(const char*, VersionRange, VersionRange null, T& field) {
    Set(field, filling_ == Filling::kNull && null.Contains(version_));
  }

 private:
  template <class T>
  void Set(T& field, bool as_null = false) {
    ++count_;
    if constexpr (kMayBeNull<T>) {
      if (as_null) {
        field = std::nullopt;
        return;
      }
      std::remove_cvref_t<decltype(*field)> value;
      Set(value);
      field = value;
    } else if constexpr (std::is_same_v<T, bool>) {
      field = !field;
    } else if constexpr (std::is_arithmetic_v<T>) {
      field = static_cast<T>(static_cast<std::uint32_t>(count_) * 16777619U);
    } else if constexpr (std::is_same_v<T, Text>) {
      field = Letters(count_ % 40);
    } else if constexpr (std::is_same_v<T, Bytes>) {
      field = AsBytes(Letters(count_ % 40));
    } else if constexpr (std::is_same_v<T, Records>) {
      field.view = AsBytes(Letters(200));
    } else if constexpr (std::is_same_v<T, Uuid>) {
      field.bytes.fill(static_cast<std::byte>(count_ | 1));
    } else if constexpr (kIsArray<T>) {
      auto elements = arena_.New<std::remove_const_t<typename T::element_type>>(filling_ == Filling::kSet ? 2 : 1);
      for (auto& element : elements) Set(element);
      field = elements;
    } else {
      VisitFields(*this, field);
    }
  }
  Text Letters(int count) {
    auto letters = arena_.New<char>(static_cast<std::size_t>(count) + 1);
    for (char& letter : letters) letter = static_cast<char>('a' + (&letter - letters.data() + count_) % 26);
    return {letters.data(), letters.size()};
  }

  Arena& arena_;
  std::int16_t version_;
  Filling filling_;
  int count_ = 0;
};

template <class Message>
Message Filled(Arena& arena, std::int16_t version, Filling filling = Filling::kSet) {
  Message message;
  Filler filler(arena, version, filling);
  VisitFields(filler, message);
  return message;
}

/// The fields that a version has, as text: what must come back from a round trip.
class FieldDump {
 public:
  explicit FieldDump(std::int16_t version) : version_(version) {}

  template <class T>
  void operator()(const char* name, VersionRange versions, VersionRange, const T& field) {
    if (!versions.Contains(version_)) return;
    text_ += std::string(depth_, ' ') + name + ": ";
    Add(field);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  template <class T>
  void Add(const T& field) {
    if constexpr (kMayBeNull<T>) {
      if (field.has_value()) return Add(*field);
      text_ += "null\n";
    } else if constexpr (std::is_arithmetic_v<T>) {
      text_ += std::to_string(field) + '\n';
    } else if constexpr (std::is_same_v<T, Text>) {
      text_ += '"' + std::string(field) + "\"\n";
    } else if constexpr (std::is_same_v<T, Bytes>) {
      Add(AsText(field));
    } else if constexpr (std::is_same_v<T, Records>) {
      Add(field.view);
    } else if constexpr (std::is_same_v<T, Uuid>) {
      for (const std::byte byte : field.bytes) text_ += std::to_string(std::to_integer<int>(byte)) + ' ';
      text_ += '\n';
    } else if constexpr (kIsArray<T>) {
      text_ += std::to_string(field.size()) + " elements\n";
      depth_ += 2;
      for (const auto& element : field) Add(element);
      depth_ -= 2;
    } else {
      text_ += '\n';
      depth_ += 2;
      VisitFields(*this, field);
      depth_ -= 2;
    }
  }

  std::int16_t version_;
  std::size_t depth_ = 0;
  std::string text_;
};

template <class Message>
std::string Dump(const Message& message, std::int16_t version) {
  FieldDump dump(version);
  VisitFields(dump, message);
  return dump.text();
}

/// The slices of a frame in one piece.
inline std::vector<std::byte> Joined(const WireSlices& slices) {
  std::vector<std::byte> bytes;
  for (const SharedBytes& slice : slices) bytes.insert(bytes.end(), slice.bytes().begin(), slice.bytes().end());
  return bytes;
}

/// A message alone, without size and header.
template <class Message>
std::vector<std::byte> Body(const Message& message, std::int16_t version) {
  WireWriter out(version, IsFlexible<Message>(version));
  Write(out, message);
  return Joined(out.Finish());
}

}  // namespace millrace::kafka
