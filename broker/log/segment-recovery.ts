import type { Files } from '../host/files.ts';
import {
  baseOffsetOf,
  CRC_START,
  lastOffsetOf,
  leaderEpochOf,
  maxTimestampOf,
  producerIdOf,
  crcHolds,
  dataRecordsOf,
} from './batch-header.ts';
import type { PartitionCheckpoint } from './checkpoint.ts';
import { crc32c } from './crc32c.ts';
import { Epochs } from './epochs.ts';
import { ProducerStates } from './producer-state.ts';
import { type SegmentFacts, segmentName } from './segment.ts';
import { scanBatches } from './segment-scan.ts';
import { TransactionIndex } from './transaction-index.ts';

/** What recovery found wrong in the segments of a partition. */
export interface SegmentDamage {
  readonly path: string;
  readonly position: number;
  readonly bytes: number;
  /** Offsets that are lost; no end where that is not known. */
  readonly fromOffset: number;
  readonly toOffset?: number;
}

export interface RestoredSegments {
  readonly checkpoint: PartitionCheckpoint;
  readonly damage: readonly SegmentDamage[];
}

/**
 * Brings the files of a partition back to what the checkpoint says: what is behind it was not synced and comes
 * again from the write-ahead log. Files that it does not name are removed. Doing it twice changes nothing.
 */
export async function cutToCheckpoint(
  files: Files,
  directory: string,
  checkpoint: PartitionCheckpoint,
): Promise<RestoredSegments> {
  const known = new Map(
    checkpoint.segments.map((facts) => [segmentName(facts.base, facts.generation), facts]),
  );
  const active = checkpoint.segments.at(-1);
  for (const name of await files.list(directory)) {
    const facts = known.get(name.slice(0, name.lastIndexOf('.')));
    // The active segment's indexes may know batches that are cut off here.
    if (!facts || (facts === active && !name.endsWith('.log'))) await files.remove(`${directory}/${name}`);
  }
  const damage: SegmentDamage[] = [];
  const segments: SegmentFacts[] = [];
  for (const [i, facts] of checkpoint.segments.entries()) {
    const path = logPath(directory, facts);
    const size = (await files.stat(path))?.size ?? 0;
    if (size > facts.bytes) await truncate(files, path, facts.bytes);
    if (size >= facts.bytes) {
      segments.push(facts);
      continue;
    }
    const { facts: left, endOffset: fromOffset } = await shortened(files, path, facts);
    const position = left.bytes;
    const toOffset = checkpoint.segments[i + 1]?.base ?? checkpoint.endOffset;
    damage.push({ path, position, bytes: facts.bytes - position, fromOffset, toOffset });
    segments.push(left);
  }
  if (damage.length === 0) return { checkpoint, damage };
  return {
    checkpoint: withGaps({ ...checkpoint, segments }, await endOffsets(files, directory, segments)),
    damage,
  };
}

/**
 * Without a checkpoint: reads every segment whole, checks every batch and keeps what holds. Slow, and only after
 * the checkpoint file itself was damaged.
 */
export async function rebuildCheckpoint(
  files: Files,
  directory: string,
  place: { topicId: string; partition: number },
  nowMs: number,
): Promise<RestoredSegments> {
  const places = await segmentsOnDisk(files, directory);
  const damage: SegmentDamage[] = [];
  const segments: SegmentFacts[] = [];
  const gaps: Array<readonly [number, number]> = [];
  const epochs = new Epochs([]);
  const producers = new ProducerStates();
  const transactions = new TransactionIndex({ producers: [], aborted: [] });
  let next = places[0]?.base ?? 0;
  for (const place of places) {
    const { base } = place;
    const path = logPath(directory, place);
    // Compaction was about to put the one before into its place.
    if (base < next) {
      await files.remove(path);
      continue;
    }
    if (base > next) gaps.push([next, base]);
    const scanned = await scanSegment(files, path, base, (batch) => {
      epochs.begin(leaderEpochOf(batch), baseOffsetOf(batch));
      if (producerIdOf(batch) < 0) return;
      const change = producers.record(batch, baseOffsetOf(batch), nowMs);
      producers.committed(change);
      transactions.committed(change);
    });
    if (scanned.fileBytes > scanned.facts.bytes) {
      const position = scanned.facts.bytes;
      const bytes = scanned.fileBytes - position;
      damage.push({ path, position, bytes, fromOffset: scanned.endOffset });
      await truncate(files, path, scanned.facts.bytes);
    }
    segments.push({ ...scanned.facts, generation: place.generation ?? 0 });
    next = Math.max(base, scanned.endOffset);
  }
  const checkpoint: PartitionCheckpoint = {
    ...place,
    startOffset: places[0]?.base ?? 0,
    endOffset: next,
    epochs: epochs.starts,
    gaps,
    segments,
    producers: [...producers.durable],
    aborted: transactions.aborted.toArray(),
  };
  return { checkpoint, damage };
}

/**
 * The segments by base. Of several files with one base, the one that reaches furthest: compaction's once it is
 * complete, else the one that it was made from. The others are removed, and so are indexes.
 */
async function segmentsOnDisk(files: Files, directory: string): Promise<SegmentPlace[]> {
  const best = new Map<number, { readonly place: SegmentPlace; readonly end: number }>();
  for (const name of await files.list(directory)) {
    const parts = /^(\d{20})(?:-(\d+))?\.log$/.exec(name);
    if (!parts) {
      await files.remove(`${directory}/${name}`);
      continue;
    }
    const place = { base: Number(parts[1]), generation: Number(parts[2] ?? 0) };
    const other = best.get(place.base);
    const { endOffset: end } = await scanSegment(files, logPath(directory, place), place.base, () => {});
    const isBetter =
      !other || end > other.end || (end === other.end && place.generation > other.place.generation!);
    if (isBetter) best.set(place.base, { place, end });
    const loser = isBetter ? other?.place : place;
    if (loser) await files.remove(logPath(directory, loser));
  }
  return [...best.values()].map(({ place }) => place).sort((a, b) => a.base - b.base);
}

function logPath(directory: string, { base, generation }: SegmentPlace): string {
  return `${directory}/${segmentName(base, generation)}.log`;
}

type SegmentPlace = Pick<SegmentFacts, 'base' | 'generation'>;

/** Not synced: if it is undone by a crash, the next recovery does it again. */
async function truncate(files: Files, path: string, bytes: number): Promise<void> {
  const file = await files.open(path, 'write');
  try {
    await file.truncate(bytes);
  } finally {
    await file.close();
  }
}

async function shortened(
  files: Files,
  path: string,
  facts: SegmentFacts,
): Promise<{ facts: SegmentFacts; endOffset: number }> {
  const scanned = await scanSegment(files, path, facts.base, () => {});
  if (scanned.fileBytes > scanned.facts.bytes) await truncate(files, path, scanned.facts.bytes);
  const { indexCrc: _, ...rest } = facts;
  return { facts: { ...rest, ...scanned.facts }, endOffset: scanned.endOffset };
}

async function endOffsets(
  files: Files,
  directory: string,
  segments: readonly SegmentFacts[],
): Promise<number[]> {
  const ends: number[] = [];
  for (const facts of segments) {
    ends.push((await scanSegment(files, logPath(directory, facts), facts.base, () => {})).endOffset);
  }
  return ends;
}

/** Offsets are never given twice, so what was cut stays a gap, and a cut last segment is followed by a new one. */
function withGaps(checkpoint: PartitionCheckpoint, ends: readonly number[]): PartitionCheckpoint {
  const gaps = [...checkpoint.gaps];
  const segments = [...checkpoint.segments];
  for (const [i, end] of ends.entries()) {
    const to = segments[i + 1]?.base ?? checkpoint.endOffset;
    if (end < to && !gaps.some(([from]) => from === end)) gaps.push([end, to]);
  }
  if ((ends.at(-1) ?? checkpoint.endOffset) < checkpoint.endOffset) {
    const base = checkpoint.endOffset;
    segments.push({
      base,
      bytes: 0,
      maxTimestamp: -1,
      maxTimestampOffset: -1,
      firstTimestamp: -1,
      records: 0,
    });
  }
  return { ...checkpoint, segments, gaps };
}

async function scanSegment(
  files: Files,
  path: string,
  base: number,
  take: (batch: Buffer) => void,
): Promise<{ facts: SegmentFacts; endOffset: number; fileBytes: number }> {
  const fileBytes = (await files.stat(path))?.size ?? 0;
  let maxTimestamp = -1;
  let maxTimestampOffset = -1;
  let firstTimestamp = -1;
  let headsCrc = 0;
  let records = 0;
  let next = base;
  let bytes = 0;
  if (fileBytes > 0) {
    const file = await files.open(path, 'read');
    try {
      bytes = await scanBatches(file, 0, fileBytes, (chunk, at, size) => {
        if (baseOffsetOf(chunk, at) !== next || !crcHolds(chunk, at, at + size)) return false;
        if (next === base) firstTimestamp = maxTimestampOf(chunk, at);
        if (maxTimestampOf(chunk, at) > maxTimestamp) {
          maxTimestamp = maxTimestampOf(chunk, at);
          maxTimestampOffset = lastOffsetOf(chunk, at);
        }
        headsCrc = crc32c(chunk, at, at + CRC_START, headsCrc);
        records += dataRecordsOf(chunk, at);
        take(chunk.subarray(at, at + size));
        next = lastOffsetOf(chunk, at) + 1;
        return true;
      });
    } finally {
      await file.close();
    }
  }
  return {
    facts: { base, bytes, maxTimestamp, maxTimestampOffset, firstTimestamp, headsCrc, records },
    endOffset: next,
    fileBytes,
  };
}
