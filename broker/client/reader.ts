import type { Host } from '../host/host.ts';
import { fetch } from '../wire/schemas/index.ts';
import { Backoff } from './backoff.ts';
import { KafkaError } from './error.ts';
import { EARLIEST, LATEST, offsetsAt } from './offsets.ts';
import type { Reader, ReaderOptions } from './port.ts';
import { decodeBatches } from './record-batches.ts';
import { throwOnError, type WireClient, type WireTopic } from './wire-client.ts';

const FETCH_WAIT_MS = 1_000;
const PARTITION_BYTES_MAX = 1024 * 1024;
const FETCH_BYTES_MAX = 8 * 1024 * 1024;
/** Version 12 is the last that names topics; later ones use ids, and a recreated topic is told apart anyway. */
const FETCH_VERSION_MAX = 12;

/**
 * Follows partitions without a group, from a chosen start, for ever: live tail, and state topics at start.
 * Positions live in memory only. Errors are retried with a back-off; a position that retention has passed moves
 * to the earliest record, one beyond the end (a recreated topic) too.
 */
export async function openReader(client: WireClient, host: Host, options: ReaderOptions): Promise<Reader> {
  const stop = new AbortController();
  const { topic: name } = options;
  let processing: Promise<void> = Promise.resolve();
  const onBatch: ReaderOptions['onBatch'] = (batch) => (processing = options.onBatch(batch));
  const state = await startingState(client, options);
  const caughtUp = catchUp(state, options.onCaughtUp);

  const follow = async (): Promise<void> => {
    const backoff = new Backoff(host.random, 100, 5_000);
    let topic = state.topic;
    let failing = false;
    caughtUp();
    while (!stop.signal.aborted) {
      try {
        await fetchOnce(client, topic, state.positions, stop.signal, onBatch, caughtUp);
        backoff.reset();
        if (failing) host.log.info({ topic: name }, 'reading again');
        failing = false;
      } catch (error) {
        if (stop.signal.aborted) return;
        const reason = error instanceof Error ? error.message : String(error);
        if (!failing) host.log.warn({ topic: name, reason }, 'cannot read, trying again');
        failing = true;
        await host.timers.sleep(backoff.next(), stop.signal);
        topic = await client.topic(name).catch(() => topic);
      }
    }
  };
  void follow();
  return {
    // A fetch may still wait at the broker; its answer is dropped.
    async close() {
      stop.abort();
      await processing.catch(() => undefined);
    },
  };
}

interface State {
  readonly topic: WireTopic;
  /** Next offset by partition. */
  readonly positions: Map<number, number>;
  /** End of each partition when reading began. */
  readonly ends: ReadonlyMap<number, number>;
}

async function startingState(client: WireClient, options: ReaderOptions): Promise<State> {
  const topic = await client.topic(options.topic);
  const partitions = options.partitions ?? [...topic.leaders.keys()];
  const ends = await offsetsAt(client, topic, partitions, LATEST);
  const { from } = options;
  if (from === 'latest') return { topic, positions: new Map(ends), ends };
  const positions = await offsetsAt(client, topic, partitions, EARLIEST);
  if (from === 'earliest') return { topic, positions, ends };
  if ('offsets' in from) {
    for (const partition of partitions) {
      const wanted = from.offsets[partition];
      if (wanted !== undefined) positions.set(partition, wanted);
    }
    return { topic, positions, ends };
  }
  const found = await offsetsAt(client, topic, partitions, from.timestampMs);
  for (const [partition, offset] of found)
    positions.set(partition, offset < 0 ? ends.get(partition)! : offset);
  return { topic, positions, ends };
}

/** Calls `onCaughtUp` once, when every position has reached the end of the start. */
function catchUp({ positions, ends }: State, onCaughtUp: (() => void) | undefined): () => void {
  let done = false;
  return () => {
    if (done) return;
    for (const [partition, end] of ends) if ((positions.get(partition) ?? 0) < end) return;
    done = true;
    onCaughtUp?.();
  };
}

async function fetchOnce(
  client: WireClient,
  topic: WireTopic,
  positions: Map<number, number>,
  stop: AbortSignal,
  onBatch: ReaderOptions['onBatch'],
  caughtUp: () => void,
): Promise<void> {
  const byLeader = Map.groupBy(positions.keys(), (partition) => topic.leaders.get(partition) ?? -1);
  // Each leader's answer is waited for, so with several of them the wait is shared.
  const maxWaitMs = Math.ceil(FETCH_WAIT_MS / byLeader.size);
  for (const [leader, partitions] of byLeader) {
    if (stop.aborted) return;
    const connection = await client.node(leader);
    const response = await connection.request(
      fetch,
      {
        maxWaitMs,
        minBytes: 1,
        maxBytes: FETCH_BYTES_MAX,
        isolationLevel: 1,
        topics: [
          {
            topic: topic.name,
            partitions: partitions.map((partition) => ({
              partition,
              fetchOffset: positions.get(partition)!,
              partitionMaxBytes: PARTITION_BYTES_MAX,
            })),
          },
        ],
        forgottenTopicsData: [],
      },
      { versionMax: FETCH_VERSION_MAX },
    );
    throwOnError(response.errorCode, `fetch ${topic.name}`);
    for (const answer of response.responses[0]?.partitions ?? []) {
      if (stop.aborted) return;
      await take(client, topic, answer, positions, onBatch);
      caughtUp();
    }
  }
}

async function take(
  client: WireClient,
  topic: WireTopic,
  answer: {
    partitionIndex: number;
    errorCode: number;
    highWatermark: number;
    abortedTransactions: Array<{ producerId: number; firstOffset: number }> | null;
    records: Buffer | null;
  },
  positions: Map<number, number>,
  onBatch: ReaderOptions['onBatch'],
): Promise<void> {
  const { partitionIndex: partition, highWatermark } = answer;
  const position = positions.get(partition)!;
  try {
    throwOnError(answer.errorCode, `fetch ${topic.name}/${partition}`);
  } catch (error) {
    if (!(error instanceof KafkaError) || error.code !== 'OFFSET_OUT_OF_RANGE') throw error;
    const earliest = await offsetsAt(client, topic, [partition], EARLIEST);
    positions.set(partition, earliest.get(partition)!);
    return;
  }
  if (!answer.records || answer.records.length === 0) return;
  const { records, nextOffset } = decodeBatches(answer.records, position, answer.abortedTransactions ?? []);
  if (records.length > 0) await onBatch({ topic: topic.name, partition, records, highWatermark });
  positions.set(partition, nextOffset);
}
