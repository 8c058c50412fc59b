// What `inspect` shows: pieces of a file in the order of their bytes, every field of each, and what is damaged.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace {

/// [begin, end) of the file.
struct FileRange {
  std::uint64_t begin = 0, end = 0;
};

/// One piece: a header, a frame, a block, a batch, a record.
struct InspectedPiece {
  std::string_view kind;
  FileRange range;

  struct Field {
    std::string_view name;
    std::string text;      // as both forms show it
    bool is_text = false;  // quoted in JSON
  };
  std::vector<Field> fields;

  InspectedPiece& Number(std::string_view name, std::integral auto value) {
    fields.push_back({name, std::to_string(value), false});
    return *this;
  }
  InspectedPiece& Text(std::string_view name, std::string_view value) {
    fields.push_back({name, std::string(value), true});
    return *this;
  }
  /// Eight hexadecimal digits.
  InspectedPiece& Crc(std::string_view name, std::uint32_t value);
};

/// Writes as it is told, whole lines or pieces of a document; holds only the damage, which comes again at the end.
class InspectionReport {
 public:
  enum class Form { kText, kJson };
  using Write = std::function<void(std::string_view text)>;
  InspectionReport(Write write, Form form) : write_(std::move(write)), form_(form) {}

  void Begin(std::string_view kind, std::string_view path, std::uint64_t size_bytes);
  /// `depth` indents in the text: a record stands in its batch.
  void Piece(const InspectedPiece& piece, std::size_t depth = 0);
  void Damage(FileRange range, std::string_view reason);
  void End();
  [[nodiscard]] std::size_t damage_count() const { return damage_.size(); }
  struct Damaged {
    FileRange range;
    std::string reason;
  };
  [[nodiscard]] const std::vector<Damaged>& damage() const { return damage_; }

 private:
  const Write write_;
  const Form form_;
  bool first_piece_ = true;
  std::string piece_;  // as it is written, kept for its memory
  std::vector<Damaged> damage_;
};

}  // namespace millrace
