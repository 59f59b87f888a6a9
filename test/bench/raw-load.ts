/** A client that costs as little as it can: prebuilt requests, several connections, many requests in flight. */
import { randomBytes } from 'node:crypto';

import type { Connection } from '../../broker/client/connection.ts';
import { batchSizeOf, lastOffsetOf, recordCountOf } from '../../broker/log/batch/batch-header.ts';
import { fetch, produce } from '../../broker/wire/schemas/index.ts';
import { recordBatch } from '../support/record-batch.ts';

export interface Load {
  requests: number;
  records: number;
  bytes: number;
  seconds: number;
  /** Of each request, in ms. */
  readonly latencies: number[];
}

/** What one Produce request carries: a batch for each of these partitions. */
export interface ProducePlan {
  readonly topic: string;
  readonly partitions: readonly number[];
  readonly recordsPerBatch: number;
  readonly recordBytes: number;
}

export type ProduceRequest = Parameters<typeof produce.request.encode>[2];

/** Random content, so that no compression anywhere can flatter. */
export function produceRequest({ topic, partitions, recordsPerBatch, recordBytes }: ProducePlan): {
  body: ProduceRequest;
  bytes: number;
  records: number;
} {
  const value = (): string => randomBytes(recordBytes).toString('base64').slice(0, recordBytes);
  const partitionData = partitions.map((index) => ({
    index,
    records: recordBatch({
      values: Array.from({ length: recordsPerBatch }, value),
      baseTimestamp: Date.now(),
    }),
  }));
  return {
    body: {
      transactionalId: null,
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name: topic, partitionData }],
    },
    bytes: partitionData.reduce((sum, { records }) => sum + records.length, 0),
    records: recordsPerBatch * partitions.length,
  };
}

/** Version 9 names topics; later ones need their ids. */
const PRODUCE_VERSION_MAX = 9;

async function send(connection: Connection, body: ProduceRequest): Promise<void> {
  const { responses } = await connection.request(produce, body, { versionMax: PRODUCE_VERSION_MAX });
  for (const { partitionResponses } of responses) {
    for (const { errorCode } of partitionResponses) {
      if (errorCode !== 0) throw new Error(`cannot produce: the broker answers ${errorCode}`);
    }
  }
}

/** As fast as it goes, with `inFlight` requests on each connection. */
export async function produceFor(
  connections: readonly Connection[],
  plans: readonly ProducePlan[],
  inFlight: number,
  seconds: number,
): Promise<Load> {
  const requests = plans.map(produceRequest);
  const load: Load = { requests: 0, records: 0, bytes: 0, seconds: 0, latencies: [] };
  let next = 0;
  const start = performance.now();
  const endMs = start + seconds * 1_000;
  const sender = async (connection: Connection): Promise<void> => {
    while (performance.now() < endMs) {
      const request = requests[next++ % requests.length]!;
      const sentMs = performance.now();
      await send(connection, request.body);
      load.latencies.push(performance.now() - sentMs);
      load.requests += 1;
      load.records += request.records;
      load.bytes += request.bytes;
    }
  };
  await Promise.all(connections.flatMap((one) => Array.from({ length: inFlight }, () => sender(one))));
  load.seconds = (performance.now() - start) / 1_000;
  return load;
}

/**
 * At a steady rate, whatever the answers do: latencies count from when a request was due, so a stall is seen by all
 * that it delayed.
 */
export async function produceAtRate(
  connections: readonly Connection[],
  plans: readonly ProducePlan[],
  requestsPerSecond: number,
  seconds: number,
): Promise<Load> {
  const requests = plans.map(produceRequest);
  const load: Load = { requests: 0, records: 0, bytes: 0, seconds, latencies: [] };
  const pending: Array<Promise<void>> = [];
  const total = Math.max(1, Math.floor(requestsPerSecond * seconds));
  const start = performance.now();
  for (let sent = 0; sent < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - start) / 1_000) * requestsPerSecond) + 1);
    for (; sent < due; sent += 1) {
      const { body, records, bytes } = requests[sent % requests.length]!;
      const dueMs = start + (sent / requestsPerSecond) * 1_000;
      const answered = send(connections[sent % connections.length]!, body).then(() => {
        load.latencies.push(performance.now() - dueMs);
        load.requests += 1;
        load.records += records;
        load.bytes += bytes;
      });
      pending.push(answered);
    }
    await new Promise((resolve) => void setTimeout(resolve, 1));
  }
  await Promise.all(pending);
  return load;
}

/** Reads partitions from their start to their end, each connection its share of them; nothing is decoded. */
export async function fetchAll(
  connections: readonly Connection[],
  topic: string,
  partitions: number,
): Promise<Load> {
  const load: Load = { requests: 0, records: 0, bytes: 0, seconds: 0, latencies: [] };
  const start = performance.now();
  const reader = async (connection: Connection, share: number): Promise<void> => {
    const positions = new Map<number, number>();
    for (let partition = share; partition < partitions; partition += connections.length) {
      positions.set(partition, 0);
    }
    while (positions.size > 0) {
      const sentMs = performance.now();
      const { responses } = await connection.request(fetch, fetchRequest(topic, positions), {
        versionMax: 12,
      });
      load.latencies.push(performance.now() - sentMs);
      load.requests += 1;
      for (const { partitionIndex, errorCode, highWatermark, records } of responses[0]?.partitions ?? []) {
        if (errorCode !== 0) throw new Error(`cannot fetch: the broker answers ${errorCode}`);
        const next = count(records ?? Buffer.alloc(0), positions.get(partitionIndex)!, load);
        if (next >= highWatermark) positions.delete(partitionIndex);
        else positions.set(partitionIndex, next);
      }
    }
  };
  await Promise.all(connections.map(reader));
  load.seconds = (performance.now() - start) / 1_000;
  return load;
}

export function fetchRequest(
  topic: string,
  positions: ReadonlyMap<number, number>,
  maxWaitMs = 100,
): Parameters<typeof fetch.request.encode>[2] {
  const partitions = [...positions].map(([partition, fetchOffset]) => ({
    partition,
    fetchOffset,
    partitionMaxBytes: 1024 * 1024,
  }));
  return {
    maxWaitMs,
    minBytes: 1,
    maxBytes: 16 * 1024 * 1024,
    topics: [{ topic, partitions }],
    forgottenTopicsData: [],
  };
}

/** Adds whole batches to the load; the offset after the last one. */
function count(bytes: Buffer, position: number, load: Load): number {
  let next = position;
  for (let at = 0; at + 61 <= bytes.length;) {
    const size = batchSizeOf(bytes, at);
    if (at + size > bytes.length) break;
    next = lastOffsetOf(bytes, at) + 1;
    load.records += recordCountOf(bytes, at);
    load.bytes += size;
    at += size;
  }
  return next;
}
