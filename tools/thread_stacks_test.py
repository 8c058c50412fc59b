import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import thread_stacks

BACKTRACES = """
Thread 3 (Thread 0x7f0 (LWP 12) "suite"):
#0  0x00007fca892a4f16 in __futex_abstimed_wait () at ./nptl/futex-internal.c:57
#1  0x000055e949c8ba7d in millrace::CondVar::Wait(millrace::Mutex&) () at /tree/src/base/mutex.h:74
#2  0x000055e949c83b92 in AwaitWork () at /tree/src/tier/upload_schedule.cc:460
#3  0x000055e949c83b93 in std::invoke<millrace::X::Loop()::{lambda(int)#1}> () at /usr/include/c++/12/thread:3

Thread 2 (Thread 0x7f1 (LWP 13) "suite"):
#0  0x00007fca892a4f16 in __futex_abstimed_wait () at ./nptl/futex-internal.c:57
#1  0x000055e949c8ba7d in millrace::CondVar::Wait(millrace::Mutex&) () at /tree/src/base/mutex.h:74
#2  0x000055e949c83b92 in AwaitWork () at /tree/src/tier/upload_schedule.cc:460

Thread 1 (Thread 0x7f2 (LWP 14) "suite"):
#0  millrace::Engine::Close() const () at /tree/src/engine/engine_closing.cc:60
"""


class Summary(unittest.TestCase):
    def test_threads_on_one_way_share_a_line(self):
        self.assertEqual(thread_stacks.summary(BACKTRACES, "/tree/"),
                         ["2 threads: CondVar::Wait < AwaitWork", "1 thread: Engine::Close"])

    def test_what_is_not_ours_is_left_out(self):
        self.assertEqual(thread_stacks.summary(BACKTRACES, "/elsewhere/"), [])


class OfProcess(unittest.TestCase):
    def test_a_process_that_has_gone_is_told(self):
        gone = subprocess.Popen(["true"])
        gone.wait()
        self.assertIn("not in code of ours", thread_stacks.of_process(gone.pid, "/tree/")[0])


if __name__ == "__main__":
    unittest.main()
