import { createTopics, fetch, produce } from '../../../broker/wire/schemas/index.ts';
import type { RawClient } from '../../support/raw-client.ts';
import { recordBatch } from '../../support/record-batch.ts';
import type { BrokerChild } from './broker-child.ts';

export const STORAGE_ERROR = 56;
const TOPIC = 'probe';
const EVERY_MS = 20;
const PRODUCE_VERSION = 7;
const FETCH_VERSION = 11;

interface Answer {
  readonly sentMs: number;
  readonly answeredMs: number;
  /** Undefined: no answer, the connection was lost. */
  readonly errorCode: number | undefined;
}

/** A write and a read every 20 ms, each of them timed: what a fault looks like from outside. */
export class Probe {
  readonly writes: Answer[] = [];
  readonly reads: Answer[] = [];
  readonly #broker: BrokerChild;
  readonly #running: Array<Promise<void>>;
  #stopping = false;

  private constructor(broker: BrokerChild) {
    this.#broker = broker;
    const batch = recordBatch({ values: ['x'.repeat(500)], baseTimestamp: Date.now() });
    this.#running = [
      this.#repeat(this.writes, async (client) => {
        const { responses } = await client.call(produce, PRODUCE_VERSION, {
          transactionalId: null,
          acks: -1,
          timeoutMs: 10_000,
          topicData: [{ name: TOPIC, partitionData: [{ index: 0, records: batch }] }],
        });
        return responses[0]!.partitionResponses[0]!.errorCode;
      }),
      this.#repeat(this.reads, async (client) => {
        const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 10_000 }];
        const { responses } = await client.call(fetch, FETCH_VERSION, {
          maxWaitMs: 100,
          minBytes: 1,
          maxBytes: 10_000,
          isolationLevel: 0,
          topics: [{ topic: TOPIC, partitions }],
        });
        const { errorCode, records } = responses[0]!.partitions[0]!;
        return errorCode === 0 && (records?.length ?? 0) === 0 ? -1 : errorCode;
      }),
    ];
  }

  static async start(broker: BrokerChild): Promise<Probe> {
    const client = await broker.connect();
    await client.call(createTopics, 7, {
      topics: [{ name: TOPIC, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
    });
    client.close();
    const probe = new Probe(broker);
    await probe.until((one) => one.writes.some(({ errorCode }) => errorCode === 0), 10_000);
    return probe;
  }

  /** Whether it came true in time. */
  async until(isSo: (probe: Probe) => boolean, timeoutMs: number): Promise<boolean> {
    const deadlineMs = performance.now() + timeoutMs;
    while (!isSo(this)) {
      if (performance.now() > deadlineMs) return false;
      await new Promise((resolve) => void setTimeout(resolve, 5));
    }
    return true;
  }

  /** The first write that was answered with success after that moment, and sent after it too. */
  succeededAfter(ms: number): Answer | undefined {
    return this.writes.find(({ sentMs, errorCode }) => sentMs >= ms && errorCode === 0);
  }

  refusedAfter(ms: number): Answer | undefined {
    return this.writes.find(({ answeredMs, errorCode }) => answeredMs >= ms && errorCode === STORAGE_ERROR);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#running);
  }

  async #repeat(answers: Answer[], ask: (client: RawClient) => Promise<number>): Promise<void> {
    let client: RawClient | undefined;
    while (!this.#stopping) {
      const sentMs = performance.now();
      let errorCode: number | undefined;
      try {
        if (!client || client.socket.destroyed) client = await this.#broker.connect();
        errorCode = await ask(client);
      } catch {
        client?.close();
        client = undefined;
      }
      answers.push({ sentMs, answeredMs: performance.now(), errorCode });
      await new Promise((resolve) => void setTimeout(resolve, EVERY_MS));
    }
    client?.close();
  }
}
