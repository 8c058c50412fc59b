"""Help, version, completion, bench: what a newcomer meets. Help texts are golden files under test/golden/help."""
import os
import subprocess

import scenario
from scenario import Scenario

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "help")


def words_after_verbs(text):
    """The first words of the lines under `Verbs:`."""
    words, inside = [], False
    for line in text.splitlines():
        if line == "Verbs:":
            inside = True
        elif inside and line.startswith("  ") and not line.startswith("   "):
            words.append(line.split()[0].rstrip(","))
        elif inside and not line.startswith(" "):
            break
    return words


class HelpScenarios(Scenario):
    def verbs(self):
        found = []
        for word in words_after_verbs(self.run_ok(log=False).out.decode()):
            below = words_after_verbs(self.run_ok(word, "--help", log=False).out.decode())
            found += [[word, verb] for verb in below] or [[word]]
        return found

    def compare(self, name, text):
        path = os.path.join(GOLDEN, name + ".txt")
        if scenario.UPDATE:
            with open(path, "wb") as file:
                file.write(text)
        with open(path, "rb") as file:
            self.assertEqual(file.read().decode(), text.decode(), f"{path} (run.py BINARY --update writes it anew)")

    def test_help_of_every_verb_is_golden(self):
        self.compare("millrace", self.run_ok(log=False).out)
        names = {"millrace.txt"}
        for words in self.verbs():
            text = self.run_ok(*words, "--help", log=False).out
            self.compare("-".join(words), text)
            names.add("-".join(words) + ".txt")
            self.assertEqual(text, self.run_ok("help", *words, log=False).out)
        self.assertEqual(set(os.listdir(GOLDEN)), names)
        self.assertGreater(len(names), 25)

    def test_bare_program_begins_with_three_examples(self):
        lines = self.run_ok(log=False).lines()
        self.assertTrue(all(line.startswith("  ") and "millrace" in line for line in lines[:3]), lines[:4])
        self.assertEqual(lines[3], "")

    def test_version(self):
        version = self.run_ok("--version", log=False).out.decode()
        self.assertRegex(version, r"^millrace \d+\.\d+\.\d+\n$")
        document = self.run_ok("--version", "--json", log=False).json()
        self.assertEqual((document["schema"], "millrace " + document["version"] + "\n"), ("millrace.version.v1", version))

    def test_completion_of_each_shell(self):
        for shell in ("bash", "zsh", "fish"):
            script = self.run_ok("completion", shell, log=False).out
            self.assertIn(b"millrace", script)
        self.run_code(2, "completion", "tcsh", log=False)

    def test_bash_completion_completes(self):
        script = self.run_ok("completion", "bash", log=False).out.decode()

        def complete(*words):
            quoted = " ".join(f"'{word}'" for word in words)
            program = f"{script}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _millrace; printf '%s\\n' \"${{COMPREPLY[@]}}\""
            done = subprocess.run(["bash", "-c", program], capture_output=True, check=True, timeout=60, cwd=self.folder)
            return done.stdout.decode().split()

        self.assertEqual(complete("millrace", "prod"), ["produce"])
        self.assertIn("describe", complete("millrace", "topic", ""))
        self.assertEqual(complete("millrace", "topic", "desc"), ["describe"])
        self.assertIn("--partitions", complete("millrace", "topic", "create", "t", "--p"))
        self.assertEqual(complete("millrace", "produce", "t", "--acks", "d"), ["disk"])

    def test_bench_measures_and_leaves_nothing(self):
        for workload in ("append", "read", "e2e"):
            report = self.run_ok("bench", workload, "--seconds", "1", "--size", "100", "--threads", "2", "--rate", "200/s", "--seed", "7",
                                 "--acks", "os", "--json").json()
            self.assertEqual((report["schema"], report["workload"]["name"], report["workload"]["seed"]), ("millrace.bench.v1", workload, 7))
            self.assertGreater(report["operations"], 0)
            latency = report["latency_ns"]
            self.assertTrue(latency["p50"] <= latency["p99"] <= latency["p99_9"])
            self.assertGreater(latency["max"], 0)
            self.assertEqual(os.listdir(self.log), [])
        self.assertIn("p99.9", self.run_ok("bench", "append", "--seconds", "1").out.decode())
        self.run_code(2, "bench", "nonsense")
