/** A compacted topic whose keys are updated all the time, and what it must say in the end. */
import { Kafka, logLevel, Partitioners } from 'kafkajs';

const KEYS = 2_000;
const UPDATES_PER_SEND = 50;
const SENDS_PER_SECOND = 10;
const VALUE_BYTES = 200;
const READ_DEADLINE_MS = 60_000;

export class Updates {
  private readonly kafka: Kafka;
  private readonly topic: string;
  private readonly latest = new Map<string, string>();
  private running = true;
  private sending: Promise<void> = Promise.resolve();
  sent = 0;

  constructor(bootstrap: string, topic: string) {
    this.kafka = new Kafka({ brokers: [bootstrap], clientId: 'updates', logLevel: logLevel.NOTHING });
    this.topic = topic;
  }

  async start(): Promise<void> {
    const producer = this.kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    const send = async (): Promise<void> => {
      while (this.running) {
        const messages = Array.from({ length: UPDATES_PER_SEND }, () => {
          const n = this.sent++;
          return { key: `key-${(n * 7919) % KEYS}`, value: `${n}`.padEnd(VALUE_BYTES, '.') };
        });
        await producer.send({ topic: this.topic, acks: -1, messages });
        for (const { key, value } of messages) this.latest.set(key, value);
        await sleep(1_000 / SENDS_PER_SECOND);
      }
      await producer.disconnect();
    };
    this.sending = send();
    this.sending.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.sending;
  }

  /** Reads all of it. @throws where a key's last value is not the one that was acknowledged last */
  async verify(): Promise<{ readonly records: number; readonly keys: number }> {
    const consumer = this.kafka.consumer({ groupId: `verify-${Date.now()}` });
    const found = new Map<string, string>();
    let records = 0;
    await consumer.connect();
    try {
      await consumer.subscribe({ topics: [this.topic], fromBeginning: true });
      await consumer.run({
        eachMessage: ({ message }) => {
          records += 1;
          found.set(String(message.key), String(message.value));
          return Promise.resolve();
        },
      });
      const deadline = performance.now() + READ_DEADLINE_MS;
      while (this.wrong(found) !== undefined && performance.now() < deadline) await sleep(50);
    } finally {
      await consumer.disconnect();
    }
    const wrong = this.wrong(found);
    if (wrong !== undefined) {
      throw new Error(
        `the compacted topic is wrong: ${wrong} is ${found.get(wrong)?.trim()}, want ${this.latest.get(wrong)}`,
      );
    }
    return { records, keys: found.size };
  }

  private wrong(found: ReadonlyMap<string, string>): string | undefined {
    for (const [key, value] of this.latest) if (found.get(key) !== value) return key;
    return undefined;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
