"""Drives a broker with librdkafka through its Python binding: `python3 clients.py <bootstrap address> [<address with SASL>] [scenario...]`.

Every observation is one line of JSON, {"scenario": ..., "step": ..., "result": ...}, the same for every broker that
does it right. A scenario that cannot go on says so as its step "error".
"""

import base64
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

from administration import WRITE, READ, GROUP, TOPIC, allow, set_client_quota, set_scram_password

DEADLINE_S = 60
# Kafka's broker hears of users and rules a moment after they were answered: what must work is tried this long.
HEARS_WITHIN_S = 10


class World:
    def __init__(self, address, sasl_address, scenario):
        self.address = address
        self.sasl_address = sasl_address
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


def eventually(call):
    """Tries until there is no error; what was said last."""
    until = time.monotonic() + HEARS_WITHIN_S
    while (said := outcome(call)) and time.monotonic() < until:
        time.sleep(0.1)
    return said


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


def entering(world, mechanism, user, password, **more):
    """Settings that say who one is, and a place for what the client says of it."""
    if world.sasl_address is None:
        raise TimeoutError("no address with SASL is given")
    said = []
    settings = world.settings(
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism=mechanism,
        **more,
    )
    settings["bootstrap.servers"] = world.sasl_address
    settings["error_cb"] = lambda error: said.append(error.name())
    if mechanism == "OAUTHBEARER":
        settings["oauth_cb"] = lambda _: unsecured_token(user)
    else:
        settings.update({"sasl.username": user, "sasl.password": password})
    return settings, said


def unsecured_token(subject):
    def part(content):
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    now = int(time.time())
    claims = {"sub": subject, "iat": now, "exp": now + 3600}
    return f"{part({'alg': 'none'})}.{part(claims)}.", float(now + 3600)


def enter(world, mechanism, user, password):
    settings, said = entering(world, mechanism, user, password)
    client = Producer(settings)
    until = time.monotonic() + 5
    while time.monotonic() < until:
        client.poll(0.05)
        if "_AUTHENTICATION" in said:
            return "refused"
        if "_ALL_BROKERS_DOWN" in said and mechanism not in MECHANISMS:
            return "no broker has it"
        try:
            # It returns without an error as soon as it is let in.
            client.list_topics(timeout=0.2)
            return "entered"
        except KafkaException:
            continue
    return f"no answer: {sorted(set(said))}"


MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]


def sasl(world):
    user, password = world.name("carol"), "carol-secret"
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"]:
        set_scram_password(world.address, user, mechanism, password)
        # Not longer: Kafka 4 never lets librdkafka in before 2.6.1, which sends its nonce twice.
        until = time.monotonic() + 2
        while enter(world, mechanism, user, password) != "entered" and time.monotonic() < until:
            time.sleep(0.1)
    for mechanism in MECHANISMS:
        name, right = (user, password) if mechanism.startswith("SCRAM") else ("alice", "alice-secret")
        world.observe(mechanism, enter(world, mechanism, name, right))
        if mechanism != "OAUTHBEARER":
            world.observe(f"{mechanism} with a wrong password", enter(world, mechanism, name, "x"))
            world.observe(f"{mechanism} of nobody", enter(world, mechanism, "nobody", "x"))


def access(world):
    """As alice what the rules do not allow, and then what they do."""
    one = world.topic("one")
    world.topic("other")
    group_id = world.name("group")
    producer = Producer(world.settings())
    producer.produce(one, value="v")
    producer.flush(20)

    def alice(**more):
        return entering(world, "PLAIN", "alice", "alice-secret", **more)[0]

    def produce():
        errors = []
        client = Producer(alice(message_timeout_ms=5000))
        client.produce(one, value="v", on_delivery=lambda error, _: errors.append(error))
        client.flush(10)
        if not errors:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        if errors[0] is not None:
            raise KafkaException(errors[0])

    def read_one(consumer, ignored=None):
        try:
            until = time.monotonic() + 8
            while time.monotonic() < until:
                message = consumer.poll(0.1)
                if message is None or (message.error() and message.error().name() == ignored):
                    continue
                if message.error():
                    raise KafkaException(message.error())
                return
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        finally:
            consumer.close()

    def consumer(group):
        return Consumer(alice(group_id=group, auto_offset_reset="earliest", enable_auto_commit=False))

    def read():
        reader = consumer(world.name("none"))
        reader.assign([TopicPartition(one, 0, 0)])
        # It looks for the group's coordinator too, sooner or later than for the topic.
        read_one(reader, ignored="GROUP_AUTHORIZATION_FAILED")

    def read_in_group():
        reader = consumer(group_id)
        reader.subscribe([one])
        read_one(reader)

    def commit():
        reader = consumer(group_id)
        try:
            reader.commit(offsets=[TopicPartition(one, 0, 1)], asynchronous=False)
        finally:
            reader.close()

    def transaction():
        Producer(alice(transactional_id=world.name("id"))).init_transactions(10)

    world.observe("nothing is allowed: produces", outcome(produce))
    allow(world.address, "alice", TOPIC, one, READ)
    world.observe("may read: reads", eventually(read))
    seen = AdminClient(alice()).list_topics(timeout=10).topics
    world.observe("may read: sees", sorted(name for name in seen if name.startswith(world.prefix)))
    world.observe("may read: produces", outcome(produce))
    world.observe("may read: reads in a group", outcome(read_in_group))
    world.observe("may read: starts a transaction", outcome(transaction))
    client = AdminClient(alice())
    removed = client.delete_topics([one])[one]
    world.observe("may read: deletes the topic", outcome(lambda: removed.result(10)))
    allow(world.address, "alice", GROUP, group_id, READ)
    world.observe("may use the group: reads in a group", eventually(read_in_group))
    world.observe("may use the group: commits", eventually(commit))
    allow(world.address, "alice", TOPIC, one, WRITE)
    world.observe("may write: produces", eventually(produce))


def quota(world):
    topic = world.topic("quota")
    identity = world.name("client")
    set_client_quota(world.address, identity, "producer_byte_rate", 50_000)
    throttled = []
    settings = world.settings(client_id=identity)
    settings["throttle_cb"] = lambda event: throttled.append(event.throttle_time)
    producer = Producer(settings)
    until = time.monotonic() + 20
    while not throttled and time.monotonic() < until:
        producer.produce(topic, value=os.urandom(100_000))
        producer.flush(10)
    world.observe("throttled", bool(throttled))


# There is no scenario with share groups: librdkafka knows none.
SCENARIOS = {
    "librdkafka-codecs": codecs,
    "librdkafka-big-messages": big_messages,
    "librdkafka-offsets": offsets,
    "librdkafka-groups": groups,
    "librdkafka-transactions": transactions,
    "librdkafka-transaction-copy": transaction_copy,
    "librdkafka-admin": admin,
    "librdkafka-sasl": sasl,
    "librdkafka-access": access,
    "librdkafka-quota": quota,
}


def main():
    if len(sys.argv) < 2:
        sys.exit(f"usage: clients.py <host:port> [<host:port with SASL>] [scenario...]; scenarios: {' '.join(SCENARIOS)}")
    names, sasl_address = sys.argv[2:], None
    if names and ":" in names[0]:
        sasl_address, *names = names
    for name in names or SCENARIOS:
        world = World(sys.argv[1], sasl_address, name)
        try:
            SCENARIOS[name](world)
        except (KafkaException, TimeoutError) as error:
            world.observe("error", code(error))


main()
