"""kafka-python, a codec of its own in Python: 3.0, and 2.0, which speaks the versions of the year 2018. See ../README.md for what a driver is asked and
answers."""
import sys
import threading

import kafka
from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import (CommitFailedError, IllegalGenerationError, KafkaConnectionError, KafkaError, RebalanceInProgressError,
                          UnknownMemberIdError)

import lines

BROKER = sys.argv[2]
COMMON = {"bootstrap_servers": BROKER}
OLD = kafka.__version__.startswith("2.")


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
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    if OLD:
        (answer,) = admin.describe_configs([resource])
        configs = {name: value for name, value, *_ in answer.resources[0][4]}
    else:
        configs = {name: entry["value"] for name, entry in admin.describe_configs([resource], config_filter="all")["topic"][topic].items()}
    lines.say_topic(len(found["partitions"]), configs)


def list_topics():
    for topic in KafkaAdminClient(**COMMON).list_topics():
        print(topic)


def producer_of(codec):
    return KafkaProducer(**COMMON, acks="all", compression_type=None if codec == "none" else codec, linger_ms=20, max_request_size=20_000_000,
                         max_block_ms=5_000, **({} if OLD else {"enable_idempotence": False}))


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


def idempotent(topic, size):
    producer = KafkaProducer(**COMMON, acks="all", enable_idempotence=True, linger_ms=5, batch_size=16_384, request_timeout_ms=5_000,
                             delivery_timeout_ms=120_000, reconnect_backoff_max_ms=500, retry_backoff_ms=50, max_block_ms=60_000)
    progress, room = lines.Progress(), threading.Semaphore(lines.IN_FLIGHT)

    def acknowledged(_receipt):
        progress.acknowledged()
        room.release()

    def failed(error):
        progress.failed(code_of(error))
        room.release()
    for key, value in lines.endless_records(int(size)):
        room.acquire()
        producer.send(topic, value=value, key=key).add_callback(acknowledged).add_errback(failed)
        progress.sent += 1
    producer.flush(120)
    progress.say_end()


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


class Listener(ConsumerRebalanceListener):
    def on_partitions_revoked(self, revoked):
        pass

    def on_partitions_assigned(self, assigned):
        lines.say_assigned(place.partition for place in assigned)


def group(topic, name, instance):
    kind = {"session_timeout_ms": 6_000} if instance == "-" else {"session_timeout_ms": 30_000, "group_instance_id": instance}
    consumer = KafkaConsumer(**COMMON, **kind, group_id=name, enable_auto_commit=False, auto_offset_reset="earliest", heartbeat_interval_ms=500,
                             partition_assignment_strategy=[RangePartitionAssignor])
    consumer.subscribe([topic], listener=Listener())
    # A leader that learns of partitions after it assigned joins again for that reason alone, and takes the reason back while it assigns anew: if its poll
    # ends before the answer to SyncGroup is there, version 3.0.12 never looks at that answer, and sends no heartbeats any more.
    consumer.partitions_for_topic(topic)
    ended = lines.input_ended()
    while not ended():
        polled = consumer.poll(timeout_ms=200)
        for records in polled.values():
            for record in records:
                lines.say_now("record", record.partition, record.offset, lines.encode(record.key))
        if polled:
            try:
                consumer.commit()
                lines.say_now("committed")
            except (CommitFailedError, RebalanceInProgressError, IllegalGenerationError, UnknownMemberIdError, KafkaConnectionError):
                pass  # another has these partitions now, or the server is away
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


lines.run(create=create, describe=describe, list=list_topics, produce=produce, bulk=bulk, idempotent=idempotent, consume=consume, group=group, offsets=offsets)
