import { BATCH_HEADER_BYTES, batchSizeOf, CRC_START, lastOffsetOf } from '../batch/batch-header.ts';
import { crc32c } from '../batch/crc32c.ts';
import type { FilePool } from '../segment/file-pool.ts';
import type { Segment } from '../segment/segment.ts';
import { checkStored, type Expectation } from '../segment/segment-scan.ts';

/** Small enough that judging its records takes a few milliseconds of the event loop. */
const CHUNK_BYTES = 256 * 1024;

/** What a cleaning meets that it must not write again: the segment is left as it is. */
export class DamagedSegment extends Error {
  override readonly name = 'DamagedSegment';
}

/** Every batch of a segment, checked. @throws DamagedSegment */
export async function* segmentBatches(
  pool: FilePool,
  segment: Segment,
  want: Expectation,
): AsyncGenerator<Buffer> {
  let position = 0;
  let next = segment.base;
  let headsCrc = 0;
  let chunkBytes = CHUNK_BYTES;
  while (position < segment.bytes) {
    const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, segment.bytes - position));
    const from = position;
    const got = await pool.use('read', segment.logPath, (file) => file.read(chunk, from));
    let at = 0;
    while (at + BATCH_HEADER_BYTES <= got && at + batchSizeOf(chunk, at) <= got) {
      const size = checkStored(chunk, at, got, next, want);
      if (size === 0) throw damaged(segment, position + at);
      headsCrc = crc32c(chunk, at, at + CRC_START, headsCrc);
      yield chunk.subarray(at, at + size);
      next = lastOffsetOf(chunk, at) + 1;
      at += size;
    }
    position += at;
    if (at > 0) {
      chunkBytes = CHUNK_BYTES;
      continue;
    }
    // One batch is larger than the chunk, or its length is wrong.
    const size = got >= BATCH_HEADER_BYTES ? batchSizeOf(chunk, 0) : 0;
    if (size <= chunkBytes || position + size > segment.bytes) throw damaged(segment, position);
    chunkBytes = size;
  }
  // Every batch holds by itself, and yet it is not what was written.
  if (segment.headsCrc !== undefined && headsCrc !== segment.headsCrc) throw damaged(segment, 0);
}

function damaged(segment: Segment, position: number): DamagedSegment {
  return new DamagedSegment(`cannot compact ${segment.logPath}: got a damaged batch at ${position}`);
}
