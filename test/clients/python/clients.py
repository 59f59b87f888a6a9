"""Drives a broker with librdkafka through its Python binding: `python3 clients.py <bootstrap address> [scenario...]`.

Every observation is one line of JSON, {"scenario": ..., "step": ..., "result": ...}, the same for every broker that
does it right. A scenario that cannot go on says so as its step "error".
"""

import json
import os
import sys
import time

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,
    NewPartitions,
    NewTopic,
)

DEADLINE_S = 60


class World:
    def __init__(self, address, scenario):
        self.address = address
        self.scenario = scenario
        self.prefix = f"python-{scenario}-"
        self.until = time.monotonic() + DEADLINE_S

    def name(self, local):
        return self.prefix + local

    def observe(self, step, got):
        result = got if isinstance(got, str) else json.dumps(got)
        print(json.dumps({"scenario": self.scenario, "step": step, "result": result}), flush=True)

    def settings(self, **more):
        base = {"bootstrap.servers": self.address, "client.id": "librdkafka"}
        base.update({name.replace("_", "."): value for name, value in more.items()})
        return base

    def admin(self):
        return AdminClient(self.settings())

    def topic(self, local, partitions=1, **configs):
        """Makes a topic and waits for its leaders."""
        name = self.name(local)
        admin = self.admin()
        new = NewTopic(name, partitions, 1, config={key.replace("_", "."): value for key, value in configs.items()})
        admin.create_topics([new])[name].result(10)
        while self.in_time():
            found = admin.list_topics(name, 5).topics[name].partitions
            if len(found) == partitions and all(one.error is None for one in found.values()):
                return name
        raise TimeoutError(f"{name} has no leaders")

    def in_time(self):
        return time.monotonic() < self.until

    def consumer(self, **more):
        options = {"group_id": self.name("none"), "auto_offset_reset": "earliest", "enable_auto_commit": False}
        options.update(more)
        return Consumer(self.settings(**options))

    def read(self, consumer, count):
        records = []
        while len(records) < count:
            if not self.in_time():
                raise TimeoutError(f"read {len(records)} of {count}")
            message = consumer.poll(0.1)
            if message is None:
                continue
            if message.error():
                raise KafkaException(message.error())
            records.append(message)
        return records


def code(error):
    """Kafka's name of an error, "" where there is none."""
    if error is None:
        return ""
    if isinstance(error, KafkaException):
        error = error.args[0]
    return error.name() if isinstance(error, KafkaError) else str(error)


def outcome(call):
    try:
        call()
        return ""
    except KafkaException as error:
        return code(error)


def codecs(world):
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        topic = world.topic(f"codec-{codec}")
        errors = []
        producer = Producer(world.settings(compression_type=codec, linger_ms=20, enable_idempotence=True))
        for i in range(100):
            producer.produce(
                topic,
                key=f"k{i}",
                value=f"{i}:" + "x" * 100,
                headers=[("h", str(i).encode())],
                on_delivery=lambda error, _: errors.append(code(error)) if error else None,
            )
        producer.flush(20)
        consumer = world.consumer()
        consumer.assign([TopicPartition(topic, 0, 0)])
        read = world.read(consumer, 100)
        ordered = all(
            message.value().decode().split(":")[0] == str(i) and message.headers() == [("h", str(i).encode())]
            for i, message in enumerate(read)
        )
        consumer.close()
        world.observe(codec, {"errors": errors, "ordered": ordered})


def big_messages(world):
    topic = world.topic("big", max_message_bytes="3000000")
    results = []
    producer = Producer(world.settings(message_max_bytes=4_000_000))
    for size in [1, 1_000_000, 2_900_000, 3_100_000]:
        producer.produce(topic, value=b"x" * size, on_delivery=lambda error, _: results.append(code(error)))
        producer.flush(20)
    world.observe("sizes", results)
    consumer = world.consumer(fetch_message_max_bytes=1000)
    consumer.assign([TopicPartition(topic, 0, 0)])
    world.observe("read", [len(message.value()) for message in world.read(consumer, 3)])
    consumer.close()


def offsets(world):
    topic = world.topic("offsets")
    start = (int(time.time()) - 3600) * 1000
    producer = Producer(world.settings(linger_ms=50))
    for i in range(20):
        producer.produce(topic, value=str(i), timestamp=start + i * 1000)
    producer.flush(20)
    consumer = world.consumer()
    for seconds in [-5, 0, 10, 19, 30]:
        found = consumer.offsets_for_times([TopicPartition(topic, 0, start + seconds * 1000)], timeout=10)
        world.observe(f"first at {seconds} s or later", found[0].offset)
    world.observe("watermarks", list(consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)))
    consumer.assign([TopicPartition(topic, 0, 15)])
    world.observe("from 15", [message.value().decode() for message in world.read(consumer, 5)])
    consumer.close()


def group(world, kind, **options):
    topic = world.topic(f"{kind}-topic", 4)
    producer = Producer(world.settings(linger_ms=5))
    for i in range(200):
        producer.produce(topic, key=f"k{i}", value=str(i))
    producer.flush(20)
    name = world.name(f"{kind}-group")
    members = []
    seen = {}

    def join(**more):
        settings = {"group_id": name, "session_timeout_ms": 6000, "heartbeat_interval_ms": 100}
        settings.update(options)
        settings.update(more)
        member = world.consumer(**settings)
        member.subscribe([topic])
        members.append(member)
        return member

    def turn():
        for member in members:
            message = member.poll(0.02)
            if message is not None and not message.error():
                seen[message.value().decode()] = seen.get(message.value().decode(), 0) + 1
                member.commit(message, asynchronous=True)

    def until(condition, what):
        while not condition():
            if not world.in_time():
                raise TimeoutError(what)
            turn()

    join()
    until(lambda: len(members[0].assignment()) == 4, "one member")
    join()
    until(lambda: sorted(len(member.assignment()) for member in members) == [2, 2], "two members")
    world.observe(f"{kind}: two members", "two partitions each")
    until(lambda: len(seen) == 200, "all records")
    world.observe(f"{kind}: read", len(seen))
    members.pop().close()
    until(lambda: len(members[0].assignment()) == 4, "one member again")
    members.pop().close()
    check = world.consumer(group_id=name)
    committed = check.committed([TopicPartition(topic, partition) for partition in range(4)], timeout=10)
    world.observe(f"{kind}: committed", sum(max(one.offset, 0) for one in committed))
    check.close()


def groups(world):
    group(world, "range", partition_assignment_strategy="range")
    group(world, "cooperative", partition_assignment_strategy="cooperative-sticky")


def transactions(world):
    topic = world.topic("txn")
    identity = world.name("id")
    producer = Producer(world.settings(transactional_id=identity, transaction_timeout_ms=30_000))
    producer.init_transactions(20)
    for i in range(6):
        producer.begin_transaction()
        producer.produce(topic, value=str(i))
        if i % 2 == 0:
            producer.commit_transaction(20)
        else:
            producer.abort_transaction(20)
    consumer = world.consumer(isolation_level="read_committed")
    consumer.assign([TopicPartition(topic, 0, 0)])
    world.observe("read_committed", [message.value().decode() for message in world.read(consumer, 3)])
    producer.begin_transaction()
    producer.produce(topic, value="fenced")
    producer.flush(10)
    usurper = Producer(world.settings(transactional_id=identity))
    usurper.init_transactions(20)
    world.observe("the fenced one commits", outcome(lambda: producer.commit_transaction(20)))
    usurper.begin_transaction()
    usurper.produce(topic, value="usurper")
    usurper.commit_transaction(20)
    world.observe("after fencing", [message.value().decode() for message in world.read(consumer, 1)])
    consumer.close()


def transaction_copy(world):
    """Copies a topic by transactions, every third of which is aborted and done again."""
    source, target = world.topic("copy-from", 2), world.topic("copy-to", 1)
    producer = Producer(world.settings(linger_ms=5))
    for i in range(200):
        producer.produce(source, value=str(i), partition=i % 2)
    producer.flush(20)
    consumer = world.consumer(
        group_id=world.name("copy-group"), isolation_level="read_committed", session_timeout_ms=6000
    )
    consumer.subscribe([source])
    copier = Producer(world.settings(transactional_id=world.name("copy")))
    copier.init_transactions(20)
    committed, rounds = 0, 0
    while committed < 200:
        batch = world.read(consumer, min(20, 200 - committed))
        rounds += 1
        copier.begin_transaction()
        for message in batch:
            copier.produce(target, value=message.value())
        if rounds % 3 == 0:
            copier.abort_transaction(20)
            first = {}
            for message in batch:
                first.setdefault(message.partition(), message.offset())
            for partition, offset in first.items():
                consumer.seek(TopicPartition(source, partition, offset))
            continue
        copier.send_offsets_to_transaction(
            consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), 20
        )
        copier.commit_transaction(20)
        committed += len(batch)
    reader = world.consumer(isolation_level="read_committed")
    reader.assign([TopicPartition(target, 0, 0)])
    read = [message.value().decode() for message in world.read(reader, 200)]
    world.observe("copied once", sorted(read, key=int) == [str(i) for i in range(200)])
    positions = consumer.committed([TopicPartition(source, 0), TopicPartition(source, 1)], timeout=10)
    world.observe("positions", [one.offset for one in positions])
    reader.close()
    consumer.close()


def admin(world):
    topic = world.topic("admin", 2, retention_ms="3600000")
    client = world.admin()

    def create(name, partitions=1, replicas=1, **config):
        return outcome(lambda: client.create_topics([NewTopic(name, partitions, replicas, config=config)])[name].result(10))

    world.observe("made again", create(topic))
    world.observe("bad name", create("not/a/name"))
    world.observe("three replicas", create(world.name("replicas"), replicas=3))
    world.observe("bad setting", create(world.name("config"), no_such="1"))
    world.observe("grown", outcome(lambda: client.create_partitions([NewPartitions(topic, 4)])[topic].result(10)))
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    described = list(client.describe_configs([resource]).values())[0].result(10)
    world.observe("retention.ms", described["retention.ms"].value)
    altered = ConfigResource(ConfigResource.Type.TOPIC, topic, set_config={"retention.ms": "7200000"})
    world.observe("altered", outcome(lambda: list(client.alter_configs([altered]).values())[0].result(10)))
    world.observe("deleted", outcome(lambda: client.delete_topics([topic])[topic].result(10)))


SCENARIOS = {
    "librdkafka-codecs": codecs,
    "librdkafka-big-messages": big_messages,
    "librdkafka-offsets": offsets,
    "librdkafka-groups": groups,
    "librdkafka-transactions": transactions,
    "librdkafka-transaction-copy": transaction_copy,
    "librdkafka-admin": admin,
}


def main():
    if len(sys.argv) < 2:
        sys.exit(f"usage: clients.py <host:port> [scenario...]; scenarios: {' '.join(SCENARIOS)}")
    for name in sys.argv[2:] or SCENARIOS:
        world = World(sys.argv[1], name)
        try:
            SCENARIOS[name](world)
        except (KafkaException, TimeoutError) as error:
            world.observe("error", code(error))


main()
