"""What s3_servers.py does without a server: ports, signatures, failing by name, ending what does not want to end."""
import datetime
import os
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import s3_servers

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "s3_servers.py")


class S3ServersTest(unittest.TestCase):
    def test_ports_differ(self):
        self.assertEqual(len(set(s3_servers.free_ports(8))), 8)

    def test_a_signature_depends_on_time_verb_and_path(self):
        day = datetime.datetime(2026, 11, 21, 16, 0, tzinfo=datetime.timezone.utc)
        signed = [s3_servers.signed_request(*what, day).get_header("Authorization")
                  for what in (("PUT", "h:1", "/a"), ("GET", "h:1", "/a"), ("PUT", "h:1", "/b"), ("PUT", "h:1", "/a"))]
        self.assertEqual(signed[0], signed[3])
        self.assertEqual(len(set(signed)), 3)
        self.assertIn("/20261121/us-east-1/s3/aws4_request", signed[0])

    def test_a_signature_covers_query_and_body(self):
        day = datetime.datetime(2026, 11, 21, 16, 0, tzinfo=datetime.timezone.utc)
        signed = [s3_servers.signed_request("GET", "h:1", "/a", day, **more)
                  for more in ({}, {"query": {"prefix": "a/b", "list-type": "2"}}, {"body": b"x"})]
        self.assertEqual(len({request.get_header("Authorization") for request in signed}), 3)
        self.assertEqual(signed[1].full_url, "http://h:1/a?list-type=2&prefix=a%2Fb")

    def test_what_cannot_be_installed_fails_by_name(self):
        with mock.patch("time.sleep"), self.assertRaisesRegex(SystemExit, "building MinIO failed: false"):
            s3_servers.run_or_fail("building MinIO", ["false"])

    def test_a_program_that_is_there_is_not_installed_again(self):
        with tempfile.TemporaryDirectory() as cache, mock.patch.dict(os.environ, XDG_CACHE_HOME=cache):
            installed = []

            def installer(target, work):
                installed.append(work)
                open(os.path.join(target, "weed"), "w").close()

            with mock.patch.dict(s3_servers.INSTALLERS, seaweedfs=("seaweedfs-1", "weed", installer)):
                paths = {s3_servers.install("seaweedfs") for _ in range(2)}
            self.assertEqual(paths, {os.path.join(cache, "millrace", "tools", "seaweedfs-1", "weed")})
            self.assertEqual(len(installed), 1)

    def test_a_server_that_does_not_want_to_end_is_ended(self):
        stubborn = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); "
                                     "print('up', flush=True); time.sleep(60)"], stdout=subprocess.PIPE)
        stubborn.stdout.readline()
        s3_servers.end(stubborn, [])
        stubborn.stdout.close()
        self.assertIsNotNone(stubborn.returncode)

    def test_no_command_and_no_such_server_are_refused(self):
        for words in (["run", "minio"], ["run", "nonsense", "--", "true"], []):
            run = subprocess.run([sys.executable, TOOL, *words], capture_output=True)
            self.assertNotEqual(run.returncode, 0, words)


if __name__ == "__main__":
    unittest.main()
