"""Apache Kafka as a process: one node, a fresh directory, ports of its own."""
import os
import socket
import subprocess
import time
import uuid
import base64

import install

READY_WITHIN_S = 90


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class ApacheKafka:
    def __init__(self, directory):
        self.port, controller = free_port(), free_port()
        self.address, self.log = f"localhost:{self.port}", os.path.join(directory, "kafka.log")
        settings = os.path.join(directory, "server.properties")
        with open(settings, "w") as file:
            file.write(f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@localhost:{controller}
listeners=PLAINTEXT://localhost:{self.port},CONTROLLER://localhost:{controller}
controller.listener.names=CONTROLLER
log.dirs={directory}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
""")
        java = ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", install.install_broker() + "/*"]
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        formatted = subprocess.run([*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", settings], capture_output=True, text=True)
        if formatted.returncode != 0:
            raise install.Missing(f"Apache Kafka cannot format its directory: {formatted.stdout[-1000:]}{formatted.stderr[-1000:]}")
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([*java, "kafka.Kafka", settings], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.await_port()

    def await_port(self):
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("localhost", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.2)
        with open(self.log) as log:
            text = log.read()[-2000:]
        self.stop()
        raise install.Missing(f"Apache Kafka does not answer within {READY_WITHIN_S} s: {text}")

    def stop(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
