"""The system's librdkafka, by its C interface: on Debian 12 that is 2.0.2, the library below kcat. ../README.md has the verbs; groups are kcat's."""
import ctypes
import sys
from ctypes import (POINTER, Structure, Union, byref, c_char, c_char_p, c_int, c_int32, c_int64, c_size_t, c_void_p, cast,
                    create_string_buffer, string_at)

import lines

RK = ctypes.CDLL("librdkafka.so.1")
BROKER = sys.argv[2]
WAIT_MS = 30_000
PRODUCER, CONSUMER = 0, 1
EVENT_DR, EVENT_CREATE_TOPICS, EVENT_DESCRIBE_CONFIGS = 0x1, 100, 104
RESOURCE_TOPIC = 2
V_END, V_TOPIC, V_PARTITION, V_VALUE, V_KEY, V_OPAQUE, V_MSGFLAGS, V_TIMESTAMP, V_HEADER = 0, 1, 3, 4, 5, 6, 7, 8, 9
COPY, NO_PARTITION, QUEUE_FULL, PARTITION_EOF = 2, -1, -184, -191


class Memory(Structure):
    _fields_ = [("pointer", c_void_p), ("size", c_size_t)]


class Header(Structure):
    _fields_ = [("name", c_char_p), ("value", c_void_p), ("size", ctypes.c_ssize_t)]


class Content(Union):
    _fields_ = [("text", c_char_p), ("i32", c_int32), ("i64", c_int64), ("int", c_int), ("memory", Memory), ("header", Header), ("pointer", c_void_p),
                ("pad", c_char * 64)]


class Argument(Structure):
    """rd_kafka_vu_t"""
    _fields_ = [("kind", c_int), ("content", Content)]


class Message(Structure):
    _fields_ = [("err", c_int), ("rkt", c_void_p), ("partition", c_int32), ("payload", c_void_p), ("size", c_size_t), ("key", c_void_p),
                ("key_size", c_size_t), ("offset", c_int64), ("opaque", c_void_p)]


class Place(Structure):
    """rd_kafka_topic_partition_t"""
    _fields_ = [("topic", c_char_p), ("partition", c_int32), ("offset", c_int64), ("metadata", c_void_p), ("metadata_size", c_size_t),
                ("opaque", c_void_p), ("err", c_int), ("private", c_void_p)]


class PlaceList(Structure):
    _fields_ = [("count", c_int), ("size", c_int), ("places", POINTER(Place))]


class PartitionMetadata(Structure):
    _fields_ = [("id", c_int32), ("err", c_int), ("leader", c_int32), ("replica_count", c_int), ("replicas", c_void_p), ("isr_count", c_int),
                ("isrs", c_void_p)]


class TopicMetadata(Structure):
    _fields_ = [("name", c_char_p), ("partition_count", c_int), ("partitions", POINTER(PartitionMetadata)), ("err", c_int)]


class Metadata(Structure):
    _fields_ = [("broker_count", c_int), ("brokers", c_void_p), ("topic_count", c_int), ("topics", POINTER(TopicMetadata)), ("broker_id", c_int32),
                ("broker_name", c_char_p)]


def declare(result, *names):
    for name in names:
        getattr(RK, name).restype = result


declare(c_void_p, "rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_queue_new", "rd_kafka_queue_get_main", "rd_kafka_queue_poll", "rd_kafka_topic_new",
        "rd_kafka_NewTopic_new", "rd_kafka_event_CreateTopics_result", "rd_kafka_event_DescribeConfigs_result", "rd_kafka_ConfigResource_new",
        "rd_kafka_produceva")
declare(POINTER(c_void_p), "rd_kafka_CreateTopics_result_topics", "rd_kafka_DescribeConfigs_result_resources", "rd_kafka_ConfigResource_configs")
declare(c_char_p, "rd_kafka_err2str", "rd_kafka_ConfigEntry_name", "rd_kafka_ConfigEntry_value", "rd_kafka_event_error_string")
declare(POINTER(Message), "rd_kafka_event_message_next", "rd_kafka_consumer_poll")
declare(POINTER(PlaceList), "rd_kafka_topic_partition_list_new")
declare(POINTER(Place), "rd_kafka_topic_partition_list_add")
declare(c_int64, "rd_kafka_message_timestamp")


def settings(**more):
    conf = c_void_p(RK.rd_kafka_conf_new())
    why = create_string_buffer(512)
    for name, value in ({"bootstrap.servers": BROKER, "broker.address.ttl": 100} | more).items():
        if RK.rd_kafka_conf_set(conf, name.encode(), str(value).encode(), why, c_size_t(len(why))) != 0:
            sys.exit(f"{name}: {why.value.decode()}")
    return conf


def client(kind, conf):
    why = create_string_buffer(512)
    handle = RK.rd_kafka_new(c_int(kind), conf, why, c_size_t(len(why)))
    if not handle:
        sys.exit(why.value.decode())
    return c_void_p(handle)


def must(code, what):
    if code != 0:
        sys.exit(f"{what}: {RK.rd_kafka_err2str(code).decode()}")


def metadata(handle, topic=None):
    found = POINTER(Metadata)()
    named = c_void_p(RK.rd_kafka_topic_new(handle, topic.encode(), None)) if topic else None
    must(RK.rd_kafka_metadata(handle, c_int(0 if topic else 1), named, byref(found), c_int(WAIT_MS)), "metadata")
    return [found.contents.topics[i] for i in range(found.contents.topic_count)]


def await_event(queue):
    event = RK.rd_kafka_queue_poll(queue, c_int(WAIT_MS))
    if not event:
        sys.exit("no answer")
    event = c_void_p(event)
    if code := RK.rd_kafka_event_error(event):
        sys.exit(f"{RK.rd_kafka_event_error_string(event).decode()} ({code})")
    return event


def create(topic, partitions, *configs):
    admin, why = client(PRODUCER, settings()), create_string_buffer(512)
    queue = c_void_p(RK.rd_kafka_queue_new(admin))
    made = RK.rd_kafka_NewTopic_new(topic.encode(), c_int(int(partitions)), c_int(1), why, c_size_t(len(why)))
    if not made:
        sys.exit(why.value.decode())
    for config in configs:
        name, value = config.split("=", 1)
        must(RK.rd_kafka_NewTopic_set_config(c_void_p(made), name.encode(), value.encode()), name)
    RK.rd_kafka_CreateTopics(admin, (c_void_p * 1)(made), c_size_t(1), None, queue)
    result, count = RK.rd_kafka_event_CreateTopics_result(await_event(queue)), c_size_t()
    topics = RK.rd_kafka_CreateTopics_result_topics(c_void_p(result), byref(count))
    for i in range(count.value):
        if code := RK.rd_kafka_topic_result_error(c_void_p(topics[i])):
            lines.say_error(code)


def describe(topic):
    admin = client(PRODUCER, settings())
    (found,) = metadata(admin, topic)
    if found.err:
        return lines.say_error(found.err)
    queue = c_void_p(RK.rd_kafka_queue_new(admin))
    asked = RK.rd_kafka_ConfigResource_new(c_int(RESOURCE_TOPIC), topic.encode())
    RK.rd_kafka_DescribeConfigs(admin, (c_void_p * 1)(asked), c_size_t(1), None, queue)
    result, count = RK.rd_kafka_event_DescribeConfigs_result(await_event(queue)), c_size_t()
    resources = RK.rd_kafka_DescribeConfigs_result_resources(c_void_p(result), byref(count))
    entries = RK.rd_kafka_ConfigResource_configs(c_void_p(resources[0]), byref(count))
    told = {}
    for i in range(count.value):
        entry = c_void_p(entries[i])
        told[RK.rd_kafka_ConfigEntry_name(entry).decode()] = (RK.rd_kafka_ConfigEntry_value(entry) or b"").decode()
    lines.say_topic(found.partition_count, told)


def list_topics():
    for topic in metadata(client(PRODUCER, settings())):
        print(topic.name.decode())


class Sender:
    """Sends with a number, and takes what became of each."""

    def __init__(self, topic, codec):
        conf = settings(**{"acks": "all", "compression.type": codec, "linger.ms": 20, "message.max.bytes": 20_000_000,
                           "queue.buffering.max.messages": 1_000_000, "topic.metadata.propagation.max.ms": 500})
        RK.rd_kafka_conf_set_events(conf, c_int(EVENT_DR))
        self.topic, self.handle = topic.encode(), client(PRODUCER, conf)
        self.queue = c_void_p(RK.rd_kafka_queue_get_main(self.handle))

    def send(self, number, record):
        """The code by which it is refused, or 0."""
        kept = []  # until the call is over
        def memory(content):
            if content is None:
                return Memory(None, 0)
            kept.append(create_string_buffer(content, max(len(content), 1)))
            return Memory(cast(kept[-1], c_void_p), len(content))
        arguments = [(V_TOPIC, {"text": self.topic}), (V_MSGFLAGS, {"int": COPY}), (V_OPAQUE, {"pointer": number + 1}),
                     (V_KEY, {"memory": memory(record.key)}), (V_VALUE, {"memory": memory(record.value)}), (V_TIMESTAMP, {"i64": record.timestamp}),
                     (V_PARTITION, {"i32": NO_PARTITION if record.partition is None else record.partition})]
        for name, content in record.headers:
            value = memory(content)
            arguments.append((V_HEADER, {"header": Header(name.encode(), value.pointer, value.size if content is not None else 0)}))
        array = (Argument * len(arguments))(*(Argument(kind, Content(**content)) for kind, content in arguments))
        error = RK.rd_kafka_produceva(self.handle, array, c_size_t(len(arguments)))
        if not error:
            return 0
        code = RK.rd_kafka_error_code(c_void_p(error))
        RK.rd_kafka_error_destroy(c_void_p(error))
        return code

    def answers(self, wait_ms):
        """NUMBER, CODE, PARTITION, OFFSET of what has an answer by then."""
        event = RK.rd_kafka_queue_poll(self.queue, c_int(wait_ms))
        if not event:
            return
        event = c_void_p(event)
        if RK.rd_kafka_event_type(event) == EVENT_DR:
            while message := RK.rd_kafka_event_message_next(event):
                told = message.contents
                yield told.opaque - 1, told.err, told.partition, told.offset
        RK.rd_kafka_event_destroy(event)


def produce(topic, codec):
    sender, told, waiting = Sender(topic, codec), [], 0
    for i, record in enumerate(lines.read_records()):
        code = sender.send(i, record)
        told.append((code, 0, 0) if code else None)
        waiting += code == 0
    while waiting:
        for number, code, partition, offset in sender.answers(WAIT_MS):
            told[number] = (code, partition, offset)
            waiting -= 1
    for code, partition, offset in told:
        lines.say_error(code) if code else lines.say_receipt(partition, offset)


def bulk(topic, codec, count, size):
    sender, acked, open_ones = Sender(topic, codec), 0, 0

    def take(wait_ms):
        nonlocal acked, open_ones
        for _, code, _, _ in sender.answers(wait_ms):
            acked += code == 0
            open_ones -= 1
    for i, (key, value) in enumerate(lines.bulk_records(int(count), int(size))):
        while (code := sender.send(i, lines.Record(None, 0, key, value, []))) == QUEUE_FULL:
            take(100)
        must(code, "produce")
        open_ones += 1
        take(0)
    while open_ones:
        take(WAIT_MS)
    print(acked)


def headers_of(message):
    headers, found = c_void_p(), []
    if RK.rd_kafka_message_headers(message, byref(headers)) != 0:
        return found
    name, value, size = c_char_p(), c_void_p(), c_size_t()
    while RK.rd_kafka_header_get_all(headers, c_size_t(len(found)), byref(name), byref(value), byref(size)) == 0:
        found.append((name.value.decode(), None if value.value is None else string_at(value.value, size.value)))
    return found


def marks(handle, topic, partition):
    low, high = c_int64(), c_int64()
    must(RK.rd_kafka_query_watermark_offsets(handle, topic.encode(), c_int32(partition), byref(low), byref(high), c_int(WAIT_MS)), "offsets")
    return low.value, high.value


def consume(topic):
    handle = client(CONSUMER, settings(**{"group.id": "none", "enable.auto.commit": "false", "auto.offset.reset": "error", "enable.partition.eof": "true"}))
    RK.rd_kafka_poll_set_consumer(handle)
    (found,) = metadata(handle, topic)
    places, open_partitions = RK.rd_kafka_topic_partition_list_new(c_int(found.partition_count)), set()
    for partition in range(found.partition_count):
        low, high = marks(handle, topic, partition)
        if low < high:
            RK.rd_kafka_topic_partition_list_add(places, topic.encode(), c_int32(partition)).contents.offset = low
            open_partitions.add(partition)
    must(RK.rd_kafka_assign(handle, places), "assign")
    while open_partitions:
        message = RK.rd_kafka_consumer_poll(handle, c_int(WAIT_MS))
        if not message:
            sys.exit("nothing came for 30 s")
        told = message.contents
        if told.err == PARTITION_EOF:
            open_partitions.discard(told.partition)
        elif told.err:
            must(told.err, "consume")
        else:
            kind = c_int()
            lines.say_record(told.partition, told.offset, RK.rd_kafka_message_timestamp(message, byref(kind)),
                             None if told.key is None else string_at(told.key, told.key_size),
                             None if told.payload is None else string_at(told.payload, told.size), headers_of(message))
        RK.rd_kafka_message_destroy(message)
    RK.rd_kafka_consumer_close(handle)


def offsets(topic, partition, *times):
    handle = client(CONSUMER, settings(**{"group.id": "none"}))
    for time in map(int, times):
        if time < 0:
            lines.say_offset(marks(handle, topic, int(partition))[1 if time == -1 else 0], -1)
            continue
        places = RK.rd_kafka_topic_partition_list_new(c_int(1))
        RK.rd_kafka_topic_partition_list_add(places, topic.encode(), c_int32(int(partition))).contents.offset = time
        must(RK.rd_kafka_offsets_for_times(handle, places, c_int(WAIT_MS)), "offsets for times")
        lines.say_offset(places.contents.places[0].offset, -1)


lines.run(create=create, describe=describe, list=list_topics, produce=produce, bulk=bulk, consume=consume, offsets=offsets)
