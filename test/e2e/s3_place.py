"""A prefix in a bucket of the S3 server in the environment, looked at and tampered with behind the program's back."""
import datetime
import os
import pathlib
import sys
import urllib.error
import urllib.request
import uuid
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
from s3_servers import signed_request  # noqa: E402


class S3Place:
    def __init__(self, name):
        self.host = os.environ["MILLRACE_S3_ENDPOINT"].removeprefix("http://")
        self.bucket, self.prefix = os.environ["MILLRACE_S3_BUCKET"], f"{uuid.uuid4().hex}/{name}"

    @property
    def url(self):
        return f"s3://{self.bucket}/{self.prefix}?endpoint=http://{self.host}"

    @property
    def told(self):
        """As errors and claims name it."""
        return f"s3://{self.bucket}/{self.prefix}"

    def ask(self, method, path, query=None, body=b""):
        now = datetime.datetime.now(datetime.timezone.utc)
        request = signed_request(method, self.host, f"/{self.bucket}{path}", now, query, body)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    def keys(self, below=""):
        """Below the prefix, at most 1,000."""
        listed = self.ask("GET", "", {"list-type": "2", "prefix": f"{self.prefix}/{below}"})
        found = [element.text for element in xml.etree.ElementTree.fromstring(listed).iter() if element.tag.rsplit("}")[-1] == "Key"]
        return sorted(key.removeprefix(self.prefix + "/") for key in found)

    def get(self, key):
        return self.ask("GET", f"/{self.prefix}/{key}")

    def put(self, key, body):
        self.ask("PUT", f"/{self.prefix}/{key}", body=body)

    def delete(self, key):
        self.ask("DELETE", f"/{self.prefix}/{key}")

    def content(self):
        return {key: self.get(key) for key in self.keys()}

    def become(self, content):
        """An older copy is put back, or all of it goes."""
        for key in self.keys():
            if key not in content:
                self.delete(key)
        for key, body in content.items():
            self.put(key, body)

    def objects(self):
        return [key for key in self.keys() if "/o/" in key]
