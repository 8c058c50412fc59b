"""librdkafka by confluent-kafka. See ../README.md for what a driver is asked and answers."""
import sys

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec

import lines

BROKER = sys.argv[2]
COMMON = {"bootstrap.servers": BROKER, "broker.address.ttl": 100}


def code_of(error):
    names = {KafkaError._UNKNOWN_TOPIC: 3, KafkaError._UNKNOWN_PARTITION: 3}
    return names.get(error.code(), error.code())


def create(topic, partitions, *configs):
    new = NewTopic(topic, int(partitions), 1, config=dict(c.split("=", 1) for c in configs))
    admin = AdminClient(COMMON)  # what it was asked ends with it
    for future in admin.create_topics([new]).values():
        try:
            future.result()
        except KafkaException as error:
            return lines.say_error(code_of(error.args[0]))


def describe(topic):
    admin = AdminClient(COMMON)
    found = admin.list_topics(topic, timeout=30).topics[topic]
    if found.error is not None:
        return lines.say_error(code_of(found.error))
    (future,) = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]).values()
    lines.say_topic(len(found.partitions), {name: entry.value for name, entry in future.result().items()})


def list_topics():
    for topic in AdminClient(COMMON).list_topics(timeout=30).topics:
        print(topic)


def producer_of(codec):
    return Producer(COMMON | {"acks": "all", "compression.type": codec, "linger.ms": 20, "message.max.bytes": 20_000_000,
                              "queue.buffering.max.messages": 1_000_000, "topic.metadata.propagation.max.ms": 500})


def produce(topic, codec):
    producer, answers = producer_of(codec), []
    for i, record in enumerate(lines.read_records()):
        answers.append(None)

        def answered(error, message, i=i):
            answers[i] = (None, code_of(error)) if error else (message.partition(), message.offset())
        try:
            producer.produce(topic, value=record.value, key=record.key, headers=record.headers, timestamp=record.timestamp,
                             on_delivery=answered, **({} if record.partition is None else {"partition": record.partition}))
        except KafkaException as error:
            answers[i] = (None, code_of(error.args[0]))
        producer.poll(0)
    producer.flush(60)
    for partition, answer in answers:
        lines.say_error(answer) if partition is None else lines.say_receipt(partition, answer)


def bulk(topic, codec, count, size):
    producer, acked = producer_of(codec), 0

    def answered(error, _message):
        nonlocal acked
        acked += error is None
    for key, value in lines.bulk_records(int(count), int(size)):
        producer.produce(topic, value=value, key=key, on_delivery=answered)
        producer.poll(0)
    producer.flush(60)
    print(acked)


def idempotent(topic, size):
    producer = Producer(COMMON | {"enable.idempotence": True, "linger.ms": 5, "batch.size": 16_384, "message.timeout.ms": 120_000,
                                  "queue.buffering.max.messages": lines.IN_FLIGHT, "reconnect.backoff.max.ms": 500, "retry.backoff.max.ms": 200})
    progress = lines.Progress()

    def answered(error, _message):
        progress.failed(code_of(error)) if error else progress.acknowledged()
    for key, value in lines.endless_records(int(size)):
        while True:
            try:
                producer.produce(topic, value=value, key=key, on_delivery=answered)
                break
            except BufferError:
                producer.poll(0.05)
        progress.sent += 1
        producer.poll(0)
    producer.flush(120)
    progress.say_end()


def consume(topic):
    consumer = Consumer(COMMON | {"group.id": "none", "enable.auto.commit": False, "auto.offset.reset": "error", "enable.partition.eof": True})
    ends = {}
    for partition in consumer.list_topics(topic, timeout=30).topics[topic].partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
        if low < high:
            ends[partition] = (low, high)
    consumer.assign([TopicPartition(topic, partition, low) for partition, (low, _) in ends.items()])
    open_partitions = set(ends)
    while open_partitions:
        message = consumer.poll(30)
        if message is None:
            sys.exit("nothing came for 30 s")
        if message.error():
            if message.error().code() == KafkaError._PARTITION_EOF:
                open_partitions.discard(message.partition())
                continue
            sys.exit(str(message.error()))
        lines.say_record(message.partition(), message.offset(), message.timestamp()[1], message.key(), message.value(),
                         message.headers() or [])
    consumer.close()


def group(topic, name, instance):
    static = {} if instance == "-" else {"group.instance.id": instance}
    consumer = Consumer(COMMON | static | {"group.id": name, "enable.auto.commit": False, "auto.offset.reset": "earliest", "session.timeout.ms": 30_000 if static else 6_000,
                                           "heartbeat.interval.ms": 500, "partition.assignment.strategy": "range"})
    consumer.subscribe([topic], on_assign=lambda _, places: lines.say_assigned(place.partition for place in places))
    ended = lines.input_ended()
    while not ended():
        messages = consumer.consume(500, timeout=0.2)
        for message in messages:
            if message.error():
                sys.exit(str(message.error()))
            lines.say_now("record", message.partition(), message.offset(), lines.encode(message.key()))
        if messages:
            try:
                consumer.commit(asynchronous=False)
                lines.say_now("committed")
            except KafkaException as error:
                # Another has these partitions now, or the server is away.
                if error.args[0].code() not in (KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS,
                                                KafkaError._NO_OFFSET, KafkaError._WAIT_COORD, KafkaError._TRANSPORT, KafkaError._TIMED_OUT):
                    raise
    consumer.close()


def offsets(topic, partition, *times):
    specs = {-1: OffsetSpec.latest, -2: OffsetSpec.earliest, -3: OffsetSpec.max_timestamp}
    place, admin = TopicPartition(topic, int(partition)), AdminClient(COMMON)
    for time in map(int, times):
        spec = specs[time]() if time < 0 else OffsetSpec.for_timestamp(time)
        (future,) = admin.list_offsets({place: spec}).values()
        found = future.result()
        lines.say_offset(found.offset, found.timestamp)


lines.run(create=create, describe=describe, list=list_topics, produce=produce, bulk=bulk, idempotent=idempotent, consume=consume, group=group, offsets=offsets)
