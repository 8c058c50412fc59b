// -f: a line for a record, from a pattern of letters and plain text. The same letters make and read lines.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "millrace/record.h"
#include "millrace/result.h"

namespace millrace {

/// %t topic, %p partition, %o offset, %T timestamp in ms, %k key, %v value, %h headers (a=1,b=2), %K and %V lengths (-1
/// for null), %% a percent sign; \n \t \r \0 \\ \xNN in plain text. A null key or value prints nothing.
class RecordFormat {
 public:
  /// kInvalidArgument names the letter or escape that is not known.
  static Result<RecordFormat> Parse(std::string_view pattern);

  void Append(std::string& out, const TopicPartition& partition, const RecordView& record) const;

  struct Piece {
    char letter = 0;   // 0: plain text
    std::string text;  // of plain text
  };
  [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }

 private:
  std::vector<Piece> pieces_;
};

}  // namespace millrace
