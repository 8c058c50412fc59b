"""Pipes and signals: nothing waits that could go, nothing is lost when a reader or a user leaves."""
import fcntl
import json
import os
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

    def run_into(self, stdout, *words, **options):
        done = subprocess.run(self.command(words), stdout=stdout, stderr=subprocess.PIPE, env=ENVIRONMENT, check=False, timeout=60,
                              **options)
        return done.returncode, done.stderr

    def closed_pipe(self):
        reader, writer = os.pipe()
        os.close(reader)
        self.addCleanup(os.close, writer)
        return writer

    def test_what_nobody_saw_comes_again(self):
        self.produce("t", "".join(f"{i}\n" for i in range(200000)))
        for number, words in enumerate((["cursor", "read", "t", "C"], ["cursor", "read", "t", "C", "--persist-every", "1"],
                                        ["consume", "t", "-g", "C"], ["consume", "t", "-g", "C", "--commit", "end"])):
            for count in ([], ["-n", "5"], ["-n", "3000"]):
                named = [word.replace("C", f"c{number}{''.join(count)}") for word in words]
                code, told = self.run_into(self.closed_pipe(), *named, *count)
                self.assertEqual(code, 0, told)
                with open("/dev/full", "wb") as full:
                    code, told = self.run_into(full, *named, *count)
                self.assertEqual((code, told.count(b"standard output")), (1, 1), told)
                self.assertEqual(self.run_ok(*named, "-n", "1").out, b"0\n", named)

    def test_position_is_that_of_the_last_line_somebody_took(self):
        lines = os.path.join(self.folder, "lines")
        with open(lines, "w", encoding="ascii") as file:
            file.writelines(f"{i}\n" for i in range(200000))
        with open(lines, "rb") as file:  # one batch, more than a pipe holds
            subprocess.run(self.command(["produce", "t"]), stdin=file, stderr=subprocess.DEVNULL, env=ENVIRONMENT, check=True, timeout=60)
        for words in (["cursor", "read", "t", "c"], ["consume", "t", "-g", "g"]):
            reader = self.start(*words)
            seen = os.read(reader.stdout.fileno(), 20000)
            reader.stdout.close()
            self.assertEqual(reader.wait(60), 0)
            whole = seen[:seen.rfind(b"\n") + 1].count(b"\n")
            self.assertEqual(self.run_ok(*words, "-n", "1").out, f"{whole}\n".encode())

    def test_nonblocking_output_is_waited_for(self):
        self.produce("t", "".join(f"{i}\n" for i in range(100000)))
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETFL, fcntl.fcntl(writer, fcntl.F_GETFL) | os.O_NONBLOCK)
        process = subprocess.Popen(self.command(["consume", "t"]), stdout=writer, stderr=subprocess.PIPE, env=ENVIRONMENT)
        os.close(writer)
        got = 0
        while True:
            data = os.read(reader, 65536)
            if not data:
                break
            got += data.count(b"\n")
        os.close(reader)
        self.assertEqual((process.wait(60), process.stderr.read()), (0, b""))
        process.stderr.close()
        self.assertEqual(got, 100000)

    def test_follower_without_a_reader_ends_and_lets_go(self):
        self.produce("t", "a\n")
        for words in (["consume", "t", "--follow"], ["tail", "t"]):
            follower = self.start(*words)
            self.assertEqual(follower.stdout.readline(), b"a\n")
            follower.stdout.close()
            self.assertEqual(follower.wait(60), 0)
            self.run_ok("topic", "ls")

    def test_follow_until_waits_for_its_end_and_stops_there(self):
        self.produce("t", "".join(f"{i}\n" for i in range(5)))
        self.assertEqual(self.run_ok("consume", "t", "--follow", "--until", "3").lines(), ["0", "1", "2"])
        follower = self.start("consume", "t", "--follow", "--until", "6")
        self.assertEqual(follower.stdout.readline(), b"0\n")
        follower.send_signal(signal.SIGINT)
        self.assertEqual(follower.wait(60), 130)

    def test_interrupt_ends_a_write_that_waits_for_its_reader(self):
        self.produce("t", "".join(f"some line number {i}\n" for i in range(100000)))
        consumer = self.start("consume", "t", "-g", "g")
        self.assertEqual(consumer.stdout.readline(), b"some line number 0\n")  # and the test reads no further
        consumer.send_signal(signal.SIGINT)
        self.assertEqual(consumer.wait(60), 130)

    def test_closed_standard_descriptors(self):
        self.produce("t", "a\n")
        for closed in (0, 1, 2):
            for words in (["topic", "ls"], ["status"], ["produce", "t"]):
                done = subprocess.run(self.command(words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                      env=ENVIRONMENT, timeout=60, check=False, preexec_fn=lambda fd=closed: os.close(fd))
                self.assertIn(done.returncode, (0, 1), (closed, words))
        code, told = self.run_into(None, "consume", "t", "-g", "g", preexec_fn=lambda: os.close(1))
        self.assertEqual((code, told.count(b"standard output")), (1, 1))
        self.assertEqual(self.values("t", "-g", "g"), ["a"])

    def test_limit_of_file_sizes_is_an_error(self):
        import resource
        self.produce("t", "a\n")
        with open(os.path.join(self.folder, "out"), "wb") as file:
            code, told = self.run_into(file, "consume", "t",
                                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
        self.assertEqual(code, 1)
        self.assertTrue(told.startswith(b"millrace: "), told)

    def test_topic_named_twice_is_read_once(self):
        self.produce("t", "a\n")
        self.assertEqual(self.run_ok("consume", "t", "t").lines(), ["a"])
