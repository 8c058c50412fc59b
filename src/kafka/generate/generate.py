#!/usr/bin/env python3
"""Makes the C++ of Kafka's messages out of their tables.

usage: generate.py SOURCE OUTPUT

Reads SOURCE/messages and SOURCE/error_codes.txt, SOURCE being src/kafka. Writes OUTPUT/kafka/messages/: codes.h, the error
codes; api_keys.h; a header for each table; one .cc for each folder of tables, with decoders and
encoders; all_messages.h, which visits the fields of every message, for tests. What it made goes by the conventions in
docs/kafka.md. A file that would not change is left alone.
"""
import os
import re
import sys
import textwrap

from code_table import codes_header, read_codes
from message_table import FIXED_BYTES, TableError, bytes_min, read_tables

WIDTH = 120
CPP_TYPES = {"bool": "bool", "int8": "std::int8_t", "int16": "std::int16_t", "uint16": "std::uint16_t", "int32": "std::int32_t",
             "int64": "std::int64_t", "float64": "double", "uuid": "Uuid", "string": "Text", "bytes": "Bytes", "records": "Records"}
CALLS = {"bool": "Bool", "int8": "Int8", "int16": "Int16", "uint16": "Uint16", "int32": "Int32", "int64": "Int64",
         "float64": "Float64", "uuid": "Id", "string": "String", "bytes": "ByteString", "records": "RecordBytes"}
INTEGERS = ("int8", "int16", "uint16", "int32", "int64", "float64")
ASKS_VERSION = re.compile(r"\bversion [<>=]")
NULLABLE_TYPES = {"Text": "NullableText", "Bytes": "NullableBytes"}
NULLABLE_CALLS = {"string": "NullableString", "bytes": "NullableByteString", "records": "NullableRecordBytes"}


def comment(text, indent="", mark="//"):
    lines = textwrap.wrap(text, WIDTH - len(indent) - len(mark) - 1)
    return [f"{indent}{mark} {line}" for line in lines]


def between(versions, api, subject="version"):
    """The C++ condition for `versions`: "" if it always holds, None if never."""
    versions = versions.within(api.versions)
    if versions.is_empty():
        return None
    above, below = versions.first > api.versions.first, versions.last < api.versions.last
    terms = [f"{subject} >= {versions.first}"] * above + [f"{subject} <= {versions.last}"] * below
    if above and below and versions.first == versions.last:
        terms = [f"{subject} == {versions.first}"]
    return " && ".join(terms)


def broken(statement, indent):
    """A statement on one line, or on two if that were too long."""
    if len(indent) + len(statement) <= WIDTH:
        return [indent + statement]
    left, _, right = statement.partition(" = ")
    return [f"{indent}{left} =", f"{indent}    {right}"]


def guarded(condition, statement):
    if not condition:
        return broken(statement, "  ")
    line = f"  if ({condition}) {statement}"
    return [line] if len(line) <= WIDTH else [f"  if ({condition}) {{", *broken(statement, "    "), "  }"]


def shown(versions, api):
    versions = versions.within(api.versions)
    if versions == api.versions:
        return ""
    if versions.last == api.versions.last:
        return f"v{versions.first}+"
    return f"v{versions.first}" if versions.first == versions.last else f"v{versions.first}–{versions.last}"


def structs_of(fields):
    """Every struct below `fields`, inner ones first: (type name, its fields, the field that has it)."""
    for field in fields:
        if field.is_struct():
            yield from structs_of(field.fields)
            yield field.type, field.fields, field


# ---- headers

def cpp_type(field):
    kind = CPP_TYPES.get(field.type, field.type)
    if field.array:
        return f"{'Nullable' if not field.null.is_empty() else ''}Array<{kind}>"
    if field.null.is_empty():
        return kind
    return NULLABLE_TYPES.get(kind, f"std::optional<{kind}>")


def initial_value(field):
    nullable, null = not field.null.is_empty(), field.default == "null"
    if field.array:
        return f" = Array<{CPP_TYPES.get(field.type, field.type)}>()" if nullable and not null else ""
    if field.type == "string":
        return ' = ""' if nullable and not null else ""
    if field.type not in INTEGERS:
        return f" = {field.default or 'false'}" if field.type == "bool" else ""
    lowest = {"-2147483648": "std::int32_t", "-9223372036854775808": "std::int64_t"}.get(field.default)
    return f" = std::numeric_limits<{lowest}>::min()" if lowest else f" = {field.default or 0}"


def member(field, api, indent):
    said = [shown(field.versions, api)] if shown(field.versions, api) else []
    if field.tag is not None:
        said.append(f"tag {field.tag}")
    if not field.null.is_empty():
        null = field.null.within(field.versions)
        said.append("may be null" + ("" if null == field.versions else f" in {shown(null, api)}"))
    meaning = (", ".join(said) + ": " if said else "") + field.meaning
    declaration = f"{indent}{cpp_type(field)} {field.name}{initial_value(field)};"
    if len(declaration) + len(meaning) + 5 <= WIDTH:
        return [f"{declaration}  // {meaning}"]
    return comment(meaning, indent) + [declaration]


def struct_body(fields, api, indent):
    return [line for field in fields for line in member(field, api, indent)]


def message_struct(message, api):
    lines = [f"struct {message.name} {{", f"  static constexpr std::string_view kName = \"{message.name}\";",
             f"  static constexpr std::int16_t kApiKey = {api.key};",
             f"  static constexpr VersionRange kVersions{{{api.versions.first}, {api.versions.last}}};",
             f"  static constexpr std::int16_t kFirstFlexible = {api.flexible};", ""]
    for name, fields, owner in structs_of(message.fields):
        lines += [f"  struct {name} {{"] + struct_body(fields, api, "    ")
        if owner.tag is not None and not owner.array:
            lines += ["", f"    friend bool operator==(const {name}&, const {name}&) = default;"]
        lines += ["  };", ""]
    lines += struct_body(message.fields, api, "  ")
    lines += ["};", "", f"void Read(WireReader& in, {message.name}& out);", f"void Write(WireWriter& out, const {message.name}& in);", ""]
    return lines


def header(api):
    lines = [f"// {remark}".rstrip() for remark in api.remarks]
    lines += [f"// Made from src/kafka/messages/{api.path}.txt.", "#pragma once", "", "#include <cstdint>", "#include <limits>",
              "#include <optional>", "#include <string_view>", "", '#include "kafka/wire_types.h"', "",
              "namespace millrace::kafka {", "", "class WireReader;", "class WireWriter;", ""]
    for message in api.messages:
        lines += message_struct(message, api)
    return lines + ["}  // namespace millrace::kafka"]


# ---- decoders

def may_be_null(field, api):
    """The C++ condition, where the field is there at all."""
    return "true" if field.null.within(field.versions) == field.versions else between(field.null, api)


def read_value(field, api, path):
    name = f'"{path}{field.name}"'
    null = not field.null.is_empty()
    if field.array:
        kind = CPP_TYPES.get(field.type) or f"{api.current}::{field.type}"
        smallest = bytes_min(field.fields, api.api) if field.is_struct() else FIXED_BYTES.get(field.type, 1)
        if null:
            return f"in.NullableElements<{kind}>({name}, {smallest}, {may_be_null(field, api.api)})"
        return f"in.Elements<{kind}>({name}, {smallest})"
    if field.is_struct():
        return f"in.NullableStruct<{api.current}::{field.type}>({name}, {may_be_null(field, api.api)})" if null else None
    if null:
        return f"in.{NULLABLE_CALLS[field.type]}({name}, {may_be_null(field, api.api)})"
    return f"in.{CALLS[field.type]}({name})"


class Scope:
    """The message that is being written out."""

    def __init__(self, api, message):
        self.api, self.current = api, message.name


def read_statement(field, scope, path):
    value = read_value(field, scope, path)
    return f"out.{field.name} = {value};" if value else f"Read(in, out.{field.name});"


def read_body(fields, scope, path):
    lines = []
    for field in fields:
        if field.tag is None:
            lines += guarded(between(field.versions, scope.api), read_statement(field, scope, path))
    tagged = [field for field in fields if field.tag is not None]
    if not tagged:
        return lines + [f'  in.Tags("{path}tags");']
    lines += [f'  in.Tags("{path}tags", [&](std::uint32_t tag) {{', "    switch (tag) {"]
    for field in tagged:
        lines.append(f"      case {field.tag}:")
        if field.versions.first > scope.api.flexible:
            lines.append(f"        if (version < {field.versions.first}) return false;")
        lines += [*broken(read_statement(field, scope, path), "        "), "        return true;"]
    return lines + ["      default:", "        return false;", "    }", "  });"]


# ---- encoders

def write_statement(field, scope):
    name = f"in.{field.name}"
    null = not field.null.is_empty()
    if field.array:
        kind = CPP_TYPES.get(field.type) or f"{scope.current}::{field.type}"
        return f"out.NullableElements<{kind}>({name}, {may_be_null(field, scope.api)});" if null else f"out.Elements<{kind}>({name});"
    if field.is_struct():
        return f"out.NullableStruct({name}, {may_be_null(field, scope.api)});" if null else f"Write(out, {name});"
    if null:
        return f"out.{NULLABLE_CALLS[field.type]}({name}, {may_be_null(field, scope.api)});"
    return f"out.{CALLS[field.type]}({name});"


def is_set(field, scope):
    """The C++ condition under which a tagged field is not what it is by default."""
    name = f"in.{field.name}"
    if not field.null.is_empty():
        return f"{name}.has_value()" if field.default == "null" else f"!({name}.has_value() && {name}->empty())"
    if field.array or field.type in ("string", "bytes"):
        return f"!{name}.empty()"
    if field.is_struct():
        return f"{name} != {scope.current}::{field.type}()"
    if field.type == "uuid":
        return f"{name} != Uuid()"
    if field.type == "bool":
        return f"!{name}" if field.default == "true" else name
    return f"{name} != {field.default or 0}"


def write_body(fields, scope):
    lines = []
    for field in fields:
        if field.tag is None:
            lines += guarded(between(field.versions, scope.api), write_statement(field, scope))
    tagged = sorted((field for field in fields if field.tag is not None), key=lambda field: field.tag)
    lines.append("  TagWriter tags(out);")
    for field in tagged:
        condition = between(field.versions, scope.api)
        lines += [f"  if ({condition + ' && ' if condition else ''}{is_set(field, scope)}) {{", f"    tags.Begin({field.tag});",
                  f"    {write_statement(field, scope)}", "    tags.End();", "  }"]
    return lines


def functions(name, linkage, fields, scope, path):
    read, write = read_body(fields, scope, path), write_body(fields, scope)
    for signature, body, stream in ((f"{linkage}void Read(WireReader& in, {name}& out)", read, "in"),
                                    (f"{linkage}void Write(WireWriter& out, const {name}& in)", write, "out")):
        uses = any(ASKS_VERSION.search(line) for line in body)
        yield [signature + " {"] + [f"  const std::int16_t version = {stream}.version();"] * uses + body + ["}", ""]


def paths_of(fields, path=""):
    for field in fields:
        if field.is_struct():
            yield from paths_of(field.fields, f"{path}{field.name}.")
            yield field.type, f"{path}{field.name}."


def codec(apis, unit):
    lines = [f"// Decoders and encoders of the messages in src/kafka/messages/{unit}. Made from the tables there.", "#include <cstdint>", ""]
    lines += [f'#include "kafka/messages/{api.header()}.h"' for api in sorted(apis, key=lambda api: api.header())]
    lines += ['#include "kafka/wire_reader.h"', '#include "kafka/wire_writer.h"', "", "namespace millrace::kafka {", ""]
    for api in apis:
        for message in api.messages:
            scope, paths = Scope(api, message), dict(paths_of(message.fields))
            for name, fields, _ in structs_of(message.fields):
                for function in functions(f"{message.name}::{name}", "static ", fields, scope, paths[name]):
                    lines += function
            for function in functions(message.name, "", message.fields, scope, ""):
                lines += function
    return lines + ["}  // namespace millrace::kafka"]


# ---- what knows all tables

def api_keys(apis):
    lines = ["// Every API that has a table. Made from src/kafka/messages.", "#pragma once", "", "#include <array>", "#include <cstdint>",
             "#include <string_view>", "", '#include "kafka/wire_types.h"', "", "namespace millrace::kafka {", "",
             "enum class ApiKey : std::int16_t {"]
    lines += [f"  k{api.name} = {api.key}," for api in apis]
    lines += ["};", "", "/// What a table can read and write. Which of it is served is in kafka/api_ranges.h.", "struct ApiTable {",
              "  ApiKey key;", "  std::string_view name;", "  VersionRange versions;", "  std::int16_t first_flexible;", "};", "",
              f"inline constexpr std::array<ApiTable, {len(apis)}> kApiTables{{{{"]
    lines += [f'    {{ApiKey::k{api.name}, "{api.name}", {{{api.versions.first}, {api.versions.last}}}, {api.flexible}}},' for api in apis]
    return lines + ["}};", "", "}  // namespace millrace::kafka"]


def visit_function(name, fields, api):
    lines = [f"template <class Visitor, SameAs<{name}> Message>", "void VisitFields(Visitor& visit, Message& message) {"]
    for field in fields:
        lines += [f'  visit("{field.name}", {{{field.versions.first}, {field.versions.last}}}, '
                  f"{{{field.null.first}, {field.null.last}}}, message.{field.name});"]
    return lines + ["}", ""]


def all_messages(apis):
    names = [message.name for api in apis for message in api.messages]
    lines = ["// Visits the fields of every message: visit(name, versions in which it is there, those in which it may be null, field).",
             "// For tests. Made from src/kafka/messages.", "#pragma once", "", "#include <concepts>", "#include <tuple>",
             "#include <type_traits>", ""]
    lines += sorted(f'#include "kafka/messages/{api.header()}.h"' for api in apis)
    lines += ["", "namespace millrace::kafka {", "", "template <class Message, class Wanted>",
              "concept SameAs = std::same_as<std::remove_const_t<Message>, Wanted>;", "", "using AllMessages =",
              "    std::tuple<" + (",\n" + " " * 15).join(names) + ">;", ""]
    for api in apis:
        for message in api.messages:
            for name, fields, _ in structs_of(message.fields):
                lines += visit_function(f"{message.name}::{name}", fields, api)
            lines += visit_function(message.name, message.fields, api)
    return lines + ["}  // namespace millrace::kafka"]


def write(path, lines):
    text = "\n".join(lines).rstrip() + "\n"
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        apis = read_tables(os.path.join(sys.argv[1], "messages"))
        with open(os.path.join(sys.argv[1], "error_codes.txt"), encoding="utf-8") as file:
            codes = read_codes(file.read())
    except (TableError, ValueError) as error:
        sys.exit(f"generate.py: {error}")
    output = os.path.join(sys.argv[2], "kafka/messages")
    os.makedirs(output, exist_ok=True)
    write(os.path.join(output, "codes.h"), codes_header(codes))
    write(os.path.join(output, "api_keys.h"), api_keys(apis))
    write(os.path.join(output, "all_messages.h"), all_messages(apis))
    for api in apis:
        write(os.path.join(output, api.header() + ".h"), header(api))
    for unit in sorted({api.unit() for api in apis}):
        write(os.path.join(output, unit + ".cc"), codec([api for api in apis if api.unit() == unit], unit))


if __name__ == "__main__":
    main()
