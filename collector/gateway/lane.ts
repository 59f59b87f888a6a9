import type { Producer } from '../../broker/client/port.ts';
import type { Timers } from '../../broker/host/host.ts';
import type { BatchRecord } from './batch.ts';

/**
 * Bytes in one send. All that a send has for a partition becomes one record batch, and a batch must stay
 * below `max.message.bytes`, 1,048,588 by default here and in Apache Kafka: so a send as a whole does.
 */
const SEND_BYTES_MAX = 1_000_000;
/** Kafka's framing of a record, generously. */
const RECORD_OVERHEAD_BYTES = 64;

interface Waiting {
  readonly record: BatchRecord;
  readonly bytes: number;
  readonly done: (error: Error | undefined) => void;
}

/**
 * A queue of records for one topic with one send in flight: records of a key, which always take the same lane,
 * reach the log in the order in which they were accepted. What arrives while a send runs leaves with the next one,
 * and a short linger gathers the first. The queue is bounded by the gateway's bound on bytes in flight.
 */
export class Lane {
  private readonly topic: string;
  private readonly producer: Producer;
  private readonly timers: Timers;
  private readonly lingerMs: number;
  private waiting: Waiting[] = [];
  private waitingBytes = 0;
  private busy = false;

  constructor(topic: string, producer: Producer, timers: Timers, lingerMs: number) {
    this.topic = topic;
    this.producer = producer;
    this.timers = timers;
    this.lingerMs = lingerMs;
  }

  /** Resolves when the record is durable. */
  append(record: BatchRecord): Promise<void> {
    return new Promise((resolve, reject) => {
      const bytes = sizeOf(record);
      this.waiting.push({ record, bytes, done: (error) => (error ? reject(error) : resolve()) });
      this.waitingBytes += bytes;
      if (this.busy) return;
      this.busy = true;
      if (this.waitingBytes >= SEND_BYTES_MAX) void this.run();
      else this.timers.after(this.lingerMs, () => void this.run());
    });
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      const sending = this.take();
      const error = await this.producer
        .send(
          this.topic,
          sending.map(({ record: { key, value, headers } }) => ({ key, value, headers })),
        )
        .then(() => undefined, asError);
      for (const { done } of sending) done(error);
    }
    this.busy = false;
  }

  private take(): Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < this.waiting.length) {
      bytes += this.waiting[count]!.bytes;
      if (count > 0 && bytes > SEND_BYTES_MAX) break;
      count += 1;
    }
    const taken = this.waiting.splice(0, count);
    for (const one of taken) this.waitingBytes -= one.bytes;
    return taken;
  }
}

function sizeOf({ key, value, headers }: BatchRecord): number {
  let bytes = value.length + (key?.length ?? 0) + RECORD_OVERHEAD_BYTES;
  for (const name in headers) bytes += name.length + headers[name]!.length * 3 + 2;
  return bytes;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
