import {
  baseOffsetOf,
  BATCH_HEADER_BYTES,
  batchSizeOf,
  crcHolds,
  CRC_START,
  lastOffsetDeltaOf,
  lastOffsetOf,
  magicOf,
} from '../batch/batch-header.ts';
import { crc32c } from '../batch/crc32c.ts';
import type { FileHandle } from '../../host/files.ts';
import { scanBatches } from './segment-scan.ts';

/** Where a segment's batches cannot be followed any more, because the batch there is not what was written. */
export interface BrokenPlace {
  readonly position: number;
  /** Nothing behind it has a lower offset. */
  readonly lowestOffset: number;
  /** Where the next batch that is known begins, or the segment ends. */
  readonly limit: number;
}

/** How much is looked through at once. */
const CHUNK_BYTES = 64 * 1024;
/** More than a batch may have by default: batches that follow each other for so long are not a record's content. */
const CHAIN_BYTES = 8 * 1024 * 1024;

/**
 * Position of the first batch behind a broken place; undefined when there is none. Slow path: where the broken
 * batch's own length says, if there is one, else found by its bytes.
 *
 * Bytes that look like a batch may be the content of a record, whose sender must not decide what the log says. So
 * a batch is believed only when its own CRC holds and either the broken one, taken up to it, agrees with its CRC
 * too (its length alone was damaged), or batch follows batch from it to the limit.
 */
export async function findBatchBehind(
  file: FileHandle,
  broken: BrokenPlace,
  isPlausible: (batch: Buffer) => boolean = () => true,
): Promise<number | undefined> {
  const { limit, lowestOffset } = broken;
  const batchAt = async (position: number, size: number): Promise<Buffer | undefined> => {
    if (size < BATCH_HEADER_BYTES || position + size > limit) return undefined;
    const batch = Buffer.allocUnsafe(size);
    if ((await file.read(batch, position)) < size || magicOf(batch) !== 2) return undefined;
    if (baseOffsetOf(batch) < lowestOffset || lastOffsetDeltaOf(batch) < 0) return undefined;
    return crcHolds(batch, 0, size) && isPlausible(batch) ? batch : undefined;
  };
  const header = Buffer.alloc(BATCH_HEADER_BYTES);
  const size = (await file.read(header, broken.position)) < header.length ? 0 : batchSizeOf(header);
  const byLength = broken.position + size;
  let atLength: Buffer | undefined;
  if (size >= BATCH_HEADER_BYTES && byLength + BATCH_HEADER_BYTES <= limit) {
    await file.read(header, byLength);
    atLength = await batchAt(byLength, batchSizeOf(header));
    if (atLength && (await leadsOn(file, byLength, broken))) return byLength;
  }
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let from = broken.position + 1;
  while (from + BATCH_HEADER_BYTES <= limit) {
    const got = await file.read(chunk.subarray(0, Math.min(chunk.length, limit - from)), from);
    if (got < BATCH_HEADER_BYTES) break;
    const last = got - BATCH_HEADER_BYTES;
    for (let at = nextMagic(chunk, 0, last); at !== -1; at = nextMagic(chunk, at + 1, last)) {
      const position = from + at;
      // Most bytes fail here, before anything is read again.
      if (baseOffsetOf(chunk, at) < lowestOffset || lastOffsetDeltaOf(chunk, at) < 0) continue;
      if (!(await batchAt(position, batchSizeOf(chunk, at)))) continue;
      if ((await endsAt(file, broken.position, position)) || (await leadsOn(file, position, broken)))
        return position;
    }
    from += last + 1;
  }
  // Another damaged batch follows: a length that leads to a batch is then the best that there is.
  return atLength ? byLength : undefined;
}

/** Where a header with format 2 may begin, from `at` to `last`; -1 when there is none. */
function nextMagic(chunk: Buffer, at: number, last: number): number {
  const found = chunk.indexOf(2, at + 16);
  return found === -1 || found - 16 > last ? -1 : found - 16;
}

/** Whether the batch at `start` agrees with its CRC when it ends at `end`. */
async function endsAt(file: FileHandle, start: number, end: number): Promise<boolean> {
  const bytes = Buffer.allocUnsafe(end - start);
  if (bytes.length < BATCH_HEADER_BYTES || (await file.read(bytes, start)) < bytes.length) return false;
  return magicOf(bytes) === 2 && crc32c(bytes, CRC_START) === bytes.readUInt32BE(17);
}

/** Whether batch follows batch from `position`, by lengths and offsets. */
async function leadsOn(file: FileHandle, position: number, broken: BrokenPlace): Promise<boolean> {
  let next = -1;
  const reached = await scanBatches(file, position, broken.limit, (bytes, at) => {
    const base = baseOffsetOf(bytes, at);
    if (base < next) return false;
    next = lastOffsetOf(bytes, at) + 1;
    return true;
  });
  return reached >= Math.min(broken.limit, broken.position + CHAIN_BYTES);
}
