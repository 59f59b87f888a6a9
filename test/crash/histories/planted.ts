/** Faults of a broker, played at its door: what each breaks is the name of an anomaly. */
import { CODE } from '../../../broker/wire/errors.ts';
import type { Chunked } from '../../../broker/wire/schema.ts';
import type { Act, Misbehaviour } from '../../support/misbehave.ts';
import { readBatches, recordBatch } from '../../support/record-batch.ts';
import type { Anomaly } from './anomalies.ts';

interface ProduceRequest {
  transactionalId: string | null;
  topicData: Array<{ name: string; partitionData: Array<{ index: number; records: Buffer }> }>;
}

interface FetchRequest {
  isolationLevel: number;
  topics: Array<{ partitions: Array<{ fetchOffset: number }> }>;
}

interface FetchAnswer {
  responses: Array<{
    partitions: Array<{ abortedTransactions: object[] | null; records: Chunked | Buffer | null }>;
  }>;
}

interface CommitRequest {
  topics: Array<{ partitions: Array<{ committedOffset: number }> }>;
}

export interface Planted {
  readonly title: string;
  readonly finds: Anomaly;
  /** In the story of positions in transactions, not in that of sends and polls. */
  readonly copying?: true;
  plant(broker: Misbehaviour): void;
}

/** Readers by their client ids: one goes along with the story, the other reads everything at its end. */
export const ALONG = 'along';
export const AT_THE_END = 'at the end';

export const PLANTED: readonly Planted[] = [
  {
    title: 'answers have no list of aborted transactions',
    finds: 'G1a',
    plant: (broker) => fetched(broker, {}, (answer) => void (answer.abortedTransactions = [])),
  },
  {
    title: 'an acknowledged batch is gone',
    finds: 'lost-write',
    plant: (broker) => served(broker, {}, (batches) => batches.filter((batch) => !has(batch, 'a2'))),
  },
  {
    title: 'nothing is served from an acknowledged batch on',
    finds: 'unseen',
    plant: (broker) =>
      served(broker, {}, (batches) => {
        const from = batches.findIndex((batch) => has(batch, 'p2'));
        return from < 0 ? batches : batches.slice(0, from);
      }),
  },
  {
    title: 'a repeated batch is appended again',
    finds: 'duplicate',
    plant: (broker) =>
      onProduceOf(broker, 'p1', async (call, next) => {
        const first = await next();
        unnumbered(call.request as ProduceRequest);
        await next();
        return first;
      }),
  },
  {
    title: 'two batches change places before somebody reads them again',
    finds: 'inconsistent-offsets',
    plant: (broker) =>
      served(broker, { clientId: AT_THE_END }, (batches) => {
        const at = batches.findIndex((batch) => has(batch, 'a1'));
        const [one, other] = [batches[at], batches[at + 1]];
        if (!one || !other) return batches;
        const offset = one.readBigInt64BE(0);
        one.writeBigInt64BE(other.readBigInt64BE(0), 0);
        other.writeBigInt64BE(offset, 0);
        return batches.toSorted((a, b) => Number(a.readBigInt64BE(0) - b.readBigInt64BE(0)));
      }),
  },
  {
    title: 'markers are served as data',
    finds: 'phantom',
    plant: (broker) =>
      served(broker, {}, (batches) => {
        for (const batch of batches) batch.writeInt16BE(batch.readInt16BE(21) & ~0x20, 21);
        return batches;
      }),
  },
  {
    title: 'a transaction of which the client heard no end loses one of its partitions',
    finds: 'torn-transaction',
    plant: (broker) => {
      broker.on({ api: 'EndTxn', nth: 1 }, async (_call, next) => {
        await next();
        return { errorCode: CODE.UNKNOWN_SERVER_ERROR };
      });
      served(broker, {}, (batches) => batches.filter((batch) => !has(batch, 'a3')));
    },
  },
  {
    title: 'the last stable offset is that of readers of everything',
    finds: 'precommitted-read',
    plant: (broker) => uncommitted(broker),
  },
  {
    title: 'two open transactions read each other',
    finds: 'G1c',
    plant: (broker) => uncommitted(broker),
  },
  {
    title: 'what is acknowledged outside of transactions is written behind the next',
    finds: 'nonmonotonic-send',
    plant: (broker) => heldBack(broker, 'p1', 'p2'),
  },
  {
    title: 'what is acknowledged in a transaction is written behind the next',
    finds: 'int-nonmonotonic-send',
    plant: (broker) => heldBack(broker, 'a1', 'a2'),
  },
  {
    title: 'a batch in the middle of an answer is left out',
    finds: 'int-poll-skip',
    plant: (broker) =>
      served(broker, { clientId: ALONG }, (batches) => batches.filter((batch) => !has(batch, 'x2'))),
  },
  {
    title: 'batches of an answer go backwards',
    finds: 'int-nonmonotonic-poll',
    plant: (broker) =>
      served(broker, { clientId: ALONG }, (batches) =>
        batches.some((batch) => has(batch, 'a1')) ? batches.toReversed() : batches,
      ),
  },
  {
    title: 'an answer begins behind the position',
    finds: 'poll-skip',
    plant: (broker) =>
      served(broker, { clientId: ALONG }, (batches) => batches.filter((batch) => !has(batch, 'x1'))),
  },
  {
    title: 'an answer begins before the position',
    finds: 'nonmonotonic-poll',
    plant: (broker) => {
      let done = false;
      broker.on({ api: 'Fetch', clientId: ALONG }, (call, next) => {
        const partitions = (call.request as FetchRequest).topics.flatMap((topic) => topic.partitions);
        if (!done && partitions.some(({ fetchOffset }) => fetchOffset > 0)) {
          done = true;
          for (const partition of partitions) partition.fetchOffset = 0;
        }
        return next();
      });
    },
  },
  {
    title: 'positions of a transaction are acknowledged and forgotten',
    finds: 'consumed-twice',
    copying: true,
    plant: (broker) =>
      broker.on({ api: 'TxnOffsetCommit' }, async (call, next) => {
        const { topics } = call.request as CommitRequest;
        for (const { partitions } of topics) for (const one of partitions) one.committedOffset = 0;
        return next();
      }),
  },
  {
    title: 'positions of a transaction are too high',
    finds: 'consumed-gap',
    copying: true,
    plant: (broker) =>
      broker.on({ api: 'TxnOffsetCommit' }, async (call, next) => {
        const { topics } = call.request as CommitRequest;
        for (const { partitions } of topics) for (const one of partitions) one.committedOffset += 2;
        return next();
      }),
  },
];

type Readers = { readonly clientId?: string };

/** Changes every partition of every answer to these readers. */
function fetched(
  broker: Misbehaviour,
  which: Readers,
  edit: (partition: FetchAnswer['responses'][number]['partitions'][number]) => void,
): void {
  broker.on({ api: 'Fetch', ...which }, async (_call, next) => {
    const answer = (await next()) as FetchAnswer;
    for (const partition of answer.responses.flatMap(({ partitions }) => partitions)) edit(partition);
    return answer;
  });
}

function served(broker: Misbehaviour, which: Readers, edit: (batches: Buffer[]) => Buffer[]): void {
  fetched(broker, which, (partition) => {
    const { records } = partition;
    if (!records) return;
    // A copy: what is served is the log's own memory.
    const bytes = Buffer.concat('chunks' in records ? records.chunks : [records]);
    partition.records = Buffer.concat(edit(batchesIn(bytes)));
  });
}

function uncommitted(broker: Misbehaviour): void {
  broker.on({ api: 'Fetch' }, (call, next) => {
    (call.request as FetchRequest).isolationLevel = 0;
    return next();
  });
}

function onProduceOf(broker: Misbehaviour, value: string, act: Act): void {
  broker.on({ api: 'Produce' }, (call, next) =>
    batchesOf(call.request as ProduceRequest).some((batch) => has(batch, value)) ? act(call, next) : next(),
  );
}

/** The first is acknowledged at once and appended behind the second. */
function heldBack(broker: Misbehaviour, first: string, second: string): void {
  let held: (() => Promise<unknown>) | undefined;
  broker.on({ api: 'Produce' }, async (call, next) => {
    const request = call.request as ProduceRequest;
    const isOf = (value: string): boolean => batchesOf(request).some((batch) => has(batch, value));
    if (isOf(first)) {
      unnumbered(request);
      held = next;
      const { name, partitionData } = request.topicData[0]!;
      const partitionResponses = [{ index: partitionData[0]!.index, errorCode: 0, baseOffset: -1 }];
      return { responses: [{ name, partitionResponses }] };
    }
    if (!isOf(second)) return next();
    unnumbered(request);
    const answer = await next();
    await held?.();
    return answer;
  });
}

/** As if a producer without id had sent it, outside of transactions. */
function unnumbered(request: ProduceRequest): void {
  request.transactionalId = null;
  for (const { partitionData } of request.topicData) {
    for (const partition of partitionData) {
      const values = batchesIn(partition.records).flatMap(valuesOf);
      partition.records = recordBatch({ values });
    }
  }
}

function batchesOf({ topicData }: ProduceRequest): Buffer[] {
  return topicData.flatMap(({ partitionData }) => partitionData.flatMap(({ records }) => batchesIn(records)));
}

function batchesIn(bytes: Buffer): Buffer[] {
  const batches: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 12 + bytes.readInt32BE(at + 8)) {
    batches.push(bytes.subarray(at, at + 12 + bytes.readInt32BE(at + 8)));
  }
  return batches;
}

function valuesOf(batch: Buffer): string[] {
  return readBatches(batch).flatMap(({ values }) => values);
}

function has(batch: Buffer, value: string): boolean {
  return valuesOf(batch).includes(value);
}
