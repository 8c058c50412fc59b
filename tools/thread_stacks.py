"""What the threads of a running process do, a line a way through our own code: `2 threads: Wait < AwaitWork < UploadLoop`.

For a suite that does not end: which of its threads waits, and where. Asks gdb.
"""
import re
import subprocess

THREAD = re.compile(r"^Thread \d+ \(", re.MULTILINE)
FRAME = re.compile(r"^#\d+ +(?:0x[0-9a-f]+ in )?(.+?) \(.*\) (?:at|from) (\S+)", re.MULTILINE)
FRAMES_MAX = 10
SECONDS_MAX = 120


def short_name(function):
    """Without namespaces, parameters and template arguments."""
    while re.search(r"<[^<>]*>|\([^()]*\)", function):
        function = re.sub(r"<[^<>]*>|\([^()]*\)", "", function)
    return function.removesuffix(" const").split()[-1].removeprefix("millrace::").removeprefix("::")


def summary(backtraces, root):
    """Lines of gdb's `thread apply all bt`; frames below `root` count, innermost first."""
    ways = {}
    for thread in THREAD.split(backtraces)[1:]:
        ours = [short_name(function) for function, place in FRAME.findall(thread) if place.startswith(root)]
        way = " < ".join(ours[:FRAMES_MAX])
        if way:
            ways[way] = ways.get(way, 0) + 1
    return [f"{count} thread{'s' if count > 1 else ''}: {way}" for way, count in sorted(ways.items())]


def of_process(pid, root):
    try:
        said = subprocess.run(["gdb", "-p", str(pid), "-batch", "-ex", "thread apply all bt"], capture_output=True,
                              text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=SECONDS_MAX)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"its threads cannot be looked at: {error}"]
    return summary(said.stdout, root) or ["its threads are not in code of ours: " + said.stderr.strip()[-300:]]
