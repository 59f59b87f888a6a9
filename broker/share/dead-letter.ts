/**
 * Dead letters: what stands in the dead-letter topic for a record that a share group has given up (KIP-1191). The
 * headers say where the record was and why it was given up; key and value come along where the group asks for it.
 */
import { codecOf, DECOMPRESSED_BYTES_MAX } from '../records/codecs.ts';
import { attributesOf, BATCH_HEADER_BYTES, lastOffsetOf } from '../log/batch/batch-header.ts';
import type { PartitionLog } from '../log/log.ts';
import {
  batchesOf,
  encodeBatch,
  type ReadRecord,
  recordsOf,
  type StoredRecord,
} from '../state/record-batch.ts';
import type { ArchiveReason } from './run.ts';
import type { ArchivingRange } from './share-partition.ts';

export const DEAD_LETTER_HEADER = {
  topic: '__dlq.errors.topic',
  partition: '__dlq.errors.partition',
  offset: '__dlq.errors.offset',
  group: '__dlq.errors.group',
  deliveryCount: '__dlq.errors.delivery.count',
  message: '__dlq.errors.message',
} as const;

/** Kafka's words: tools compare them. */
const MESSAGES: Readonly<Record<ArchiveReason, string>> = {
  rejected: 'Offset rejected by client.',
  'delivery-count': 'Offset delivery count exceeded the threshold.',
  gap: 'Offset is a gap.',
};

const READ_BYTES = 1024 * 1024;
/** Room in a batch for its header, and for what a record needs around key, value and headers. */
const BATCH_MARGIN_BYTES = 128;
const RECORD_MARGIN_BYTES = 256;

export interface Source {
  readonly log: PartitionLog;
  readonly groupId: string;
}

export interface Letter {
  readonly offset: number;
  readonly record: StoredRecord;
  readonly bytes: number;
}

/** One letter an offset, in order. A record that is gone from the log leaves a letter of headers alone. */
export async function lettersOf(
  source: Source,
  ranges: readonly ArchivingRange[],
  copies: boolean,
): Promise<Letter[]> {
  const letters: Letter[] = [];
  for (const range of ranges) {
    const contents = copies ? await contentsOf(source.log, range.first, range.last) : undefined;
    for (let offset = range.first; offset <= range.last; offset += 1) {
      letters.push(letterOf(source, range, offset, contents?.get(offset)));
    }
  }
  return letters;
}

/** The letters in batches that the topic takes; one that is too large by itself loses key and value. */
export function batchedLetters(
  letters: readonly Letter[],
  batchBytesMax: number,
  nowMs: number,
): Array<{ readonly batch: Buffer; readonly letters: readonly Letter[] }> {
  const groups: Letter[][] = [];
  let bytes = 0;
  for (const given of letters) {
    const isTooLarge = given.bytes + BATCH_MARGIN_BYTES > batchBytesMax;
    const letter = isTooLarge
      ? { ...given, record: { ...given.record, key: null, value: null }, bytes: RECORD_MARGIN_BYTES }
      : given;
    const group = groups.at(-1);
    if (group && bytes + letter.bytes <= batchBytesMax) group.push(letter);
    else {
      groups.push([letter]);
      bytes = BATCH_MARGIN_BYTES;
    }
    bytes += letter.bytes;
  }
  return groups.map((group) => ({
    batch: encodeBatch(
      group.map(({ record }) => record),
      nowMs,
    ),
    letters: group,
  }));
}

function letterOf(
  { log, groupId }: Source,
  { deliveryCount, reason }: ArchivingRange,
  offset: number,
  content: { key: Buffer | null; value: Buffer | null } | undefined,
): Letter {
  const headers: ReadonlyArray<readonly [string, string]> = [
    [DEAD_LETTER_HEADER.topic, log.topic],
    [DEAD_LETTER_HEADER.partition, String(log.partition)],
    [DEAD_LETTER_HEADER.offset, String(offset)],
    [DEAD_LETTER_HEADER.group, groupId],
    [DEAD_LETTER_HEADER.deliveryCount, String(deliveryCount)],
    [DEAD_LETTER_HEADER.message, MESSAGES[reason]],
  ];
  const record = {
    key: content?.key ?? null,
    value: content?.value ?? null,
    headers: headers.map(([name, value]) => ({ name, value: Buffer.from(value) })),
  };
  const headerBytes = headers.reduce(
    (sum, [name, value]) => sum + name.length + Buffer.byteLength(value) + 8,
    0,
  );
  const bytes = headerBytes + (record.key?.length ?? 0) + (record.value?.length ?? 0) + 40;
  return { offset, record, bytes };
}

async function contentsOf(
  log: PartitionLog,
  first: number,
  last: number,
): Promise<Map<number, { key: Buffer | null; value: Buffer | null }>> {
  const contents = new Map<number, { key: Buffer | null; value: Buffer | null }>();
  for (let at = Math.max(first, log.startOffset); at <= last;) {
    const before = at;
    for (const batch of batchesOf(await log.read(at, READ_BYTES, true))) {
      for (const { offset, key, value } of opened(batch)) {
        if (offset >= first && offset <= last) contents.set(offset, { key, value });
      }
      at = lastOffsetOf(batch) + 1;
    }
    if (at === before) break;
  }
  return contents;
}

/** Nobody has looked into the batch before: what cannot be read may be why its records were given up. */
function opened(batch: Buffer): ReadRecord[] {
  try {
    return recordsOf(unpacked(batch));
  } catch {
    return [];
  }
}

/** The same batch, not compressed. */
function unpacked(batch: Buffer): Buffer {
  const attributes = attributesOf(batch);
  if ((attributes & 7) === 0) return batch;
  const records = codecOf(attributes).decompress(batch.subarray(BATCH_HEADER_BYTES), DECOMPRESSED_BYTES_MAX);
  const header = Buffer.from(batch.subarray(0, BATCH_HEADER_BYTES));
  header.writeInt16BE(attributes & ~7, 21);
  return Buffer.concat([header, records]);
}
