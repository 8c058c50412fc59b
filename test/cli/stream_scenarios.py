"""Pipes and signals: nothing waits that could go, nothing is lost when somebody leaves."""
import json
import signal
import subprocess

from scenario import ENVIRONMENT, Scenario


class StreamScenarios(Scenario):
    def test_what_is_there_goes_at_once(self):
        producer = self.start("produce", "t", "--receipts")
        for i in range(3):
            producer.stdin.write(f"{i}\n".encode())
            producer.stdin.flush()
            receipt = json.loads(producer.stdout.readline())
            self.assertEqual((receipt["base_offset"], receipt["last_offset"]), (i, i))
        producer.stdin.close()
        self.assertEqual(producer.wait(60), 0)

    def test_interrupted_producer_keeps_what_was_sent(self):
        producer = self.start("produce", "t", "--receipts")
        producer.stdin.write(b"a\n")
        producer.stdin.flush()
        producer.stdout.readline()
        producer.send_signal(signal.SIGINT)
        self.assertEqual(producer.wait(60), 130)
        self.assertEqual(self.values("t"), ["a"])

    def test_following_consumer_prints_commits_and_ends_by_interrupt(self):
        self.produce("t", "a\nb\n")
        consumer = self.start("consume", "t", "-g", "g", "--follow")
        self.assertEqual([consumer.stdout.readline(), consumer.stdout.readline()], [b"a\n", b"b\n"])
        consumer.send_signal(signal.SIGINT)
        self.assertEqual(consumer.wait(60), 130)
        self.assertEqual(self.values("t", "-g", "g"), [])

    def test_tail_follows_until_interrupted(self):
        self.produce("t", "a\n")
        consumer = self.start("tail", "t")
        self.assertEqual(consumer.stdout.readline(), b"a\n")
        consumer.send_signal(signal.SIGINT)
        self.assertEqual(consumer.wait(60), 130)

    def test_reader_who_leaves_ends_consume_quietly(self):
        self.produce("t", "".join(f"some line number {i}\n" for i in range(100000)))
        consumer = self.start("consume", "t")
        self.assertEqual(consumer.stdout.readline(), b"some line number 0\n")
        consumer.stdout.close()
        self.assertEqual(consumer.wait(60), 0)
        self.assertEqual(consumer.stderr.read(), b"")

    def test_killed_consumer_loses_nothing(self):
        text = "".join(f"some line number {i}, with enough text around it to fill several polls of a consumer\n" for i in range(60000))
        self.produce("t", text)
        consumer = self.start("consume", "t", "-g", "g")
        first = [consumer.stdout.readline() for _ in range(30000)]
        consumer.kill()
        first += consumer.stdout.readlines()
        second = self.run_ok("consume", "t", "-g", "g").out.splitlines(keepends=True)
        lines = text.encode().splitlines(keepends=True)
        self.assertLess(len(second), len(lines))
        self.assertGreaterEqual(len(first) + len(second), len(lines))
        self.assertEqual(second, lines[len(lines) - len(second):])

    def test_pipeline_of_two(self):
        text = "".join(f"{i}\n" for i in range(100000)).encode()
        self.produce("a", text)
        other = self.log + "2"
        consumer = self.start("consume", "a")
        done = subprocess.run([*self.command(["produce", "b"], log=False), "--data-dir", other], stdin=consumer.stdout, capture_output=True,
                              env=ENVIRONMENT, timeout=60, check=False)
        self.assertEqual((done.returncode, consumer.wait(60)), (0, 0))
        self.log = other
        self.assertEqual(self.run_ok("consume", "b").out, text)

    def test_rate_sends_all(self):
        self.produce("t", "".join(f"{i}\n" for i in range(300)), "--rate", "2000/s")
        self.assertEqual(self.values("t"), [str(i) for i in range(300)])
