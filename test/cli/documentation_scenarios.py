"""README.md and docs/: every command they show runs, every verb and flag they name exists, and docs/cli.md knows every verb.

Fenced blocks: each line with a `millrace` command is run by a shell, a document's lines in order in one fresh directory. A transcript's
times and its `…` are cut off; an object store in S3 becomes a directory, and its URL is shown to the program apart. `# exit N` in a line's
comment is its exit code, else 0. Code within a line is held against the help texts.
"""
import glob
import itertools
import os
import re
import subprocess

import scenario
from scenario import Scenario

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
S3_URL = re.compile(r"s3://[^\s'\"]*")
LINES = 310_000  # the demo's text has more, and a command asks for a line of it by its number


def documents(*patterns):
    return sorted(path for pattern in patterns for path in glob.glob(os.path.join(ROOT, pattern), recursive=True))


def name_of(path):
    return os.path.relpath(path, ROOT)


def fenced(path):
    """(number, line, language) of every line within a fence."""
    language = None
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.startswith("```"):
                language = None if language is not None else line.strip("`\n ")
            elif language is not None:
                yield number, line.rstrip("\n"), language


def commands(path):
    """(number, shell command, exit code) in the order of the document."""
    for number, line, language in fenced(path):
        shown = re.match(r"\s*(?:\$ )?((?:[^#'\"]|'[^']*')*?\bmillrace [a-z].*)", line)
        if language in ("cpp", "cmake", "toml", "json") or not shown or re.match(r"millrace: ", shown[1]):
            continue
        text = re.sub(r"\s{2,}[\d.]+ m?s$", "", shown[1])  # how long it took
        text = re.sub(r" \| ….*$", "", text)
        code = re.search(r"#.*\bexit (\d+)", text)
        yield number, text, int(code[1]) if code else 0


def spans(path):
    """(number, text) of the code within lines, tables included."""
    inside = {number for number, _, _ in fenced(path)}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if number not in inside and not line.startswith("    "):
                for text in re.findall(r"`([^`]+)`", line):
                    yield number, text.replace("\\|", "|")


def alternatives(text):
    """`topic create|ls` is two; so is each way through several of them."""
    words = [word.split("|") if re.fullmatch(r"[a-z0-9-]+(\|[a-z0-9-]+)+", word) else [word] for word in text.split()]
    return [list(way) for way in itertools.product(*words)]


class DocumentationScenarios(Scenario):
    helps = {}

    def help_of(self, *words):
        if words not in self.helps:
            outcome = self.run_raw(*words, "--help", log=False)
            self.helps[words] = outcome.out.decode() if outcome.code == 0 else None
        return self.helps[words]

    def verbs(self):
        """Every verb with its help, those of groups as two words."""
        found = {}
        for verb in re.findall(r"^  ([a-z-]+)[ ,]", self.help_of().split("Verbs:")[1].split("Where:")[0], re.MULTILINE):
            text = self.help_of(verb)
            inner = re.findall(r"^  ([a-z-]+)[ ,]", text.split("Verbs:")[1], re.MULTILINE) if "VERB [arguments]" in text else []
            found.update({(verb, word): self.help_of(verb, word) for word in inner} or {(verb,): text})
        return found

    def shell(self, command):
        tools = os.path.join(self.folder, "bin")
        os.makedirs(tools, exist_ok=True)
        if not os.path.lexists(os.path.join(tools, "millrace")):
            os.symlink(scenario.BINARY, os.path.join(tools, "millrace"))
        environment = dict(scenario.ENVIRONMENT, MILLRACE_DATA_DIR=self.log)
        environment["PATH"] = tools + os.pathsep + environment["PATH"]
        return subprocess.run(["bash", "-c", "set -o pipefail; " + command], capture_output=True, timeout=scenario.TIMEOUT_S, check=False,
                              cwd=self.folder, env=environment, stdin=subprocess.DEVNULL)

    def test_every_command_in_a_block_runs(self):
        ran = 0
        for path in documents("README.md", "CONTRIBUTING.md", "docs/**/*.md"):
            with self.subTest(document=name_of(path)):
                self.folder = os.path.join(self.folder, "of-" + os.path.basename(path))
                self.log = os.path.join(self.folder, "log")
                os.makedirs(self.folder)
                with open(os.path.join(self.folder, "text"), "w", encoding="ascii") as text:
                    text.writelines(f"{i}\n" for i in range(LINES))
                for number, command, code in commands(path):
                    near = S3_URL.sub(f"file://{self.folder}/store", command)
                    done = self.shell(near)
                    if command == "millrace topic create demo":  # which a Kafka client fills in the demo
                        done = self.shell("millrace produce demo < text")
                    self.assertEqual(done.returncode, code, f"{name_of(path)}:{number}: {command}\n{done.stderr.decode(errors='replace')}")
                    ran += 1
        self.assertGreater(ran, 15)

    def test_every_s3_url_is_understood(self):
        urls = set()
        for path in documents("README.md", "docs/**/*.md"):
            with open(path, encoding="utf-8") as file:
                # A URL with a dot after it ends a sentence; one with `…` or in capitals is a pattern.
                urls |= {url.rstrip("`.,;)") for url in re.findall(r"s3://[^\s'\"`|]*", file.read()) if not re.search(r"…|[A-Z]{3}", url)}
        self.assertGreater(len(urls), 3)
        log = self.log
        for number, url in enumerate(sorted(urls)):
            with self.subTest(url=url):
                self.log = f"{log}{number}"  # a log has one home
                self.run_ok("topic", "create", "t", "--store", url)

    def test_verbs_and_flags_within_lines_exist(self):
        verbs = self.verbs()
        checked = 0
        for path in documents("README.md", "CONTRIBUTING.md", "docs/*.md"):
            for number, span in spans(path):
                if not re.match(r"millrace [a-z]", span):
                    continue
                for words in alternatives(span.removeprefix("millrace ")):
                    plain = [word for word in words if re.fullmatch(r"[a-z-]+", word)]
                    verb = next((tuple(words[:n]) for n in (2, 1) if tuple(words[:n]) in verbs), None)
                    self.assertIsNotNone(verb, f"{name_of(path)}:{number}: there is no verb in `{span}` ({plain})")
                    for flag in re.findall(r"--[a-z-]+", span):
                        self.assertRegex(verbs[verb], rf"(?<![a-z-]){flag}\b", f"{name_of(path)}:{number}: {' '.join(verb)}")
                    checked += 1
        self.assertGreater(checked, 4)

    def test_cli_md_names_every_verb_and_no_flag_that_is_none(self):
        verbs = self.verbs()
        path = os.path.join(ROOT, "docs", "cli.md")
        listed = set()
        with open(path, encoding="utf-8") as file:
            for line in file:
                cell = re.match(r"\| (`.*?) \| ", line)
                for span in re.findall(r"`([^`]+)`", cell[1].replace("\\|", "|") if cell else ""):
                    for words in alternatives(re.sub(r"\[.*?\]", "", span)):
                        verb = next((tuple(words[:n]) for n in (2, 1) if tuple(words[:n]) in verbs), None)
                        self.assertIsNotNone(verb, f"docs/cli.md lists `{span}`")
                        listed.add(verb)
        self.assertEqual(set(verbs) - listed - {("help",), ("version",), ("completion",)}, set())
        texts = "\n".join([self.help_of(), *verbs.values()])
        for number, span in spans(path):
            for flag in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", span):
                self.assertRegex(texts, rf"(?<![a-z-]){flag}\b", f"docs/cli.md:{number}: no verb has {flag}")

    def test_every_verb_of_dev_exists(self):
        there = {os.path.basename(path).removesuffix(".sh") for path in documents("tools/dev/*.sh")}
        named = 0
        for path in documents("README.md", "CONTRIBUTING.md", "docs/**/*.md"):
            with open(path, encoding="utf-8") as file:
                for verb in re.findall(r"\./dev ([a-z]+)", file.read()):
                    self.assertIn(verb, there - {"ground"}, f"{name_of(path)}: ./dev {verb}")
                    named += 1
        self.assertGreater(named, 5)
