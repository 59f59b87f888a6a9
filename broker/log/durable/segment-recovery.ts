import type { Files } from '../../host/files.ts';
import { baseOffsetOf, leaderEpochOf, producerIdOf } from '../batch/batch-header.ts';
import type { PartitionCheckpoint } from './checkpoint.ts';
import { Epochs } from '../partition/epochs.ts';
import { behindGaps } from '../segment/partition-segments.ts';
import { ProducerStates } from '../producers/producer-state.ts';
import { type SegmentFacts, segmentName } from '../segment/segment.ts';
import { firstEpoch, type Salvaged, salvageSegment } from './segment-salvage.ts';
import type { Expectation } from '../segment/segment-scan.ts';
import { TransactionIndex } from '../producers/transaction-index.ts';

/** What recovery found wrong in the segments of a partition. */
export interface SegmentDamage {
  readonly path: string;
  readonly position: number;
  readonly bytes: number;
  /** Offsets that are lost; no end where that is not known. */
  readonly fromOffset: number;
  readonly toOffset?: number;
  /** What is there was cut off; else it stays, and reads of these offsets fail. */
  readonly cut: boolean;
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
  const gaps = [...checkpoint.gaps];
  const epochs = new Epochs(checkpoint.epochs);
  const want: Expectation = {
    epochAt: (offset) => epochs.at(offset),
    firstFrom: (offset) => behindGaps(checkpoint.gaps, offset),
  };
  for (const [i, facts] of checkpoint.segments.entries()) {
    const path = logPath(directory, facts);
    const size = (await files.stat(path))?.size ?? 0;
    if (size > facts.bytes) await truncate(files, path, facts.bytes);
    if (size >= facts.bytes) {
      segments.push(facts);
      continue;
    }
    // All of it was synced, so that good batches behind a bad one count.
    const salvaged = await salvageSegment(files, path, facts.base, { want });
    const position = salvaged.facts.bytes;
    if (size > position) await truncate(files, path, position);
    const { indexCrc: _, headsCrc: __, ...rest } = facts;
    segments.push({ ...rest, ...salvaged.facts });
    const fromOffset = salvaged.endOffset;
    const toOffset = checkpoint.segments[i + 1]?.base ?? checkpoint.endOffset;
    damage.push(...stays(path, salvaged));
    damage.push({ path, position, bytes: facts.bytes - position, fromOffset, toOffset, cut: true });
    // Offsets are never given twice, so what was cut stays a gap.
    const from = behindGaps(gaps, fromOffset);
    if (from < toOffset) gaps.push([from, toOffset]);
  }
  if (damage.length === 0) return { checkpoint, damage };
  // The last segment was cut: what follows begins a new one.
  const last = checkpoint.segments.at(-1);
  if (last && segments.at(-1) !== last) segments.push(emptyFacts(checkpoint.endOffset));
  return { checkpoint: { ...checkpoint, segments, gaps }, damage };
}

/**
 * Without a checkpoint: reads every segment whole, checks every batch and keeps what holds. Slow, and only after
 * the checkpoint file itself was damaged.
 *
 * Where something is missing that the write-ahead log has (`heldFrom` is the first offset that it has), the segments
 * end: it was not synced, and comes again from there with all that is behind it. Anything else that is missing was
 * synced, and so was what is behind it: that stays.
 */
export async function rebuildCheckpoint(
  files: Files,
  directory: string,
  place: { topicId: string; partition: number },
  heldFrom: number,
  nowMs: number,
): Promise<RestoredSegments> {
  const places = await segmentsOnDisk(files, directory);
  const damage: SegmentDamage[] = [];
  const segments: SegmentFacts[] = [];
  const gaps: Array<readonly [number, number]> = [];
  const epochs = new Epochs([]);
  const producers = new ProducerStates();
  const transactions = new TransactionIndex({ producers: [], aborted: [] });
  // The first file may be missing itself: what retention deleted of that comes back rather than that something is lost.
  const startOffset = places.length === 0 ? 0 : Math.min(places[0]!.base, heldFrom);
  let next = startOffset;
  let isHeld = false;
  let isCut = false;
  for (const [i, { base, generation }] of places.entries()) {
    const path = logPath(directory, { base, generation });
    // Compaction was about to put the one before into its place, or the write-ahead log has it.
    isHeld ||= base > next && base > heldFrom;
    if (base < next || isHeld) {
      await files.remove(path);
      continue;
    }
    if (base > next) {
      gaps.push([next, base]);
      // Not a byte tells what stood there.
      const before = segments.at(-1)!;
      const position = before.bytes;
      if (!isCut)
        damage.push({
          path: logPath(directory, before),
          position,
          bytes: 0,
          fromOffset: next,
          toOffset: base,
          cut: true,
        });
    }
    const following = places.slice(i + 1).find((one) => one.base > base);
    const salvaged = await salvageSegment(files, path, base, {
      heldFrom,
      ...(following ? { next: await neighbour(files, directory, following) } : {}),
      take(batch) {
        epochs.begin(leaderEpochOf(batch), baseOffsetOf(batch));
        if (producerIdOf(batch) < 0) return;
        const change = producers.record(batch, baseOffsetOf(batch), nowMs);
        producers.committed(change);
        transactions.committed(change);
      },
    });
    const { facts, fileBytes, endOffset } = salvaged;
    damage.push(...stays(path, salvaged));
    gaps.push(...salvaged.gaps);
    ({ isHeld } = salvaged);
    isCut = fileBytes > facts.bytes;
    if (isCut) {
      const position = facts.bytes;
      const isLost = !isHeld && following && following.base <= heldFrom;
      const toOffset = isLost ? { toOffset: following.base } : {};
      damage.push({
        path,
        position,
        bytes: fileBytes - position,
        fromOffset: endOffset,
        ...toOffset,
        cut: true,
      });
      await truncate(files, path, facts.bytes);
    }
    segments.push({ ...facts, generation: generation ?? 0 });
    next = Math.max(base, endOffset);
  }
  const checkpoint: PartitionCheckpoint = {
    ...place,
    startOffset,
    endOffset: next,
    epochs: epochs.starts,
    gaps,
    segments,
    producers: [...producers.durable],
    aborted: transactions.aborted.toArray(),
  };
  return { checkpoint, damage };
}

async function neighbour(
  files: Files,
  directory: string,
  place: SegmentPlace,
): Promise<{ base: number; epoch: number }> {
  return { base: place.base, epoch: await firstEpoch(files, logPath(directory, place)) };
}

function stays(path: string, { broken }: Salvaged): SegmentDamage[] {
  return broken.map((range) => ({ path, ...range, cut: false }));
}

interface Candidate {
  readonly place: SegmentPlace;
  readonly end: number;
  /** Offsets that cannot be read in it. */
  readonly lost: number;
}

/**
 * The segments by base. Of several files with one base, the one that compaction made once it is complete, else the
 * one that it was made from. The others are removed, and so are indexes.
 */
async function segmentsOnDisk(files: Files, directory: string): Promise<SegmentPlace[]> {
  const places: SegmentPlace[] = [];
  for (const name of await files.list(directory)) {
    const parts = /^(\d{20})(?:-(\d+))?\.log$/.exec(name);
    if (parts) places.push({ base: Number(parts[1]), generation: Number(parts[2] ?? 0) });
    else await files.remove(`${directory}/${name}`);
  }
  places.sort((a, b) => a.base - b.base);
  // Without compaction's files none is in the place of another.
  if (places.every(({ generation }) => generation === 0)) return places;
  const candidates: Candidate[] = [];
  for (const place of places) {
    const { endOffset: end, broken } = await salvageSegment(files, logPath(directory, place), place.base);
    const lost = broken.reduce((sum, one) => sum + one.toOffset - one.fromOffset, 0);
    candidates.push({ place, end, lost });
  }
  const chosen: SegmentPlace[] = [];
  for (const base of new Set(places.map((place) => place.base))) {
    const same = candidates.filter(({ place }) => place.base === base);
    const best = same.toSorted((a, b) => rankOf(a, candidates) - rankOf(b, candidates) || isBetter(a, b))[0]!;
    chosen.push(best.place);
    for (const { place } of same) if (place !== best.place) await files.remove(logPath(directory, place));
  }
  return chosen;
}

/** Compaction puts a file in the place of whole ones: 1 for one that ends in the middle of another. */
function rankOf({ place, end }: Candidate, all: readonly Candidate[]): number {
  return all.some((one) => one.place.base > place.base && one.place.base < end && one.end > end) ? 1 : 0;
}

function isBetter(a: Candidate, b: Candidate): number {
  return a.lost - b.lost || b.end - a.end || b.place.generation! - a.place.generation!;
}

function logPath(directory: string, { base, generation }: SegmentPlace): string {
  return `${directory}/${segmentName(base, generation)}.log`;
}

interface SegmentPlace {
  readonly base: number;
  readonly generation?: number | undefined;
}

/** Not synced: if it is undone by a crash, the next recovery does it again. */
async function truncate(files: Files, path: string, bytes: number): Promise<void> {
  const file = await files.open(path, 'write');
  try {
    await file.truncate(bytes);
  } finally {
    await file.close();
  }
}

function emptyFacts(base: number): SegmentFacts {
  return { base, bytes: 0, maxTimestamp: -1, maxTimestampOffset: -1, firstTimestamp: -1, records: 0 };
}
