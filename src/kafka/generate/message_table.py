"""Reads the message tables of src/kafka/messages; their grammar is in docs/kafka.md. Refuses what does not fit, by file and line."""
import os
import re
import typing

FIXED_BYTES = {"bool": 1, "int8": 1, "int16": 2, "uint16": 2, "int32": 4, "int64": 8, "float64": 8, "uuid": 16}
LENGTH_BYTES = {"string": 2, "bytes": 4, "records": 4}  # in the inflexible form; 1 in the flexible one
HEAD = re.compile(r"^(api|key|versions|flexible) +(\S+)$")
SECTION = re.compile(r"^(request|response) +type +versions +null +tag +default +meaning$")
ROW = re.compile(r"^((?:  )+)([a-z][a-z0-9_]*) +(\S+) +(\S+) +(\S+) +(\S+) +(\S+) +(\S.*)$")
VERSIONS = re.compile(r"^(\d+)(?:-(\d+)|(\+))?$")
INTEGER = re.compile(r"^-?\d+$")
LATEST = 32767


class TableError(Exception):
    pass


class Versions(typing.NamedTuple):
    """Both ends included; NO_VERSION if there is none."""
    first: int
    last: int

    def __contains__(self, version):
        return self.first <= version <= self.last

    def within(self, other):
        both = Versions(max(self.first, other.first), min(self.last, other.last))
        return NO_VERSION if both.is_empty() else both

    def is_empty(self):
        return self.last < self.first


NO_VERSION = Versions(0, -1)


class Field(typing.NamedTuple):
    name: str
    type: str  # of an element, if it is an array
    array: bool
    versions: Versions
    null: Versions
    tag: int  # or None
    default: str  # or None: zero, empty or false
    meaning: str
    fields: list  # of a struct

    def is_struct(self):
        return self.type[0].isupper()


class Message(typing.NamedTuple):
    name: str  # MetadataRequest
    fields: list


class Api(typing.NamedTuple):
    name: str  # Metadata
    key: int
    versions: Versions
    flexible: int  # the first version that is
    remarks: list  # the lines at the head of the table
    path: str  # below src/kafka/messages, without .txt: cluster/metadata
    messages: list  # request, response

    def unit(self):
        return os.path.dirname(self.path)

    def header(self):
        return os.path.basename(self.path)


def read_versions(text):
    if text == "-":
        return NO_VERSION
    match = VERSIONS.match(text)
    if not match:
        raise TableError(f"{text} is no range of versions")
    first, last, on = match.groups()
    return Versions(int(first), LATEST if on else int(last or first))


def read_flexible(text):
    """The first flexible version; one past all others if there is none."""
    return LATEST if text == "none" else read_versions(text).first


def read_row(match, api):
    _, name, kind, versions, null, tag, default, meaning = match.groups()
    array = kind.startswith("[]")
    kind = kind.removeprefix("[]")
    if kind not in FIXED_BYTES and kind not in LENGTH_BYTES and not kind[0].isupper():
        raise TableError(f"there is no type {kind}")
    field = Field(name, kind, array, read_versions(versions).within(api["versions"]), read_versions(null).within(api["versions"]),
                  None if tag == "-" else int(tag), None if default == "-" else default, meaning, [])
    check_field(field, api)
    return field


def check_field(field, api):
    if field.versions.is_empty():
        raise TableError(f"{field.name} is in no version")
    if not field.null.is_empty() and not field.array and field.type in FIXED_BYTES:
        raise TableError(f"{field.name} cannot be null")
    if field.tag is not None and (field.versions.first < api["flexible"] or field.versions.last != api["versions"].last):
        raise TableError(f"{field.name} has a tag where tags are not known")
    if field.tag is not None and field.type == "records":
        raise TableError(f"{field.name}: records have no tag")
    if field.default == "null" and field.null.is_empty():
        raise TableError(f"{field.name} is never null")
    if field.default in ("true", "false") and field.type != "bool" or field.default not in (None, "null", "true", "false") and (
            field.array or not INTEGER.match(field.default) or not field.type.startswith(("int", "uint"))):
        raise TableError(f"{field.name} cannot be {field.default}")


def read_lines(lines, path):
    """An Api from the lines of a table; raises TableError without the place."""
    api, remarks, messages = {}, [], []
    open_fields = []  # the list of each depth
    for number, line in enumerate(lines, 1):
        try:
            if not line or line.startswith("#"):
                if line and not api:
                    remarks.append(line[1:].strip())
                continue
            if match := HEAD.match(line):
                word, value = match.groups()
                api[word] = {"api": str, "key": int, "versions": read_versions, "flexible": read_flexible}[word](value)
            elif match := SECTION.match(line):
                messages.append(Message(api["api"] + match[1].capitalize(), []))
                open_fields = [messages[-1].fields]
            elif match := ROW.match(line):
                depth = len(match[1]) // 2
                if depth > len(open_fields):
                    raise TableError("it is indented below a field that is no struct")
                del open_fields[depth:]
                field = read_row(match, api)
                open_fields[-1].append(field)
                if field.is_struct():
                    open_fields.append(field.fields)
            else:
                raise TableError("it is neither a heading nor a field with its seven columns")
        except TableError as error:
            raise TableError(f"{path}:{number}: {error}") from None
    if set(api) != {"api", "key", "versions", "flexible"} or len(messages) != 2:
        raise TableError(f"{path}: a table has api, key, versions, flexible, a request and a response")
    return Api(api["api"], api["key"], api["versions"], api["flexible"], remarks, path, messages)


def read_tables(folder):
    """All tables below `folder`, by key."""
    apis = []
    for root, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".txt"):
                path = os.path.join(root, name)
                with open(path, encoding="utf-8") as file:
                    apis.append(read_lines(file.read().splitlines(), os.path.relpath(path, folder).removesuffix(".txt")))
    return sorted(apis, key=lambda api: api.key)


def bytes_min(fields, api):
    """The fewest bytes that one struct of these fields takes on the wire, in any version in which it has any."""
    sizes = []
    for version in range(api.versions.first, api.versions.last + 1):
        present = [field for field in fields if version in field.versions and field.tag is None]
        if present:
            flexible = version >= api.flexible
            sizes.append(sum(field_bytes_min(field, api, flexible) for field in present) + flexible)
    return min(sizes)


def field_bytes_min(field, api, flexible):
    if field.array:
        return 1 if flexible else 4
    if field.is_struct():
        return 1 if not field.null.is_empty() else bytes_min(field.fields, api)
    return FIXED_BYTES.get(field.type) or (1 if flexible else LENGTH_BYTES[field.type])
