/**
 * Measures every few seconds what each group has left, in slices that do not hold up the event loop, and with a bound
 * on what is asked of the disk. What a standing reader has left is not counted again: its next record has a number,
 * and so has the end.
 */
import type { Host } from '../host/host.ts';
import type { BrokerLog, PartitionLog } from '../log/log.ts';
import type { Unread } from '../log/partition/unread.ts';
import { type DiskFill, diskFill, expiryOf, NEVER } from './expiry.ts';
import { step, type Trend, type TrendState } from './lag-trend.ts';
import {
  lostRecords,
  type PartitionLag,
  partitionLag,
  type ReaderPosition,
  type TopicLag,
  topicLag,
} from './reader-lag.ts';
import { type GroupTopic, positionsOf, type Readers } from './reader-positions.ts';
import { ratePerS, withPoint } from './recent-points.ts';

export const PERIOD_MS = 5_000;
/** Work between two looks at other work. */
const SLICE_MS = 2;
/** Readers in a round that need the disk, at two reads of some KiB each; the others keep their last figures. */
const DISK_READERS_MAX = 1_024;
/** Fill rates of shorter times are noise. */
const FILL_MEASURE_MS = 20_000;
/** A warning a reader and topic in so much time. */
const WARN_MS = 10 * 60_000;

/** One group in one topic, as last measured. */
export interface MeasuredTopic {
  readonly lag: TopicLag;
  readonly trend: Trend;
  readonly partitions: readonly PartitionLag[];
}

export interface Round {
  readonly topics: readonly MeasuredTopic[];
  /** Partitions of readers whose lag could not be told. */
  readonly unknown: number;
  /** Partitions whose figures are of a round before. */
  readonly stale: number;
  readonly disk: DiskFill;
}

/** What is remembered of a reader of one partition. */
interface Seen {
  readonly offset: number;
  readonly unread: Unread;
  /** Number of its next record, counted from the opening of the log; negative for what was there before. */
  readonly ordinal: number;
  readonly bytesOrdinal: number;
  readonly cleanings: number;
  readonly startOffset: number;
  readonly trend: TrendState;
}

interface SeenTopic {
  readonly byPartition: Map<PartitionLog, Seen>;
  trend: TrendState | undefined;
  warnedMs: number;
}

export class LagWatch {
  /** Told of each round; it may take several turns, and no round begins before it resolves. */
  readonly #onRound: (round: Round, pause: () => Promise<void>) => Promise<void>;
  readonly #onLost: (group: string, topic: string, records: number) => void;
  readonly #host: Host;
  readonly #log: BrokerLog;
  readonly #readers: Readers;
  #seen = new Map<string, SeenTopic>();
  #fills = new Map<PartitionLog, readonly number[]>();
  /** Partitions in which retention waits for a group: as of the last round, and as seen in this one. */
  #held: ReadonlySet<PartitionLog> = new Set();
  #holding = new Set<PartitionLog>();
  #isMeasuring = false;
  #stopped = false;
  #sliceEndsMs = 0;
  /** Readers that wanted the disk in the round before, and the first that gets it in this one. */
  #wanted = 0;
  #firstWanted = 0;

  constructor(
    host: Host,
    log: BrokerLog,
    readers: Readers,
    told: {
      readonly onRound: (round: Round, pause: () => Promise<void>) => Promise<void>;
      readonly onLost: (group: string, topic: string, records: number) => void;
    },
  ) {
    this.#host = host;
    this.#log = log;
    this.#readers = readers;
    this.#onRound = told.onRound;
    this.#onLost = told.onLost;
  }

  /** Measures now and every period, until the returned function is called. */
  start(): () => void {
    void this.measure();
    const cancel = this.#host.timers.every(PERIOD_MS, () => void this.measure());
    return () => {
      this.#stopped = true;
      cancel();
    };
  }

  /** One round. Never rejects; does nothing while another runs, so that a slow disk does not pile them up. */
  async measure(): Promise<void> {
    if (this.#isMeasuring || this.#stopped) return;
    this.#isMeasuring = true;
    try {
      await this.#round();
    } catch (error) {
      if (!this.#stopped) this.#host.log.warn({ err: error }, 'cannot measure the lag of the groups');
    } finally {
      this.#isMeasuring = false;
    }
  }

  async #round(): Promise<void> {
    this.#sliceEndsMs = this.#host.clock.monotonicMs() + SLICE_MS;
    const disk = await this.#measureFill();
    this.#holding = new Set();
    const before = this.#seen;
    const seen = new Map<string, SeenTopic>();
    const topics: MeasuredTopic[] = [];
    const counts = { unknown: 0, stale: 0, wanted: 0 };
    for (const one of positionsOf(this.#readers, this.#log)) {
      const key = JSON.stringify([one.group, one.topic]);
      const own = before.get(key) ?? { byPartition: new Map(), trend: undefined, warnedMs: -Infinity };
      const next: SeenTopic = { ...own, byPartition: new Map() };
      seen.set(key, next);
      const measured = await this.#measureTopic(one, own, next, disk, counts);
      if (measured) topics.push(measured);
      if (this.#stopped) return;
    }
    this.#seen = seen;
    this.#held = this.#holding;
    this.#firstWanted = counts.wanted === 0 ? 0 : (this.#firstWanted + DISK_READERS_MAX) % counts.wanted;
    this.#wanted = counts.wanted;
    await this.#onRound({ topics, disk, unknown: counts.unknown, stale: counts.stale }, () => this.#pause());
  }

  async #measureTopic(
    { group, topic, places }: GroupTopic,
    before: SeenTopic,
    next: SeenTopic,
    disk: DiskFill,
    counts: { unknown: number; stale: number; wanted: number },
  ): Promise<MeasuredTopic | undefined> {
    const partitions: PartitionLag[] = [];
    let lost = 0;
    for (const { position, log } of places) {
      await this.#pause();
      const seen = before.byPartition.get(log);
      const end = log.highWatermark;
      const unread = await this.#unreadOf(position, log, seen, counts);
      if (!unread) {
        counts.unknown += 1;
        continue;
      }
      const { clock } = this.#host;
      const expiry = this.#expiryOf(position, log, unread.now, disk);
      if (expiry.isHeld) this.#holding.add(log);
      const held = await this.#heldRecords(position, log);
      const lag = partitionLag(position, log, { ...unread.now, held }, expiry, clock.nowMs());
      const isHeld = lag.heldRecords > 0 && lag.heldRecords === lag.records;
      const sample = { records: lag.records, position: position.offset, end, isHeld };
      const { state, trend } = step(seen?.trend, sample, clock.monotonicMs());
      partitions.push({ ...lag, trend });
      if (seen) lost += lostBy(position, log, seen, unread.seen.ordinal);
      next.byPartition.set(log, { ...unread.seen, trend: state });
    }
    if (lost > 0) this.#tellLost(group, topic, lost, next);
    // Half of a sum would be taken for all of it.
    if (partitions.length < places.length) return undefined;
    const lag = topicLag(partitions);
    const sample = {
      records: lag.records,
      position: partitions.reduce((sum, { offset }) => sum + offset, 0),
      end: partitions.reduce((sum, one) => sum + one.end, 0),
      isHeld: lag.heldRecords > 0 && lag.heldRecords === lag.records,
    };
    const { state, trend } = step(next.trend, sample, this.#host.clock.monotonicMs());
    next.trend = state;
    return { lag, trend, partitions };
  }

  /** Undefined where it cannot be told: the disk refuses, or the position lies behind the end. */
  async #unreadOf(
    position: ReaderPosition,
    log: PartitionLog,
    seen: Seen | undefined,
    counts: { stale: number; wanted: number },
  ): Promise<{ now: Unread; seen: Omit<Seen, 'trend'> } | undefined> {
    const { offset, startOffset, inFlight } = position;
    if (offset > log.highWatermark) return undefined;
    const { records, bytes } = log.appended;
    const facts = { offset, cleanings: log.cleanings, startOffset: log.startOffset };
    const noted = (unread: Unread): Omit<Seen, 'trend'> => ({
      ...facts,
      unread,
      ordinal: records - unread.records,
      bytesOrdinal: bytes - unread.bytes,
    });
    if (inFlight === 0 && seen && stands(seen, facts)) {
      const now = { ...seen.unread, records: records - seen.ordinal, bytes: bytes - seen.bytesOrdinal };
      return { now, seen: { ...seen, ...facts, unread: now } };
    }
    const known = log.unreadInMemory(offset);
    // The oldest of a share group is what it was given and is not done with.
    const oldest = inFlight === 0 ? known : log.unreadInMemory(startOffset);
    if (known && oldest) return { now: { ...oldest, records: known.records }, seen: noted(known) };
    if (!this.#mayAskDisk(counts)) {
      if (!seen) return undefined;
      counts.stale += 1;
      return { now: seen.unread, seen };
    }
    try {
      // The first part of each runs in this turn, so that all counts are of one moment.
      const [asked, first] = await Promise.all([
        log.unread(offset),
        inFlight === 0 ? undefined : log.unread(startOffset),
      ]);
      return { now: first ? { ...first, records: asked.records } : asked, seen: noted(asked) };
    } catch {
      return undefined;
    }
  }

  /** Behind the beginning of the first open transaction; 0 where that is not known. */
  async #heldRecords({ offset }: ReaderPosition, log: PartitionLog): Promise<number> {
    const { lastStableOffset, highWatermark } = log;
    if (lastStableOffset >= highWatermark) return 0;
    const from = Math.max(offset, lastStableOffset);
    const unread = log.unreadInMemory(from) ?? (await log.unread(from).catch(() => undefined));
    return unread?.records ?? 0;
  }

  /** Takes turns among those that want it. */
  #mayAskDisk(counts: { wanted: number }): boolean {
    const index = counts.wanted;
    counts.wanted += 1;
    if (this.#wanted <= DISK_READERS_MAX) return index < DISK_READERS_MAX;
    return (index - this.#firstWanted + this.#wanted) % this.#wanted < DISK_READERS_MAX;
  }

  #expiryOf({ group, startOffset }: ReaderPosition, log: PartitionLog, unread: Unread, disk: DiskFill) {
    if (unread.timestampMs === undefined) return NEVER;
    const fill = { bytesPerS: this.#bytesPerS(log), disk };
    const oldest = { group, offset: startOffset, timestampMs: unread.timestampMs };
    return expiryOf(oldest, log, fill, this.#host.clock.nowMs());
  }

  async #measureFill(): Promise<DiskFill> {
    const fills = new Map<PartitionLog, readonly number[]>();
    const partitions: PartitionLog[] = [];
    for (const topic of this.#log.topics()) {
      for (const log of topic.partitions) {
        await this.#pause();
        const points = this.#fills.get(log) ?? [];
        fills.set(log, withPoint(points, [this.#host.clock.monotonicMs(), log.appended.bytes]));
        partitions.push(log);
      }
    }
    this.#fills = fills;
    return diskFill(
      partitions.map((log) => ({
        segments: log.segments,
        settings: log.settings,
        bytesPerS: this.#bytesPerS(log),
        isHeld: this.#held.has(log),
      })),
      this.#log.segmentBytesMax,
    );
  }

  /** Of the last minutes; before they have passed, as what is there came in on average. */
  #bytesPerS(log: PartitionLog): number {
    const measured = ratePerS(this.#fills.get(log) ?? [], 2, 1, FILL_MEASURE_MS);
    if (measured !== undefined) return measured;
    const { firstTimestamp } = log.segments[0]!;
    const ageMs = this.#host.clock.nowMs() - firstTimestamp;
    return firstTimestamp < 0 || ageMs < FILL_MEASURE_MS ? 0 : (log.sizeBytes / ageMs) * 1_000;
  }

  #tellLost(group: string, topic: string, records: number, seen: SeenTopic): void {
    this.#onLost(group, topic, records);
    const nowMs = this.#host.clock.monotonicMs();
    if (nowMs - seen.warnedMs < WARN_MS) return;
    seen.warnedMs = nowMs;
    this.#host.log.warn(
      { group, topic, records },
      `retention deleted ${records} records of ${topic} that group ${group} had not read`,
    );
  }

  async #pause(): Promise<void> {
    const { clock, timers } = this.#host;
    if (clock.monotonicMs() < this.#sliceEndsMs) return;
    await new Promise<void>((resolve) => timers.soon(resolve));
    this.#sliceEndsMs = clock.monotonicMs() + SLICE_MS;
  }
}

/** Something is unread, and it is what was unread before, and more. */
function stands(seen: Seen, now: Pick<Seen, 'offset' | 'cleanings' | 'startOffset'>): boolean {
  return (
    seen.unread.records > 0 &&
    seen.offset === now.offset &&
    seen.cleanings === now.cleanings &&
    (seen.startOffset === now.startOffset || now.startOffset <= now.offset)
  );
}

function lostBy(position: ReaderPosition, log: PartitionLog, seen: Seen, ordinal: number): number {
  if (log.startOffset <= position.offset || log.expiredTo < log.startOffset) return 0;
  const stood = seen.offset === position.offset;
  const ordinals = stood ? { next: seen.ordinal, first: ordinal } : undefined;
  return lostRecords(position.offset, seen.startOffset, log.expiredTo, ordinals);
}
