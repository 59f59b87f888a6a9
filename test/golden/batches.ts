import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import {
  attributesOf,
  baseSequenceOf,
  baseTimestampOf,
  batchSizeOf,
  CONTROL,
  isTransactional,
  maxTimestampOf,
  producerEpochOf,
  producerIdOf,
} from '../../broker/log/batch/batch-header.ts';
import { markerOf } from '../../broker/log/producers/transaction-marker.ts';
import type { fetch, produce } from '../../broker/wire/schemas/index.ts';
import type { RequestOf, ResponseOf } from '../../broker/wire/codec.ts';

export type BatchKind = 'commit' | 'abort' | 'idempotent' | 'transactional';

/** One batch as Apache Kafka's log holds it. */
export interface GoldenBatch {
  readonly client: string;
  readonly kind: BatchKind;
  /** As a Fetch gave it, base64. */
  readonly stored: string;
  /** As the client had sent it; none for markers, which the broker makes. */
  readonly sent?: string;
}

export const BATCHES_PATH = join(import.meta.dirname, 'batches.json');

const BATCH_BYTES_MAX = 1_000;
const SENT_MAX = 20_000;

export function readGoldenBatches(): GoldenBatch[] {
  return JSON.parse(readFileSync(BATCHES_PATH, 'utf8')) as GoldenBatch[];
}

/** The first batch of each client and kind that passed by in Fetch answers. */
export class ChosenBatches {
  private readonly sent = new Map<string, Buffer>();
  private readonly chosen = new Map<string, GoldenBatch>();

  addProduce({ topicData }: RequestOf<typeof produce>): void {
    for (const { partitionData } of topicData) {
      for (const { index, records } of partitionData) {
        for (const batch of batchesIn(records)) {
          if (producerIdOf(batch) < 0 || this.sent.size >= SENT_MAX) continue;
          this.sent.set(sentBy(batch, index), batch);
        }
      }
    }
  }

  addFetch(client: string, { responses }: ResponseOf<typeof fetch>): void {
    for (const { partitions } of responses) {
      for (const { partitionIndex, records } of partitions) {
        for (const batch of batchesIn(records)) this.addStored(client, batch, partitionIndex);
      }
    }
  }

  all(): GoldenBatch[] {
    return [...this.chosen.values()];
  }

  private addStored(client: string, batch: Buffer, partition: number): void {
    const sent = this.sent.get(sentBy(batch, partition));
    const kind = kindOf(batch);
    if (!kind || batch.length > BATCH_BYTES_MAX) return;
    const name = `${client} ${kind}`;
    const isData = kind === 'idempotent' || kind === 'transactional';
    if (this.chosen.has(name) || (isData && !sent)) return;
    this.chosen.set(name, {
      client,
      kind,
      stored: batch.toString('base64'),
      ...(isData && sent ? { sent: sent.toString('base64') } : {}),
    });
  }
}

function kindOf(batch: Buffer): BatchKind | undefined {
  if (producerIdOf(batch) < 0) return undefined;
  if (attributesOf(batch) & CONTROL) {
    const marker = markerOf(batch);
    return marker && (marker.commit ? 'commit' : 'abort');
  }
  return isTransactional(batch) ? 'transactional' : 'idempotent';
}

/** Tells batches apart, but for those of one producer to the same partition of two topics, which times divide. */
function sentBy(batch: Buffer, partition: number): string {
  const sequence = [producerIdOf(batch), producerEpochOf(batch), baseSequenceOf(batch)];
  return [...sequence, partition, batch.length, baseTimestampOf(batch), maxTimestampOf(batch)].join(' ');
}

/** Whole ones: the last of a Fetch may be cut. Older formats are passed over. */
function* batchesIn(records: Buffer | null): Iterable<Buffer> {
  if (!records) return;
  for (let at = 0; at + 61 <= records.length;) {
    const end = at + batchSizeOf(records, at);
    if (end > records.length || records[at + 16] !== 2) return;
    yield Buffer.from(records.subarray(at, end));
    at = end;
  }
}
