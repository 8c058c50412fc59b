"""Settings: flag before environment before file before default; what fails is told, also by status."""
import os

from scenario import Scenario


class SettingsScenarios(Scenario):
    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def origins(self, *words, **options):
        return {row[0]: row[1:] for row in self.run_ok("config", "show", "--origin", *words, log=False, **options).rows()}

    def test_flag_before_environment_before_file_before_default(self):
        self.assertEqual(self.origins()["read.fetch_size"], ["1000", "default"])
        self.write("millrace.toml", 'engine.sync = "none"\n[read]\nfetch_size = 7\nprefetch_enabled = false\n')
        rows = self.origins()
        self.assertEqual(rows["read.fetch_size"], ["7", "./millrace.toml:3:1"])
        self.assertEqual(rows["read.prefetch_enabled"][0], "false")
        self.assertEqual(rows["engine.sync"][0], "none")
        environment = {"MILLRACE_READ__FETCH_SIZE": "8"}
        self.assertEqual(self.origins(environment=environment)["read.fetch_size"], ["8", "MILLRACE_READ__FETCH_SIZE"])
        self.assertEqual(self.origins("--set", "read.fetch_size=9", environment=environment)["read.fetch_size"], ["9", "--set"])
        self.assertEqual(self.origins("--sync", "interval:5ms")["engine.sync"], ["interval:5ms", "--sync"])
        other = self.write("other.toml", 'engine.name_space = "n"\n')
        self.assertEqual(self.origins("--config-file", other)["engine.name_space"], ["n", f"{other}:1:8"])

    def test_settings_have_effect(self):
        config = self.write("c.toml", f'engine.data_dir = "{self.log}"\nengine.record_bytes_max = "2KiB"\n')
        self.run_ok("produce", "t", "--config-file", config, stdin=b"x" * 2048 + b"\n", log=False)
        self.run_code(2, "produce", "t", "--config-file", config, stdin=b"x" * 2049 + b"\n", log=False)
        self.run_ok("produce", "t", "--config-file", config, "--set", "engine.record_bytes_max=3KiB", stdin=b"x" * 2049 + b"\n", log=False)
        self.assertEqual([len(value) for value in self.values("t")], [2048, 2049])

    def test_what_is_wrong_names_its_place(self):
        for text, told in (('engine.wal_bytes_mx = 1\n', b":1:8: there is no setting"), ('[read]\nfetch_size = "many"\n', b":2:1: read.fetch_size takes"),
                           ("engine.sync = \n", b":1:"), ("read.fetch_size = [1]\n", b"neither text")):
            path = self.write("bad.toml", text)
            self.assertIn(told, self.run_code(2, "topic", "ls", "--config-file", path).err)
        self.assertIn(b"Did you mean engine.wal_bytes_max?", self.run_code(2, "topic", "ls", "--set", "engine.wal_bytes_mx=1").err)
        self.run_code(2, "topic", "ls", "--set", "nonsense")
        self.run_code(3, "topic", "ls", "--config-file", os.path.join(self.folder, "absent.toml"))

    def test_wait_for_the_lock(self):
        holder = self.start("produce", "t", "--receipts")
        holder.stdin.write(b"a\n")
        holder.stdin.flush()
        holder.stdout.readline()
        told = self.run_code(6, "topic", "ls", "--wait", "1ms").err
        self.assertIn(b"--wait", told)
        self.assertIn(str(holder.pid).encode(), told)
        waiting = self.start("topic", "ls", "--wait", "60s")
        holder.stdin.close()
        self.assertEqual(holder.wait(60), 0)
        self.assertEqual(waiting.wait(60), 0)
        self.assertTrue(waiting.stdout.read().startswith(b"t\t"))

    def test_status_check_asks_the_store(self):
        self.produce("t", "a\n")
        self.run_ok("segment", "upload")
        self.run_ok("wal", "recycle")
        self.assertIn(b"all is well", self.run_ok("status", "--check").err)
        (path,) = self.objects()
        os.remove(path)
        self.assertIn(b"history of t cannot be read", self.run_code(9, "status", "--check").out)
        store = "s3://bucket?endpoint=http://127.0.0.1:1&region=x"
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        self.log += "2"
        self.run_ok("topic", "create", "t", "--store", store, environment=keys)
        self.run_code(6, "status", "--check", environment=keys)

    def test_times(self):
        self.produce("t", '{"timestamp_ms":1767225600000,"value":"a"}\n', "--json")
        self.assertEqual(self.run_ok("consume", "t", "-f", "%Z\\n").out, b"2026-01-01T00:00:00.000Z\n")
        for time, found in (("@2026-01-01T00", ["a"]), ("@2026-01-01T01", []), ("@now", []), ("@1767225600000", ["a"])):
            self.assertEqual(self.values("t", "--from", time), found)
        for doubtful in ("@1767225600", "@1767225600000000"):
            self.assertIn(b"milliseconds", self.run_code(2, "consume", "t", "--from", doubtful).err)
