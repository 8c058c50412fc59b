"""kafka-python, a codec of its own in Python. See ../README.md for what a driver is asked and answers."""
import sys

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import KafkaError

import lines

BROKER = sys.argv[2]
COMMON = {"bootstrap_servers": BROKER}


def code_of(error):
    return getattr(error, "errno", -1)


def create(topic, partitions, *configs):
    new = NewTopic(topic, int(partitions), 1, topic_configs=dict(c.split("=", 1) for c in configs))
    admin = KafkaAdminClient(**COMMON)
    try:
        admin.create_topics([new])
    except KafkaError as error:
        lines.say_error(code_of(error))
    finally:
        admin.close()


def describe(topic):
    admin = KafkaAdminClient(**COMMON)
    (found,) = admin.describe_topics([topic])
    if found["error_code"]:
        return lines.say_error(found["error_code"])
    described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
    lines.say_topic(len(found["partitions"]), {name: entry["value"] for name, entry in described["topic"][topic].items()})


def list_topics():
    for topic in KafkaAdminClient(**COMMON).list_topics():
        print(topic)


def producer_of(codec):
    return KafkaProducer(**COMMON, acks="all", compression_type=None if codec == "none" else codec, linger_ms=20, max_request_size=20_000_000,
                         enable_idempotence=False, max_block_ms=5_000)


def produce(topic, codec):
    producer, futures = producer_of(codec), []
    for record in lines.read_records():
        try:
            futures.append(producer.send(topic, value=record.value, key=record.key, headers=record.headers, partition=record.partition,
                                         timestamp_ms=record.timestamp))
        except KafkaError as error:
            futures.append(error)
    producer.flush(60)
    for future in futures:
        if isinstance(future, KafkaError):
            lines.say_error(code_of(future))
        elif future.failed():
            lines.say_error(code_of(future.exception))
        else:
            lines.say_receipt(future.value.partition, future.value.offset)


def bulk(topic, codec, count, size):
    producer = producer_of(codec)
    futures = [producer.send(topic, value=value, key=key) for key, value in lines.bulk_records(int(count), int(size))]
    producer.flush(120)
    print(sum(future.succeeded() for future in futures))


def consume(topic):
    consumer = KafkaConsumer(**COMMON, group_id=None, auto_offset_reset="none", consumer_timeout_ms=30_000)
    places = [TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic)]
    ends, begins = consumer.end_offsets(places), consumer.beginning_offsets(places)
    left = {place for place in places if begins[place] < ends[place]}
    consumer.assign(sorted(left))
    for place in left:
        consumer.seek(place, begins[place])
    while left:
        polled = consumer.poll(timeout_ms=30_000)
        if not polled:
            sys.exit("nothing came for 30 s")
        for place, records in polled.items():
            for record in records:
                lines.say_record(record.partition, record.offset, record.timestamp, record.key, record.value, record.headers)
            if consumer.position(place) >= ends[place]:
                left.discard(place)
    consumer.close()


def offsets(topic, partition, *times):
    consumer = KafkaConsumer(**COMMON, group_id=None)
    place = TopicPartition(topic, int(partition))
    consumer.partitions_for_topic(topic)
    for time in map(int, times):
        if time == -1:
            lines.say_offset(consumer.end_offsets([place])[place], -1)
        elif time == -2:
            lines.say_offset(consumer.beginning_offsets([place])[place], -1)
        elif time == -3:
            lines.say_error("unsupported")
        else:
            found = consumer.offsets_for_times({place: time})[place]
            lines.say_offset(*((found.offset, found.timestamp) if found else (-1, -1)))


lines.run(create=create, describe=describe, list=list_topics, produce=produce, bulk=bulk, consume=consume, offsets=offsets)
