/** A producer at a steady rate and a reader at the log's end, each with connections of its own. */
import type { Connection } from '../../broker/client/connection.ts';
import { baseOffsetOf, batchSizeOf, recordCountOf } from '../../broker/log/batch/batch-header.ts';
import { fetch, produce } from '../../broker/wire/schemas/index.ts';
import type { Ledger } from './ledger.ts';
import { fetchRequest, produceRequest, type ProducePlan } from './raw-load.ts';

/** Up to these versions topics have names; later ones need their ids. */
const PRODUCE_VERSION_MAX = 9;
const FETCH_VERSION_MAX = 12;
const HEADER_BYTES = 61;
const WAIT_MS = 500;
const TICK_MS = 1;

/** Sends each request when it is due, whatever the answers do, until `running` says no; then waits for the answers. */
export async function produceSteadily(
  connections: readonly Connection[],
  plans: readonly ProducePlan[],
  requestsPerSecond: number,
  ledger: Ledger,
  running: () => boolean,
  onAnswer: (latencyMs: number) => void = () => undefined,
): Promise<void> {
  const requests = plans.map(produceRequest);
  const pending = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const start = performance.now();
  for (let sent = 0; running() && failures.length === 0;) {
    const due = Math.floor(((performance.now() - start) / 1_000) * requestsPerSecond) + 1;
    for (; sent < due; sent += 1) {
      const dueMs = start + (sent / requestsPerSecond) * 1_000;
      const n = sent % requests.length;
      const answered = produceOnce(
        connections[sent % connections.length]!,
        requests[n]!.body,
        plans[n]!.recordsPerBatch,
        dueMs,
        ledger,
      )
        .then(() => onAnswer(performance.now() - dueMs))
        .catch((error: unknown) => void failures.push(error));
      pending.add(answered);
      void answered.then(() => pending.delete(answered));
    }
    await new Promise((resolve) => void setTimeout(resolve, TICK_MS));
  }
  await Promise.all(pending);
  if (failures.length > 0) throw failures[0];
}

/** With `inFlight` requests on each connection, as fast as they are answered; requests a second. */
export async function produceFreely(
  connections: readonly Connection[],
  plans: readonly ProducePlan[],
  inFlight: number,
  seconds: number,
  ledger: Ledger,
): Promise<number> {
  const requests = plans.map(produceRequest);
  const start = performance.now();
  let sent = 0;
  const sender = async (connection: Connection): Promise<void> => {
    while (performance.now() - start < seconds * 1_000) {
      const n = sent++ % requests.length;
      await produceOnce(connection, requests[n]!.body, plans[n]!.recordsPerBatch, performance.now(), ledger);
    }
  };
  await Promise.all(connections.flatMap((one) => Array.from({ length: inFlight }, () => sender(one))));
  return sent / ((performance.now() - start) / 1_000);
}

async function produceOnce(
  connection: Connection,
  body: ReturnType<typeof produceRequest>['body'],
  recordsPerBatch: number,
  dueMs: number,
  ledger: Ledger,
): Promise<void> {
  const { responses } = await connection.request(produce, body, { versionMax: PRODUCE_VERSION_MAX });
  for (const { partitionResponses } of responses) {
    for (const { index, errorCode, baseOffset } of partitionResponses) {
      if (errorCode !== 0) throw new Error(`cannot produce: the broker answers ${errorCode}`);
      ledger.onSent(index, baseOffset, recordsPerBatch, dueMs);
    }
  }
}

/** One reader of some partitions, from offset 0 on. */
export class TailReader {
  private readonly connection: Connection;
  private readonly topic: string;
  private readonly positions: Map<number, number>;
  private readonly ledger: Ledger;
  private running = true;
  /** How far it is behind, in records, as of the last answers. */
  lag = 0;
  readonly ended: Promise<void>;

  constructor(
    connection: Connection,
    topic: string,
    partitions: readonly number[],
    ledger: Ledger,
    onAnswer: (fetchMs: number) => void = () => undefined,
  ) {
    this.connection = connection;
    this.topic = topic;
    this.positions = new Map(partitions.map((one) => [one, 0]));
    this.ledger = ledger;
    this.ended = this.follow(onAnswer);
    // Heard of where it is waited for.
    this.ended.catch(() => undefined);
  }

  /** Ends with the answer that is under way. */
  stop(): Promise<void> {
    this.running = false;
    return this.ended;
  }

  private async follow(onAnswer: (fetchMs: number) => void): Promise<void> {
    const behind = new Map<number, number>();
    while (this.running) {
      const sentMs = performance.now();
      const request = fetchRequest(this.topic, this.positions, WAIT_MS);
      const { responses } = await this.connection.request(fetch, request, { versionMax: FETCH_VERSION_MAX });
      const nowMs = performance.now();
      let bytes = 0;
      for (const { partitionIndex, errorCode, highWatermark, records } of responses[0]?.partitions ?? []) {
        if (errorCode !== 0) throw new Error(`cannot fetch: the broker answers ${errorCode}`);
        bytes += records?.length ?? 0;
        const next = this.take(partitionIndex, records ?? Buffer.alloc(0), nowMs);
        behind.set(partitionIndex, highWatermark - next);
      }
      this.lag = [...behind.values()].reduce((sum, one) => sum + one, 0);
      // An answer without records has waited for some, which says nothing.
      if (bytes > 0) onAnswer(nowMs - sentMs);
    }
  }

  private take(partition: number, bytes: Buffer, nowMs: number): number {
    let next = this.positions.get(partition)!;
    for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
      const size = batchSizeOf(bytes, at);
      if (at + size > bytes.length) break;
      const records = recordCountOf(bytes, at);
      this.ledger.onRead(partition, baseOffsetOf(bytes, at), records, nowMs);
      next += records;
      at += size;
    }
    this.positions.set(partition, next);
    return next;
  }
}
