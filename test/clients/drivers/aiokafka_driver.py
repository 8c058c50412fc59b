"""aiokafka, on asyncio. See ../README.md for what a driver is asked and answers."""
import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalGenerationError, KafkaConnectionError, KafkaError, RebalanceInProgressError, UnknownMemberIdError

import lines

BROKER = sys.argv[2]
COMMON = {"bootstrap_servers": BROKER}


def code_of(error):
    return getattr(error, "errno", -1)


class Open:
    """A client, started, for as long as its context runs."""

    def __init__(self, client):
        self.client = client

    async def __aenter__(self):
        await self.client.start()
        return self.client

    async def __aexit__(self, *_):
        await (self.client.close() if isinstance(self.client, AIOKafkaAdminClient) else self.client.stop())


async def create(topic, partitions, *configs):
    new = NewTopic(topic, int(partitions), 1, topic_configs=dict(c.split("=", 1) for c in configs))
    async with Open(AIOKafkaAdminClient(**COMMON)) as admin:
        for _, code, *_ in (await admin.create_topics([new])).topic_errors:
            if code:
                lines.say_error(code)


async def describe(topic):
    async with Open(AIOKafkaAdminClient(**COMMON)) as admin:
        (found,) = await admin.describe_topics([topic])
        if found["error_code"]:
            return lines.say_error(found["error_code"])
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        lines.say_topic(len(found["partitions"]), {name: value for name, value, *_ in answer.resources[0][4]})


async def list_topics():
    async with Open(AIOKafkaAdminClient(**COMMON)) as admin:
        for topic in await admin.list_topics():
            print(topic)


def producer_of(codec):
    return Open(AIOKafkaProducer(**COMMON, acks="all", compression_type=None if codec == "none" else codec, linger_ms=20, max_request_size=20_000_000,
                                 request_timeout_ms=5_000))


async def produce(topic, codec):
    async with producer_of(codec) as producer:
        answers = []
        for record in lines.read_records():
            try:
                answers.append(await producer.send(topic, value=record.value, key=record.key, headers=record.headers, partition=record.partition,
                                                   timestamp_ms=record.timestamp))
            except KafkaError as error:
                answers.append(error)
        for answer in answers:
            try:
                if isinstance(answer, KafkaError):
                    raise answer
                receipt = await answer
                lines.say_receipt(receipt.partition, receipt.offset)
            except KafkaError as error:
                lines.say_error(code_of(error))


async def bulk(topic, codec, count, size):
    async with producer_of(codec) as producer:
        answers = [await producer.send(topic, value=value, key=key) for key, value in lines.bulk_records(int(count), int(size))]
        await producer.flush()
        print(sum(answer.exception() is None for answer in answers))


async def idempotent(topic, size):
    client = AIOKafkaProducer(**COMMON, acks="all", enable_idempotence=True, linger_ms=5, retry_backoff_ms=50, request_timeout_ms=60_000)
    progress, room = lines.Progress(), asyncio.Semaphore(lines.IN_FLIGHT)

    def answered(answer):
        progress.failed(code_of(answer.exception())) if answer.exception() else progress.acknowledged()
        room.release()
    async with Open(client) as producer:
        for key, value in lines.endless_records(int(size)):
            await room.acquire()
            (await producer.send(topic, value=value, key=key)).add_done_callback(answered)
            progress.sent += 1
        await producer.flush()
    progress.say_end()


async def consume(topic):
    async with Open(AIOKafkaConsumer(**COMMON, group_id=None, auto_offset_reset="none", enable_auto_commit=False)) as consumer:
        places = [TopicPartition(topic, partition) for partition in await partitions_of(topic)]
        consumer.assign(places)
        ends, begins = await consumer.end_offsets(places), await consumer.beginning_offsets(places)
        left = {place for place in places if begins[place] < ends[place]}
        for place in places:
            consumer.seek(place, begins[place])
        while left:
            polled = await consumer.getmany(timeout_ms=30_000)
            if not polled:
                sys.exit("nothing came for 30 s")
            for place, records in polled.items():
                for record in records:
                    lines.say_record(record.partition, record.offset, record.timestamp, record.key, record.value, record.headers)
                if await consumer.position(place) >= ends[place]:
                    left.discard(place)


async def partitions_of(topic):
    async with Open(AIOKafkaAdminClient(**COMMON)) as admin:
        (found,) = await admin.describe_topics([topic])
        return [partition["partition"] for partition in found["partitions"]]


class Listener(ConsumerRebalanceListener):
    async def on_partitions_revoked(self, revoked):
        pass

    async def on_partitions_assigned(self, assigned):
        lines.say_assigned(place.partition for place in assigned)


async def group(topic, name, instance):
    kind = {"session_timeout_ms": 6_000} if instance == "-" else {"session_timeout_ms": 30_000, "group_instance_id": instance}
    client = AIOKafkaConsumer(**COMMON, **kind, group_id=name, enable_auto_commit=False, auto_offset_reset="earliest", heartbeat_interval_ms=500,
                              partition_assignment_strategy=(RangePartitionAssignor,))
    client.subscribe([topic], listener=Listener())
    ended = lines.input_ended()
    async with Open(client) as consumer:
        while not ended():
            polled = await consumer.getmany(timeout_ms=200)
            for records in polled.values():
                for record in records:
                    lines.say_now("record", record.partition, record.offset, lines.encode(record.key))
            if polled:
                try:
                    await consumer.commit()
                    lines.say_now("committed")
                except (CommitFailedError, RebalanceInProgressError, IllegalGenerationError, UnknownMemberIdError, KafkaConnectionError):
                    pass  # another has these partitions now, or the server is away


async def offsets(topic, partition, *times):
    place = TopicPartition(topic, int(partition))
    async with Open(AIOKafkaConsumer(**COMMON, group_id=None)) as consumer:
        for time in map(int, times):
            if time == -1:
                lines.say_offset((await consumer.end_offsets([place]))[place], -1)
            elif time == -2:
                lines.say_offset((await consumer.beginning_offsets([place]))[place], -1)
            elif time == -3:
                lines.say_error("unsupported")
            else:
                found = (await consumer.offsets_for_times({place: time}))[place]
                lines.say_offset(*((found.offset, found.timestamp) if found else (-1, -1)))


def awaited(verb):
    return lambda *arguments: asyncio.run(verb(*arguments))


lines.run(**{name: awaited(verb) for name, verb in {
    "create": create, "describe": describe, "list": list_topics, "produce": produce, "bulk": bulk, "idempotent": idempotent, "consume": consume,
    "group": group, "offsets": offsets}.items()})
