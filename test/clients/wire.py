"""Requests as bytes of our choosing, encoded by kafka-python, whose schemas are not ours."""
import socket
import struct
import sys

import install
sys.path[:0] = install.python_path("kafka_python")

from kafka.protocol.admin import CreateTopicsRequest, DeleteTopicsRequest  # noqa: F401
from kafka.protocol.consumer import (FetchRequest, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, ListOffsetsRequest, OffsetCommitRequest,
                                     OffsetFetchRequest, OffsetForLeaderEpochRequest, SyncGroupRequest)
from kafka.protocol.metadata import MetadataRequest
from kafka.protocol.producer import ProduceRequest
from kafka.protocol.api_message import ResponseClassRegistry
from kafka.record.util import calc_crc32c, encode_varint


class Wire:
    """One connection. An answer is a dict of every field that its version has, and some more at their defaults."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.socket, self.correlation = socket.create_connection((host, int(port)), timeout=30), 0

    def close(self):
        self.socket.close()

    def ask(self, request):
        self.correlation += 1
        request.with_header(correlation_id=self.correlation, client_id="oracle")
        self.socket.sendall(request.encode(header=True, framed=True))
        frame = self.receive(struct.unpack(">i", self.receive(4))[0])
        answer = ResponseClassRegistry.get_response_class(request.header).decode(frame, version=request.API_VERSION, header=True)
        return answer.to_dict()

    def receive(self, count):
        received = b""
        while len(received) < count:
            piece = self.socket.recv(count - len(received))
            if not piece:
                raise ConnectionError("closed by the server")
            received += piece
        return received


def varint(value):
    out = bytearray()
    encode_varint(value, out.append)
    return bytes(out)


def record(delta, value, timestamp_delta=0, key=None):
    def sized(content):
        return varint(-1) if content is None else varint(len(content)) + content
    body = b"\0" + varint(timestamp_delta) + varint(delta) + sized(key) + sized(value) + varint(0)
    return varint(len(body)) + body


def batch(values, base=0, times=None, codec=0, magic=2, crc_off=0, body=None, epoch=-1):
    """A record batch; `body`: the records as they are to be sent, compressed by the caller."""
    times = times or [1_000] * max(len(values), 1)
    records = body if body is not None else b"".join(record(i, v, times[i] - times[0]) for i, v in enumerate(values))
    tail = struct.pack(">hiqqqhii", codec, len(values) - 1, times[0], max(times), -1, -1, -1, len(values)) + records
    crc = (calc_crc32c(tail) + crc_off) & 0xFFFFFFFF
    return struct.pack(">qiibI", base, 4 + 1 + 4 + len(tail), epoch, magic, crc) + tail


def produce(version, topic, records, partition=0, acks=-1):
    data = ProduceRequest.TopicProduceData
    return ProduceRequest(version=version, transactional_id=None, acks=acks, timeout_ms=10_000, topic_data=[data(
        name=topic, partition_data=[data.PartitionProduceData(index=partition, records=records)])])


def fetch(version, topic, offset, partition=0, epoch=-1, wait_ms=0, min_bytes=1, max_bytes=1 << 20, partition_max_bytes=1 << 20, last_epoch=-1,
          session=(0, -1), forgotten=()):
    """`topic`: None asks for none. `session`: its id and epoch; `forgotten`: topic and partitions."""
    return fetch_all(version, [] if topic is None else [(topic, partition, offset)], epoch, wait_ms, min_bytes, max_bytes, partition_max_bytes, last_epoch,
                     session, forgotten)


def fetch_all(version, asked, epoch=-1, wait_ms=0, min_bytes=1, max_bytes=1 << 20, partition_max_bytes=1 << 20, last_epoch=-1, session=(0, -1), forgotten=()):
    """`asked`: topic, partition and offset of each, those of one topic together. A topic is named up to version 12, and given by its id after it."""
    of_topic, named = FetchRequest.FetchTopic, "topic" if version < 13 else "topic_id"
    topics = {}
    for topic, partition, offset in asked:
        topics.setdefault(topic, []).append(of_topic.FetchPartition(
            partition=partition, current_leader_epoch=epoch, fetch_offset=offset, last_fetched_epoch=last_epoch, partition_max_bytes=partition_max_bytes))
    return FetchRequest(
        version=version, replica_id=-1, max_wait_ms=wait_ms, min_bytes=min_bytes, max_bytes=max_bytes, isolation_level=0, session_id=session[0], session_epoch=session[1],
        topics=[of_topic(**{named: topic}, partitions=partitions) for topic, partitions in topics.items()],
        forgotten_topics_data=[FetchRequest.ForgottenTopic(**{named: topic}, partitions=partitions) for topic, partitions in forgotten])


def list_offsets(version, topic, time, partition=0, epoch=-1):
    of_topic = ListOffsetsRequest.ListOffsetsTopic
    return ListOffsetsRequest(version=version, replica_id=-1, isolation_level=0, topics=[of_topic(
        name=topic, partitions=[of_topic.ListOffsetsPartition(partition_index=partition, current_leader_epoch=epoch, timestamp=time)])])


def epoch_end(version, topic, epoch, current=-1, partition=0):
    of_topic = OffsetForLeaderEpochRequest.OffsetForLeaderTopic
    return OffsetForLeaderEpochRequest(version=version, replica_id=-2, topics=[of_topic(
        topic=topic, partitions=[of_topic.OffsetForLeaderPartition(partition=partition, current_leader_epoch=current, leader_epoch=epoch)])])


def metadata(version, topics, create=False):
    return MetadataRequest(version=version, topics=[MetadataRequest.MetadataRequestTopic(name=topic) for topic in topics],
                           allow_auto_topic_creation=create)


def create_topics(version, topic, partitions=1, replicas=1, configs=(), validate_only=False):
    of_topic = CreateTopicsRequest.CreatableTopic
    return CreateTopicsRequest(version=version, timeout_ms=10_000, validate_only=validate_only, topics=[of_topic(
        name=topic, num_partitions=partitions, replication_factor=replicas, assignments=[],
        configs=[of_topic.CreatableTopicConfig(name=name, value=value) for name, value in configs])])


def delete_topics(version, topic):
    return DeleteTopicsRequest(version=version, timeout_ms=10_000, topic_names=[topic], topics=[DeleteTopicsRequest.DeleteTopicState(name=topic)])


def join_group(version, group, member="", metadata=b"", session_ms=6_000):
    return JoinGroupRequest(version=version, group_id=group, session_timeout_ms=session_ms, rebalance_timeout_ms=session_ms, member_id=member,
                            group_instance_id=None, protocol_type="consumer",
                            protocols=[JoinGroupRequest.JoinGroupRequestProtocol(name="range", metadata=metadata)])


def sync_group(version, group, generation, member, assignments=()):
    return SyncGroupRequest(version=version, group_id=group, generation_id=generation, member_id=member, group_instance_id=None, assignments=[
        SyncGroupRequest.SyncGroupRequestAssignment(member_id=one, assignment=assignment) for one, assignment in assignments])


def heartbeat(version, group, generation, member):
    return HeartbeatRequest(version=version, group_id=group, generation_id=generation, member_id=member, group_instance_id=None)


def leave_group(version, group, member):
    return LeaveGroupRequest(version=version, group_id=group, member_id=member)


def offset_commit(version, group, generation, member, topic, offset, partition=0, metadata=""):
    of_topic = OffsetCommitRequest.OffsetCommitRequestTopic
    return OffsetCommitRequest(version=version, group_id=group, generation_id_or_member_epoch=generation, member_id=member, group_instance_id=None, topics=[
        of_topic(name=topic, partitions=[of_topic.OffsetCommitRequestPartition(
            partition_index=partition, committed_offset=offset, committed_leader_epoch=-1, committed_metadata=metadata)])])


def offset_fetch(version, group):
    """All that the group committed."""
    return OffsetFetchRequest(version=version, group_id=group, topics=None)
