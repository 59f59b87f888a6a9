import type { Host } from '../host/host.ts';
import { produce } from '../wire/schemas/index.ts';
import { Backoff } from './backoff.ts';
import { deadline } from './deadline.ts';
import { KafkaError } from './error.ts';
import { partitionOfKey } from './murmur2.ts';
import type { Producer, ProduceRecord } from './port.ts';
import { throwOnError, type WireClient, type WireTopic } from './wire-client.ts';
import { writeBatch } from './write-batch.ts';

/** After this a send has failed for its caller. */
const SEND_TIMEOUT_MS = 20_000;
/** How long the broker may take to make a request durable, and how long its answer is waited for. */
const ACK_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 15_000;
const ATTEMPTS = 6;
/** Partitions may be added to a topic; Kafka's clients look as often. */
const METADATA_AGE_MAX_MS = 300_000;
/** Later versions name topics by id; nothing in them is needed here. */
const PRODUCE_VERSION_MAX = 9;

/** What became of the records for one partition; without an error they are durable. */
interface Outcome {
  readonly partition: number;
  readonly records: readonly ProduceRecord[];
  readonly baseOffset: number;
  readonly error?: KafkaError | undefined;
}

/**
 * The producing half of the port over our own wire client, which it takes for itself and closes.
 *
 * A batch is made in one pass in one buffer. kafkajs copies it once a level of the request, each time into a zeroed
 * buffer that is too large, and takes its checksum byte by byte: that was most of the collector's CPU time.
 *
 * Not idempotent: after a send of unknown outcome a repeat may be stored, which source and sequence in the headers
 * let readers drop. Callers that need order per key keep one send in flight.
 */
export function wireProducer(client: WireClient, host: Host): Producer {
  const stop = new AbortController();
  const topics = new Map<string, { topic: WireTopic; atMs: number }>();
  let turn = Math.floor(host.random.unit() * 1_000);

  async function topicOf(name: string): Promise<WireTopic> {
    const known = topics.get(name);
    const nowMs = host.clock.monotonicMs();
    if (known && nowMs - known.atMs < METADATA_AGE_MAX_MS) return known.topic;
    const topic = await client.topic(name);
    topics.set(name, { topic, atMs: nowMs });
    return topic;
  }

  function partitionOf({ partition, key }: ProduceRecord, partitions: number): number {
    if (partition !== undefined) return partition;
    if (key !== null) return partitionOfKey(key, partitions);
    turn = (turn + 1) % partitions;
    return turn;
  }

  /** One try with each leader. Rejects when not even the leaders are known. */
  async function attempt(name: string, records: readonly ProduceRecord[]): Promise<Outcome[]> {
    const topic = await topicOf(name);
    const byPartition = Map.groupBy(records, (record) => partitionOf(record, topic.leaders.size));
    const byLeader = Map.groupBy(byPartition, ([partition]) => topic.leaders.get(partition) ?? -1);
    const sent = [...byLeader].map(([leader, batches]) =>
      sendTo(leader, name, batches).catch((error: unknown) => {
        if (!(error instanceof KafkaError)) throw error;
        return batches.map(([partition, batch]) => ({ partition, records: batch, baseOffset: -1, error }));
      }),
    );
    return (await Promise.all(sent)).flat();
  }

  async function sendTo(
    leader: number,
    name: string,
    batches: ReadonlyArray<[number, ProduceRecord[]]>,
  ): Promise<Outcome[]> {
    const connection = await client.node(leader);
    const nowMs = host.clock.nowMs();
    const partitionData = batches.map(([index, batch]) => ({ index, records: writeBatch(batch, nowMs) }));
    const topicData = [{ name, partitionData }];
    const { responses } = await connection.request(
      produce,
      { transactionalId: null, acks: -1, timeoutMs: ACK_TIMEOUT_MS, topicData },
      { timeoutMs: ANSWER_TIMEOUT_MS, versionMax: PRODUCE_VERSION_MAX },
    );
    const answers = new Map(responses[0]?.partitionResponses.map((answer) => [answer.index, answer]));
    return batches.map(([partition, batch]) => {
      const answer = answers.get(partition);
      const error = failureOf(answer?.errorCode, `produce to ${name}/${partition}`);
      return { partition, records: batch, baseOffset: answer?.baseOffset ?? -1, error };
    });
  }

  /** Tries until everything is durable, something is refused for good, or the tries are used up. */
  async function deliver(name: string, records: readonly ProduceRecord[], end: AbortSignal): Promise<Stored> {
    const backoff = new Backoff(host.random, 100, 1_000);
    const stored = new Map<number, number>();
    let left = records;
    for (let tries = 1; ; tries += 1) {
      let failed: ReadonlyArray<{ records: readonly ProduceRecord[]; error?: KafkaError | undefined }>;
      try {
        const outcomes = await attempt(name, left);
        failed = outcomes.filter(({ error }) => error !== undefined);
        for (const { partition, baseOffset, error } of outcomes) {
          if (!error && !stored.has(partition)) stored.set(partition, baseOffset);
        }
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error;
        failed = [{ records: left, error }];
      }
      if (failed.length === 0)
        return [...stored].map(([partition, baseOffset]) => ({ partition, baseOffset }));
      // The leader may be another one now, or the topic another.
      topics.delete(name);
      const worst = failed.find(({ error }) => !error!.retriable) ?? failed[0]!;
      if (!worst.error!.retriable || tries === ATTEMPTS || end.aborted) throw worst.error!;
      await host.timers.sleep(backoff.next(), end);
      left = failed.flatMap((one) => one.records);
    }
  }

  return {
    async send(topic, records) {
      if (stop.signal.aborted) {
        throw new KafkaError('CLOSED', `cannot produce to ${topic}: the producer is closed`, false);
      }
      const late = new AbortController();
      const delivered = deliver(topic, records, AbortSignal.any([late.signal, stop.signal]));
      try {
        return await deadline(host.timers, delivered, SEND_TIMEOUT_MS, `produce to ${topic}`);
      } finally {
        late.abort();
      }
    },
    async close() {
      stop.abort();
      client.close();
    },
  };
}

type Stored = Array<{ partition: number; baseOffset: number }>;

function failureOf(errorCode: number | undefined, doing: string): KafkaError | undefined {
  if (errorCode === undefined) return new KafkaError('CLIENT', `cannot ${doing}: no answer for it`, true);
  try {
    throwOnError(errorCode, doing);
    return undefined;
  } catch (error) {
    return error as KafkaError;
  }
}
