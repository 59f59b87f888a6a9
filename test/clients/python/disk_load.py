"""Load by librdkafka for a broker whose process or disk is taken away meanwhile: an idempotent and a transactional
producer, each with a journal as test/crash/disk/ledger.ts has it. Runs until its standard input ends.

`python3 disk_load.py <host:port> <journal folder> <run> <seed> <records per second> <partitions> <topic>...`
"""

import hashlib
import os
import random
import sys
import threading
import time

from confluent_kafka import KafkaError, KafkaException, Producer

KEYS = 50
# Refused by the broker, for certain: further in the future than topics allow.
TOO_LATE_MS = 2 * 3_600_000
PATIENCE_S = 10
ABORTED_SHARE = 0.3


class Load:
    def __init__(self, address, folder, run, seed, rate, partitions, *topics):
        self.address = address
        self.folder = folder
        self.run = run
        self.seed = int(seed)
        self.rate = float(rate)
        self.partitions = int(partitions)
        self.topics = topics
        self.stopping = threading.Event()


class DiskProducer:
    def __init__(self, load, name, settings):
        self.load = load
        self.name = name
        self.settings = settings
        self.random = random.Random(f"{load.seed} {name}")
        self.life = 0
        self.transaction = 0
        self.next = {}
        self.failed = None
        path = os.path.join(load.folder, f"{name}.journal")
        self.journal = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)

    def write(self, line):
        os.write(self.journal, (line + "\n").encode())

    def open(self):
        """Begins a new identity."""
        self.life += 1
        self.write(f"L {self.life}")
        settings = {
            "bootstrap.servers": self.load.address,
            "client.id": f"disk-{self.name}",
            "enable.idempotence": True,
            "linger.ms": 2,
            # Below the topics' max.message.bytes.
            "batch.size": 50_000,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 100,
            "retry.backoff.ms": 20,
            "socket.timeout.ms": 5_000,
            "queue.buffering.max.messages": 2_000,
            "log_level": 0,
        }
        settings.update(self.settings)
        return Producer(settings)

    def produce(self, producer, transaction, count, late_ms=0):
        """Sends some records to one partition; the journal says so before."""
        topic = self.random.choice(self.load.topics)
        partition = self.random.randrange(self.load.partitions)
        lane = f"{topic} {partition}"
        first = self.next.get(lane, 0)
        self.next[lane] = first + count
        self.write(f"I {lane} {first} {count} {transaction}")
        padding = self.padding()
        timestamp = int(time.time() * 1000) + late_ms
        for seq in range(first, first + count):
            key = f"{self.name}/{partition}/{seq % KEYS}"
            value = self.payload(transaction, topic, partition, seq, padding)
            while True:
                try:
                    producer.produce(
                        topic,
                        value,
                        key,
                        partition,
                        on_delivery=lambda error, got, seq=seq: self.delivered(lane, seq, error, got),
                        timestamp=timestamp,
                    )
                    break
                except BufferError:
                    producer.poll(0.05)
                except KafkaException as error:
                    # It never got as far as the client's queue.
                    self.write(f"F {lane} {seq} refused by the client: {error.args[0].name()}")
                    self.failed = error.args[0]
                    break
        producer.poll(0)

    def delivered(self, lane, seq, error, got):
        if error is None:
            self.write(f"O {lane} {seq} {got.offset()}")
            return
        self.failed = error
        if error.code() == KafkaError.INVALID_TIMESTAMP:
            self.write(f"F {lane} {seq} {error.name()}")
        else:
            self.write(f"U {lane} {seq} {error.name()}")

    def payload(self, transaction, topic, partition, seq, padding):
        text = f"{self.load.run} {self.name} {self.life} {transaction} {topic} {partition} {seq} {'r' * padding} "
        return text + hashlib.sha256(text.encode()).hexdigest()[:16]

    def padding(self):
        """Small for most records, large for some."""
        return self.random.randrange(20_000) if self.random.randrange(50) == 0 else 1 + self.random.randrange(600)

    def pace(self, producer, records):
        """Waits for as long as that many records may take."""
        until = time.monotonic() + records / self.load.rate
        while (left := until - time.monotonic()) > 0 and not self.load.stopping.is_set():
            producer.poll(left)

    def give_up(self, producer):
        """What is under way ends as unknown."""
        producer.purge()
        producer.poll(0)
        producer.flush(1)

    def send_plain(self):
        """Sends and does not wait; now and then it gives up its identity with all that is under way."""
        producer = self.open()
        while not self.load.stopping.is_set():
            if self.random.randrange(300) == 0 or (self.failed is not None and self.failed.fatal()):
                self.give_up(producer)
                self.failed = None
                producer = self.open()
            if self.random.randrange(100) == 0 and producer.flush(PATIENCE_S) == 0:
                # Alone on its way, so that nothing else is refused with it.
                self.produce(producer, 0, 1, TOO_LATE_MS)
                producer.flush(PATIENCE_S)
            count = 1 + self.random.randrange(20)
            self.produce(producer, 0, count)
            self.pace(producer, count)
        producer.flush(PATIENCE_S)
        self.give_up(producer)

    def transact(self):
        """One transaction after another; after an unknown end it is a new identity under the same id."""
        producer = None
        while not self.load.stopping.is_set():
            try:
                if producer is None:
                    producer = self.open()
                    producer.init_transactions(PATIENCE_S)
                if not self.transact_once(producer):
                    self.give_up(producer)
                    producer = None
            except KafkaException:
                if producer is not None:
                    self.give_up(producer)
                producer = None
                time.sleep(0.02)

    def transact_once(self, producer):
        """False when this identity is no longer of use."""
        producer.begin_transaction()
        self.transaction += 1
        self.write(f"B {self.transaction}")
        self.failed = None
        records = 0
        for _ in range(1 + self.random.randrange(4)):
            count = 1 + self.random.randrange(6)
            records += count
            self.produce(producer, self.transaction, count)
        if self.random.randrange(60) == 0:
            self.write(f"A {self.transaction}")
            return False
        left = producer.flush(PATIENCE_S)
        if left > 0 or self.failed is not None:
            self.write(f"A {self.transaction}")
            return False
        if self.random.random() < ABORTED_SHARE:
            self.write(f"A {self.transaction}")
            producer.abort_transaction(PATIENCE_S)
        else:
            self.write(f"C {self.transaction}")
            if not self.commit(producer):
                return False
        self.pace(producer, records)
        return True

    def commit(self, producer):
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                producer.commit_transaction(PATIENCE_S)
                self.write(f"D {self.transaction}")
                return True
            except KafkaException as failure:
                # A retriable end may be asked for again; of any other nobody knows what became of it.
                if not failure.args[0].retriable() or time.monotonic() > until or self.load.stopping.is_set():
                    self.write(f"X {self.transaction}")
                    return False


def main():
    load = Load(*sys.argv[1:])
    suffix = os.environ.get("LOAD_SUFFIX", "")
    plain = DiskProducer(load, f"librdkafka-plain{suffix}", {})
    identity = f"librdkafka-txn{suffix}"
    transactional = DiskProducer(load, identity, {"transactional.id": identity, "transaction.timeout.ms": 10_000})
    threads = [threading.Thread(target=plain.send_plain), threading.Thread(target=transactional.transact)]
    for thread in threads:
        thread.start()
    sys.stdin.buffer.read()
    load.stopping.set()
    for thread in threads:
        thread.join(3 * PATIENCE_S)
    # What a thread may still wait for is of no more use.
    os._exit(0)


if __name__ == "__main__":
    main()
