"""Reads src/kafka/error_codes.txt and makes C++ of it."""
import re
import typing

TITLES = ["code", "name", "retry", "ours", "meaning"]
ROW = re.compile(r"^ *(-?\d+) +([A-Z_]+) +(retry|-) +(k[A-Za-z]+|-) +(\S.*)$")


class Code(typing.NamedTuple):
    code: int
    name: str  # as Kafka has it: OFFSET_OUT_OF_RANGE
    retriable: bool
    ours: str  # an ErrorCode
    meaning: str

    def constant(self):
        return "k" + "".join(word.capitalize() for word in self.name.split("_"))


def read_codes(text):
    """The rows, in order; raises ValueError with the line that is none."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    if not lines or lines[0].split() != TITLES:
        raise ValueError("error_codes.txt: the titles are missing")
    codes = []
    for line in lines[1:]:
        match = ROW.match(line)
        if not match:
            raise ValueError(f"error_codes.txt: no row: {line}")
        code, name, retry, ours, meaning = match.groups()
        codes.append(Code(int(code), name, retry == "retry", ours if ours != "-" else "kInternal", meaning))
    return codes


def codes_header(codes):
    lines = ["// Kafka's error codes. Made from src/kafka/error_codes.txt.", "#pragma once", "", "#include <array>", "#include <cstdint>",
             "#include <string_view>", "", '#include "millrace/result.h"', "", "namespace millrace::kafka {", "",
             "/// As messages carry them, in fields named error_code. What they mean stands below.", "namespace code {", ""]
    lines += [f"inline constexpr std::int16_t {code.constant()} = {code.code};" for code in codes]
    lines += ["", "}  // namespace code", "", "struct CodeRow {", "  std::int16_t code;", "  std::string_view name;",
              "  bool retriable;  // clients try again", "  ErrorCode ours;  // what it is to a caller of Millrace",
              "  std::string_view meaning;", "};", "", f"inline constexpr std::array<CodeRow, {len(codes)}> kCodeRows{{{{"]
    for code in codes:
        lines += [f'    {{code::{code.constant()}, "{code.name}", {str(code.retriable).lower()}, ErrorCode::{code.ours},',
                  f'     "{code.meaning}"}},']
    return lines + ["}};", "", "}  // namespace millrace::kafka"]
