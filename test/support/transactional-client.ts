import { errorName } from '../../broker/wire/errors.ts';
import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  endTxn,
  fetch,
  initProducerId,
  listOffsets,
  offsetFetch,
  produce,
  txnOffsetCommit,
} from '../../broker/wire/schemas/index.ts';
import type { RawClient } from './raw-client.ts';
import { readBatches, recordBatch } from './record-batch.ts';

const TRANSACTIONAL = 0x10;

/** Versions of one generation of clients: before KIP-890, and with it. */
export const FLOWS = {
  classic: { init: 4, produce: 9, end: 3, commit: 3 },
  v2: { init: 5, produce: 12, end: 5, commit: 5 },
} as const;
export type Flow = keyof typeof FLOWS;

/** A transactional producer by hand, one request at a time; answers are Kafka's names of codes. */
export class TransactionalClient {
  readonly client: RawClient;
  readonly transactionalId: string;
  readonly flow: Flow;
  producerId = -1;
  producerEpoch = -1;
  private readonly sequences = new Map<string, number>();

  constructor(client: RawClient, transactionalId: string, flow: Flow = 'v2') {
    this.client = client;
    this.transactionalId = transactionalId;
    this.flow = flow;
  }

  get versions(): (typeof FLOWS)[Flow] {
    return FLOWS[this.flow];
  }

  async init(
    given: { timeoutMs?: number; producerId?: number; producerEpoch?: number; version?: number } = {},
  ) {
    const answer = await this.client.call(initProducerId, given.version ?? this.versions.init, {
      transactionalId: this.transactionalId,
      transactionTimeoutMs: given.timeoutMs ?? 60_000,
      producerId: given.producerId ?? -1,
      producerEpoch: given.producerEpoch ?? -1,
    });
    if (answer.errorCode === 0) this.moveTo(answer);
    return errorName(answer.errorCode);
  }

  async add(topic: string, partitions = [0], version = 3) {
    const { transactionalId, producerId, producerEpoch } = this;
    const topics = [{ name: topic, partitions }];
    const answer = await this.client.call(addPartitionsToTxn, version, {
      transactions: [{ transactionalId, producerId, producerEpoch, topics }],
      v3AndBelowTransactionalId: transactionalId,
      v3AndBelowProducerId: producerId,
      v3AndBelowProducerEpoch: producerEpoch,
      v3AndBelowTopics: topics,
    });
    const results =
      version >= 4 ? answer.resultsByTransaction[0]!.topicResults : answer.resultsByTopicV3AndBelow;
    return errorName(results[0]!.resultsByPartition[0]!.partitionErrorCode);
  }

  async addOffsets(groupId: string, version = 3) {
    const { transactionalId, producerId, producerEpoch } = this;
    const answer = await this.client.call(addOffsetsToTxn, version, {
      transactionalId,
      producerId,
      producerEpoch,
      groupId,
    });
    return errorName(answer.errorCode);
  }

  /** One batch to one partition; before KIP-890 the partition must have been added. */
  async produce(topic: string, values: string[], given: { partition?: number; version?: number } = {}) {
    const partition = given.partition ?? 0;
    const key = `${topic}-${partition}`;
    const baseSequence = this.sequences.get(key) ?? 0;
    const { transactionalId, producerId, producerEpoch } = this;
    const records = recordBatch({
      values,
      producerId,
      producerEpoch,
      baseSequence,
      attributes: TRANSACTIONAL,
    });
    const { responses } = await this.client.call(produce, given.version ?? this.versions.produce, {
      transactionalId,
      acks: -1,
      timeoutMs: 5_000,
      topicData: [{ name: topic, partitionData: [{ index: partition, records }] }],
    });
    const { errorCode } = responses[0]!.partitionResponses[0]!;
    if (errorCode === 0) this.sequences.set(key, baseSequence + values.length);
    return errorName(errorCode);
  }

  /** Adds the partition where the flow wants it, then produces. */
  async send(topic: string, values: string[], partition = 0) {
    const added = this.flow === 'classic' ? await this.add(topic, [partition]) : 'NONE';
    return added === 'NONE' ? await this.produce(topic, values, { partition }) : added;
  }

  async commitOffset(
    groupId: string,
    topic: string,
    offset: number,
    given: { version?: number; memberId?: string; generation?: number } = {},
  ) {
    const { transactionalId, producerId, producerEpoch } = this;
    const answer = await this.client.call(txnOffsetCommit, given.version ?? this.versions.commit, {
      transactionalId,
      groupId,
      producerId,
      producerEpoch,
      generationIdOrMemberEpoch: given.generation ?? -1,
      memberId: given.memberId ?? '',
      topics: [
        { name: topic, partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: 'm' }] },
      ],
    });
    return errorName(answer.topics[0]!.partitions[0]!.errorCode);
  }

  async end(commit: boolean, version: number = this.versions.end) {
    const { transactionalId, producerId, producerEpoch } = this;
    const answer = await this.client.call(endTxn, version, {
      transactionalId,
      producerId,
      producerEpoch,
      committed: commit,
    });
    if (answer.errorCode === 0 && version >= 5) this.moveTo(answer);
    return errorName(answer.errorCode);
  }

  private moveTo({ producerId, producerEpoch }: { producerId: number; producerEpoch: number }): void {
    if (producerId === this.producerId && producerEpoch === this.producerEpoch) return;
    this.producerId = producerId;
    this.producerEpoch = producerEpoch;
    this.sequences.clear();
  }
}

/** What a reader of committed records sees in the partition, from the start on. */
export async function readCommitted(client: RawClient, topic: string, partition = 0): Promise<string[]> {
  const parts: Buffer[] = [];
  const aborted = new Map<string, { producerId: number; firstOffset: number }>();
  for (let fetchOffset = 0; ;) {
    const { responses } = await client.call(fetch, 11, {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 10_000_000,
      isolationLevel: 1,
      topics: [{ topic, partitions: [{ partition, fetchOffset, partitionMaxBytes: 10_000_000 }] }],
    });
    const { errorCode, records, abortedTransactions } = responses[0]!.partitions[0]!;
    if (errorCode !== 0) throw new Error(`cannot fetch: got ${errorName(errorCode)}`);
    if (!records || records.length === 0) break;
    parts.push(records);
    for (const one of abortedTransactions ?? []) aborted.set(`${one.producerId}/${one.firstOffset}`, one);
    for (let at = 0; at < records.length; at += 12 + records.readInt32BE(at + 8)) {
      fetchOffset = Number(records.readBigInt64BE(at)) + records.readInt32BE(at + 23) + 1;
    }
  }
  const ordered = [...aborted.values()].toSorted((a, b) => a.firstOffset - b.firstOffset);
  return visible(Buffer.concat(parts), ordered);
}

/** As clients do it: an aborted producer's batches are skipped from the first offset up to its abort marker. */
function visible(
  bytes: Buffer,
  aborted: ReadonlyArray<{ producerId: number; firstOffset: number }>,
): string[] {
  const values: string[] = [];
  const skipping = new Set<number>();
  const coming = [...aborted];
  for (let at = 0; at < bytes.length; at += 12 + bytes.readInt32BE(at + 8)) {
    const batch = bytes.subarray(at, at + 12 + bytes.readInt32BE(at + 8));
    const baseOffset = Number(batch.readBigInt64BE(0));
    const producerId = Number(batch.readBigInt64BE(43));
    while (coming[0] && coming[0].firstOffset <= baseOffset) skipping.add(coming.shift()!.producerId);
    const attributes = batch.readInt16BE(21);
    if (attributes & 0x20) {
      // The key of a marker: version and type, behind length, attributes and two deltas of one byte each, key length.
      if (batch.readInt16BE(61 + 5 + 2) === 0) skipping.delete(producerId);
      continue;
    }
    if (attributes & TRANSACTIONAL && skipping.has(producerId)) continue;
    for (const { values: some } of readBatches(batch)) values.push(...some);
  }
  return values;
}

/** The end of the partition for readers of committed records. */
export async function stableEnd(client: RawClient, topic: string, partition = 0): Promise<number> {
  const { topics } = await client.call(listOffsets, 5, {
    replicaId: -1,
    isolationLevel: 1,
    topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp: -1 }] }],
  });
  return topics[0]!.partitions[0]!.offset;
}

/** The group's position in partition 0, or the name of the error. */
export async function position(
  client: RawClient,
  groupId: string,
  topic: string,
  requireStable = true,
): Promise<number | string> {
  const { groups } = await client.call(offsetFetch, 8, {
    groups: [{ groupId, topics: [{ name: topic, partitionIndexes: [0] }] }],
    requireStable,
  });
  const { errorCode, committedOffset } = groups[0]!.topics[0]!.partitions[0]!;
  return errorCode === 0 ? committedOffset : errorName(errorCode);
}
