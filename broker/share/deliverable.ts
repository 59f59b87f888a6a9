/** Which batches of what was read can be handed out, and which offsets never will be. */
import {
  attributesOf,
  baseOffsetOf,
  batchSizeOf,
  lastOffsetOf,
  producerIdOf,
  recordCountOf,
} from '../log/batch/batch-header.ts';
import type { AbortedTransaction } from '../log/log.ts';
import type { OffsetRange } from './share-partition.ts';

const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

export interface Readable {
  readonly batches: readonly OffsetRange[];
  /** Where each of them begins in the bytes, and where the last ends. */
  readonly positions: readonly number[];
  /** End of what was read. */
  readonly to: number;
}

/** Markers and, given the aborted transactions, what belongs to them are left out. */
export function readableOf(bytes: Buffer, from: number, aborted: readonly AbortedTransaction[]): Readable {
  const batches: OffsetRange[] = [];
  const positions: number[] = [];
  let to = from;
  let end = 0;
  for (let at = 0; at < bytes.length; at += batchSizeOf(bytes, at)) {
    const first = baseOffsetOf(bytes, at);
    const last = lastOffsetOf(bytes, at);
    to = last + 1;
    if ((attributesOf(bytes, at) & CONTROL) !== 0 || recordCountOf(bytes, at) === 0) continue;
    if (isAborted(bytes, at, aborted)) continue;
    batches.push({ first, last });
    positions.push(at);
    end = at + batchSizeOf(bytes, at);
  }
  positions.push(end);
  return { batches, positions, to };
}

/** The bytes of the batches between the first and the last acquired offset. */
export function bytesOf(
  bytes: Buffer,
  { batches, positions }: Readable,
  acquired: readonly OffsetRange[],
): Buffer {
  const { first } = acquired[0]!;
  const { last } = acquired.at(-1)!;
  const from = batches.findIndex((batch) => batch.last >= first);
  const to = batches.findLastIndex((batch) => batch.first <= last);
  const start = positions[from]!;
  return bytes.subarray(start, positions[to]! + batchSizeOf(bytes, positions[to]!));
}

function isAborted(bytes: Buffer, at: number, aborted: readonly AbortedTransaction[]): boolean {
  if (aborted.length === 0 || (attributesOf(bytes, at) & TRANSACTIONAL) === 0) return false;
  const producerId = producerIdOf(bytes, at);
  const first = baseOffsetOf(bytes, at);
  return aborted.some(
    (one) => one.producerId === producerId && one.firstOffset <= first && one.lastOffset >= first,
  );
}
