import {
  baseOffsetOf,
  CRC_START,
  isControl,
  lastOffsetDeltaOf,
  lastOffsetOf,
  leaderEpochOf,
  maxTimestampOf,
  producerIdOf,
  recordCountOf,
} from '../batch/batch-header.ts';
import { isPlaceholder } from '../compaction/placeholder.ts';
import { crc32c } from '../batch/crc32c.ts';
import type { SegmentFacts } from '../segment/segment.ts';
import type { SegmentIndex } from '../segment/segment-index.ts';
import { findBatchBehind } from '../segment/segment-resync.ts';
import { checkStored, type Expectation, scanBatches } from '../segment/segment-scan.ts';
import { markerOf } from '../producers/transaction-marker.ts';
import type { Files } from '../../host/files.ts';
import { hex, whyBroken } from './broken-batch.ts';
import type { Finding, Report } from './finding.ts';

/** A segment and what is known of it from outside. */
export interface SegmentToVerify {
  readonly files: Files;
  readonly path: string;
  readonly file: string;
  readonly topic: string;
  readonly partition: number;
  readonly facts: SegmentFacts;
  /** Bytes that count and are there. */
  readonly bytes: number;
  /** Undefined without a checkpoint: then a batch is checked by itself, and against the one in front. */
  readonly want: Expectation | undefined;
  /** Where the next segment, or what is behind the checkpoint, begins. */
  readonly endOffset: number;
  /** As its files have it; undefined where there is none to compare with. */
  readonly index: SegmentIndex | undefined;
  /** By the offset of the marker. */
  readonly aborted: ReadonlyMap<number, { producerId: number }>;
}

const UNREADABLE =
  'stays: reads of these offsets fail with CORRUPT_MESSAGE, all others go on; retention removes it in time';

/** Every batch of a segment: itself, against its neighbours, and against what the checkpoint knows. */
export async function verifySegment(segment: SegmentToVerify, report: Report): Promise<void> {
  const { files, path, facts, bytes, file: name, topic, partition } = segment;
  const claims = new ClaimedPlace();
  const want = segment.want ?? claims;
  const about = { file: name, topic, partition };
  const seen = { maxTimestamp: -1, maxTimestampOffset: -1, headsCrc: 0, broken: 0 };
  const index = indexInStep(segment, report);
  const checkMarker = markerCheck(segment, report);
  let next: number | undefined = facts.base;
  let lowestOffset = facts.base;
  const handle = await files.open(path, 'read');
  try {
    for (let at = 0; at < bytes;) {
      const from = at;
      at = await scanBatches(handle, from, bytes, (chunk, start, size, position) => {
        claims.look(chunk, start);
        const expected = next ?? baseOffsetOf(chunk, start);
        if (checkStored(chunk, start, start + size, expected, want) === 0) return false;
        const batch = chunk.subarray(start, start + size);
        const last = lastOffsetOf(batch);
        if (maxTimestampOf(batch) > seen.maxTimestamp) {
          seen.maxTimestamp = maxTimestampOf(batch);
          seen.maxTimestampOffset = last;
        }
        seen.headsCrc = crc32c(batch, 0, CRC_START, seen.headsCrc);
        index.check(position, last);
        checkMarker(batch, position);
        report.batches += 1;
        report.records += recordCountOf(batch);
        report.read(size);
        next = lowestOffset = last + 1;
        return true;
      });
      if (at >= bytes) break;
      seen.broken += 1;
      const problem = await whyBroken(handle, at, bytes, next, want);
      const plausible = (batch: Buffer): boolean => {
        claims.look(batch, 0);
        return checkStored(batch, 0, batch.length, baseOffsetOf(batch), want) > 0;
      };
      const behind =
        (await findBatchBehind(handle, { position: at, lowestOffset, limit: bytes }, plausible)) ?? bytes;
      const header = Buffer.alloc(8);
      const isFound = behind < bytes && (await handle.read(header, behind)) === header.length;
      const until = isFound ? Number(header.readBigInt64BE(0)) : segment.endOffset;
      report.add({
        ...about,
        severity: 'damage',
        position: at,
        bytes: behind - at,
        firstOffset: segment.want ? want.firstFrom(lowestOffset) : lowestOffset,
        lastOffset: Math.max(lowestOffset, until - 1),
        problem,
        consequence: UNREADABLE,
      });
      report.read(behind - at);
      index.passOver(behind);
      at = behind;
      lowestOffset = until;
      next = isFound ? undefined : until;
    }
  } finally {
    await handle.close();
  }
  if (seen.broken === 0 && bytes === facts.bytes && segment.want)
    compareWithFacts(segment, seen, lowestOffset, report);
}

/** Where nothing else is known: what the batch itself says, as long as offsets rise. */
class ClaimedPlace implements Expectation {
  #base = 0;
  #epoch = 0;

  look(bytes: Buffer, at: number): void {
    this.#base = baseOffsetOf(bytes, at);
    this.#epoch = leaderEpochOf(bytes, at);
  }

  epochAt(): number {
    return this.#epoch;
  }

  firstFrom(offset: number): number {
    return Math.max(offset, this.#base);
  }
}

/** What only the whole of an intact segment can tell. */
function compareWithFacts(
  { file, topic, partition, facts, want, endOffset }: SegmentToVerify,
  seen: { maxTimestamp: number; maxTimestampOffset: number; headsCrc: number },
  reached: number,
  report: Report,
): void {
  const about = { severity: 'damage', file, topic, partition } as const;
  if (want!.firstFrom(reached) !== endOffset) {
    report.add({
      ...about,
      position: facts.bytes,
      firstOffset: Math.min(reached, endOffset),
      lastOffset: Math.max(reached, endOffset) - 1,
      problem: `got batches up to offset ${reached}, want up to ${endOffset} as the checkpoint says`,
      consequence: 'stays: reads of these offsets answer with what is behind them',
    });
  }
  if (facts.headsCrc !== undefined && facts.headsCrc !== seen.headsCrc) {
    report.add({
      ...about,
      position: 0,
      firstOffset: facts.base,
      lastOffset: endOffset - 1,
      problem: `got ${hex(seen.headsCrc)} over the heads of its batches, want ${hex(facts.headsCrc)}: each holds, but they are not what was written`,
      consequence: 'stays: it is served, and left out of compaction; compare it with another copy',
    });
  }
  if (facts.maxTimestamp !== seen.maxTimestamp || facts.maxTimestampOffset !== seen.maxTimestampOffset) {
    report.add({
      ...about,
      problem:
        `got ${seen.maxTimestamp} at offset ${seen.maxTimestampOffset} for the largest timestamp, ` +
        `want ${facts.maxTimestamp} at ${facts.maxTimestampOffset} as the checkpoint says`,
      consequence: 'stays: retention by time goes by what the checkpoint says',
    });
  }
}

/** Entries of the offset index in step with the batches: each must name one. */
function indexInStep(
  { index, file, topic, partition, facts }: SegmentToVerify,
  report: Report,
): { check(position: number, lastOffset: number): void; passOver(until: number): void } {
  let row = 0;
  const passOver = (until: number): void => {
    while (index && row < index.offsets.length && index.offsets.at(row, 1) < until) row += 1;
  };
  const check = (position: number, lastOffset: number): void => {
    while (index && row < index.offsets.length && index.offsets.at(row, 1) <= position) {
      const at = index.offsets.at(row, 1);
      const offset = facts.base + index.offsets.at(row, 0);
      if (at !== position || offset !== lastOffset) {
        report.add({
          severity: 'rebuilt',
          file: file.replace(/\.log$/, '.index'),
          position: row * 8,
          topic,
          partition,
          problem: `got an entry for offset ${offset} at ${at} of the segment, where no batch ends with it`,
          consequence: 'is found out when it is used, and the index is made again',
        });
      }
      row += 1;
    }
  };
  return { check, passOver };
}

/** Where the checkpoint has an aborted transaction end, the segment must have its marker, or what compaction left. */
function markerCheck(
  { aborted, file, topic, partition }: SegmentToVerify,
  report: Report,
): (batch: Buffer, position: number) => void {
  if (aborted.size === 0) return () => {};
  return (batch, position) => {
    if (isPlaceholder(batch) || lastOffsetDeltaOf(batch) > 0) return;
    const row = aborted.get(baseOffsetOf(batch));
    if (!row) return;
    const marker = isControl(batch) ? markerOf(batch) : undefined;
    if (marker && !marker.commit && producerIdOf(batch) === row.producerId) return;
    const finding: Finding = {
      severity: 'damage',
      file,
      position,
      topic,
      partition,
      firstOffset: baseOffsetOf(batch),
      lastOffset: baseOffsetOf(batch),
      problem: `got no abort marker of producer ${row.producerId}, want one as the checkpoint says`,
      consequence: 'stays: readers of committed records go by what the checkpoint says',
    };
    report.add(finding);
  };
}
