#!/usr/bin/env python3
"""Compares the tables of src/kafka with what Kafka's client library carries: the schemas of all messages as JSON, and the error codes.

usage: compare_tables.py TREE

Field by field: order, depth, name, type, versions, null, tag, default; and each message's versions and first flexible one. The jar
comes from Maven by name and version, into ${XDG_CACHE_HOME:-~/.cache}/millrace/tools. Ends with one line `N passed, N failed`; each
message, and the list of error codes, is one check.
"""
import json
import os
import re
import sys
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clients"))
import install  # noqa: E402

KAFKA = "4.3.1"
ARTIFACTS = {"kafka-clients": f"org.apache.kafka:kafka-clients:{KAFKA}", "slf4j-api": "org.slf4j:slf4j-api:1.7.36"}
ERRORS_SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "PrintErrors.java")


def jars():
    """The folder with the jars; fetched once, and there whole or not at all."""
    def make(work):
        for artifact in ARTIFACTS.values():
            install.fetch_jar(artifact, work, "-Dmdep.stripVersion=true")
    return install.once(f"kafka-clients-{KAFKA}-{install.digest(*ARTIFACTS.values())}", make)


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def kafka_range(text, within, tables):
    versions = tables.read_versions(text if text and text != "none" else "-")
    return versions.within(within) if not versions.is_empty() else tables.NO_VERSION


def kafka_default(field, null):
    """As our tables have it: None where nothing needs to be said."""
    default = str(field.get("default", "")).lower()
    if re.fullmatch(r"-?0x[0-9a-f]+", default):
        default = str(int(default, 16))
    if default in ("", "0", "false") or (default == "null" and null.is_empty()):
        return None
    return default


def kafka_rows(schema, fields, within, tables, depth=0):
    """Every field of a schema in order, as (depth, name, type, array, versions, null, tag, default); structs are "struct"."""
    shared = {struct["name"]: struct["fields"] for struct in schema.get("commonStructs", [])}
    for field in fields:
        kind = field["type"].removeprefix("[]")
        null = kafka_range(field.get("nullableVersions"), within, tables)
        versions = kafka_range(field.get("taggedVersions", field["versions"]) if "tag" in field else field["versions"], within, tables)
        if versions.is_empty():
            continue
        yield (depth, snake(field["name"]), "struct" if kind[0].isupper() else kind, field["type"].startswith("[]"), versions, null,
               field.get("tag"), kafka_default(field, null))
        yield from kafka_rows(schema, field.get("fields") or shared.get(kind, []), within, tables, depth + 1)


def our_rows(fields, depth=0):
    for field in fields:
        null = field.null
        yield (depth, field.name, "struct" if field.is_struct() else field.type, field.array, field.versions, null, field.tag, field.default)
        yield from our_rows(field.fields, depth + 1)


def compare_message(api, message, schema, tables):
    """What differs, as lines."""
    whole = tables.read_versions(schema["validVersions"])
    flexible = schema["flexibleVersions"]
    problems = []
    if schema["apiKey"] != api.key:
        problems.append(f"key {api.key}, Kafka {schema['apiKey']}")
    if not (whole.first <= api.versions.first and api.versions.last <= whole.last):
        problems.append(f"versions {api.versions}, Kafka {schema['validVersions']}")
    if tables.read_flexible(flexible) != api.flexible:
        problems.append(f"flexible from {api.flexible}, Kafka {flexible}")
    ours = list(our_rows(message.fields))
    theirs = list(kafka_rows(schema, schema["fields"], api.versions, tables))
    for mine, other in zip(ours, theirs):
        if mine != other:
            return problems + [f"our field  {mine}", f"Kafka's is {other}"]
    if len(ours) != len(theirs):
        problems.append(f"{len(ours)} fields, Kafka {len(theirs)}: {(ours + theirs)[min(len(ours), len(theirs))]}")
    return problems


def compare_messages(tree, jar, tables):
    """[(name, problems)] of every message."""
    results = []
    with zipfile.ZipFile(jar) as archive:
        for api in tables.read_tables(os.path.join(tree, "src/kafka/messages")):
            for message in api.messages:
                text = archive.read(f"common/message/{message.name}.json").decode()
                schema = json.loads("\n".join(line for line in text.splitlines() if not line.lstrip().startswith("//")))
                results.append((message.name, compare_message(api, message, schema, tables)))
    return results


def compare_codes(tree, folder, code_table):
    with open(os.path.join(tree, "src/kafka/error_codes.txt"), encoding="utf-8") as file:
        ours = {(code.code, code.name, code.retriable) for code in code_table.read_codes(file.read())}
    classpath = os.pathsep.join(os.path.join(folder, f"{name}.jar") for name in ARTIFACTS)
    printed = install.run_or_miss("Kafka's error codes from Java", ["java", "-cp", classpath, ERRORS_SOURCE])
    rows = [line.split() for line in printed.splitlines()]
    theirs = {(int(code), name, retriable == "true") for code, name, retriable in rows}
    return [f"only here: {row}" for row in sorted(ours - theirs)] + [f"only in Kafka: {row}" for row in sorted(theirs - ours)]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tree = sys.argv[1]
    sys.path.insert(0, os.path.join(tree, "src/kafka/generate"))
    import code_table
    import message_table as tables
    try:
        folder = jars()
        results = compare_messages(tree, os.path.join(folder, "kafka-clients.jar"), tables)
        results.append(("error codes", compare_codes(tree, folder, code_table)))
    except install.Missing as missing:
        print(f"cannot be had: {missing}\n0 passed, 1 failed")
        return 1
    failed = [(name, problems) for name, problems in results if problems]
    for name, problems in failed:
        print(f"{name} is not as in kafka-clients {KAFKA}:\n  " + "\n  ".join(problems))
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
