import type { FileHandle } from '../../host/files.ts';
import {
  baseOffsetOf,
  BATCH_HEADER_BYTES,
  batchSizeOf,
  CRC_START,
  lastOffsetDeltaOf,
  leaderEpochOf,
  magicOf,
} from '../batch/batch-header.ts';
import { crc32c } from '../batch/crc32c.ts';
import type { Expectation } from '../segment/segment-scan.ts';

/** In words, why the bytes at `position` are not the batch that was written there. */
export async function whyBroken(
  file: FileHandle,
  position: number,
  end: number,
  nextOffset: number | undefined,
  want: Expectation,
): Promise<string> {
  const header = Buffer.alloc(BATCH_HEADER_BYTES);
  if (position + header.length > end || (await file.read(header, position)) < header.length) {
    return `got ${end - position} bytes, want a batch header of ${BATCH_HEADER_BYTES}`;
  }
  const problems: string[] = [];
  if (magicOf(header) !== 2) problems.push(`got format ${magicOf(header)}, want 2`);
  const base = baseOffsetOf(header);
  if (nextOffset !== undefined && base !== want.firstFrom(nextOffset)) {
    problems.push(`got base offset ${base}, want ${want.firstFrom(nextOffset)}`);
  }
  const expectedEpoch = want.epochAt(nextOffset ?? base);
  if (leaderEpochOf(header) !== expectedEpoch) {
    problems.push(`got epoch ${leaderEpochOf(header)}, want ${expectedEpoch}`);
  }
  const size = batchSizeOf(header);
  if (size < BATCH_HEADER_BYTES || position + size > end) {
    problems.push(`got a length of ${size} bytes, want ${BATCH_HEADER_BYTES} to ${end - position}`);
    return problems.join('; ');
  }
  const batch = Buffer.allocUnsafe(size);
  await file.read(batch, position);
  const crc = crc32c(batch, CRC_START);
  if (crc !== batch.readUInt32BE(17)) {
    problems.push(`got CRC32C ${hex(crc)}, want ${hex(batch.readUInt32BE(17))} as the header says`);
  } else if (lastOffsetDeltaOf(batch) < 0) {
    problems.push(`got a last offset delta of ${lastOffsetDeltaOf(batch)}, want none below 0`);
  }
  return problems.join('; ');
}

export function hex(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}
