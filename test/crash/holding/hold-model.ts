import type { DiskLog } from '../../../broker/log/disk-log.ts';
import type { Partition } from '../../../broker/log/partition/partition.ts';
import type { SimHost } from '../../sim/sim-host.ts';

export type Configs = Readonly<Record<string, string>>;

/** What was answered last, and what was asked for last: one of the two holds. */
interface Told<T> {
  told: T;
  asked: T;
}

/** Up to where retention may go by itself, at least and at most, and the size up to which it has to wait. */
interface Hold {
  readonly lowest: number;
  readonly highest: number;
  readonly bytesMin: number;
}

/** As it was before something was done. */
export interface Before {
  readonly holds: ReadonlyMap<string, Hold>;
  readonly internalBytes: number;
}

/**
 * Retention's promises to groups, from what clients were told alone: what they committed, the settings, and when each
 * record was written. Throws with the first broken one.
 */
export class HoldModel {
  readonly settings = new Map<string, Told<Configs>>();
  readonly #positions = new Map<string, Told<number>>();
  /** By place and offset: the timestamp of what was last appended there. */
  readonly #timestamps = new Map<string, Map<number, number>>();
  readonly #starts = new Map<string, number>();
  /** Asked for by DeleteRecords. */
  readonly #deletedTo = new Map<string, number>();
  readonly #segmentBytesMax: number;

  /** No segment is larger. */
  constructor(segmentBytesMax: number) {
    this.#segmentBytesMax = segmentBytesMax;
  }

  position(group: string, place: string): Told<number> {
    const key = `${group}/${place}`;
    let position = this.#positions.get(key);
    if (!position) this.#positions.set(key, (position = { told: -1, asked: -1 }));
    return position;
  }

  appended(partition: Partition, baseOffset: number, count: number, timestamp: number): void {
    const place = placeOf(partition);
    const timestamps = this.#timestamps.get(place) ?? new Map<number, number>();
    this.#timestamps.set(place, timestamps);
    for (let i = 0; i < count; i += 1) timestamps.set(baseOffset + i, timestamp + i);
  }

  deleting(partition: Partition, to: number): void {
    const place = placeOf(partition);
    this.#deletedTo.set(place, Math.max(to, this.#deletedTo.get(place) ?? 0));
  }

  before(log: DiskLog): Before {
    const holds = new Map(this.#partitions(log).map((one) => [placeOf(one), this.#holdOf(one)]));
    return { holds, internalBytes: internalBytes(log, 'sizeBytes') };
  }

  /** A start: positions and settings are as one of the two was, and stay so. */
  settle(log: DiskLog, positions: ReadonlyMap<string, number>): void {
    for (const [key, position] of this.#positions) {
      const seen = positions.get(key) ?? -1;
      if (seen !== position.told && seen !== position.asked)
        throw new Error(`${key} is at ${seen}, was told ${position.told}, asked ${position.asked}`);
      position.told = position.asked = seen;
    }
    for (const [name, settings] of this.settings) {
      const seen = JSON.stringify(log.topic(name)?.configs);
      if (seen !== JSON.stringify(settings.told) && seen !== JSON.stringify(settings.asked))
        throw new Error(`${name} has ${seen}, was told ${JSON.stringify(settings.told)}`);
      settings.told = settings.asked = log.topic(name)!.configs;
    }
    // Asked for and not answered: nothing is in them.
    for (const { name, internal, configs } of log.topics())
      if (!internal && !this.settings.has(name)) this.settings.set(name, { told: configs, asked: configs });
  }

  /**
   * Since `before`, starts moved only over what was read, asked to go, or had to make room, and this was said. `lines` are
   * those of all processes that may have moved it.
   */
  checkMoves(log: DiskLog, before: Before, lines: SimHost['lines'], isRestart = false): void {
    for (const partition of this.#partitions(log)) {
      const place = placeOf(partition);
      const { startOffset, highWatermark } = partition;
      const moved = startOffset > (this.#starts.get(place) ?? 0);
      // A move that was not durable is undone by a restart.
      this.#starts.set(place, startOffset);
      if (!moved) continue;
      if (startOffset > highWatermark) throw new Error(`${place} starts behind its end, at ${startOffset}`);
      const was = before.holds.get(place) ?? this.#holdOf(partition);
      const is = this.#holdOf(partition);
      const limit = Math.max(was.highest, is.highest, this.#deletedTo.get(place) ?? 0);
      if (startOffset <= limit) continue;
      // What was replayed is in memory yet.
      const bytes = isRestart ? partition.sizeBytes : partition.segmentBytes;
      const isOverHold = bytes >= Math.min(was.bytesMin, is.bytesMin);
      if (!isOverHold && !this.#isOverDisk(log, before)) {
        throw new Error(
          `${place} starts at ${startOffset}, is read to ${limit}, and ${bytes} bytes are within every bound`,
        );
      }
      checkTold(partition, lines);
    }
  }

  /** After retention has run, nothing being under way: nothing stays but for a reason, and the bounds are kept. */
  checkKept(log: DiskLog, nowMs: number): void {
    let userBytes = 0;
    for (const partition of this.#partitions(log)) {
      const [head, second] = partition.segments;
      const { bytes, base } = head!.facts();
      userBytes += partition.segmentBytes;
      if (bytes === 0) continue;
      const place = placeOf(partition);
      const { retentionMs, retentionBytes, holdBytes } = boundsOf(this.#settingsOf(partition));
      const end = second?.base ?? partition.highWatermark;
      const newest = this.#newest(place, base, end);
      const total = partition.segmentBytes;
      const isOld = nowMs - newest > retentionMs;
      if (!isOld && total - retentionBytes < bytes) continue;
      const reason = isOld ? `is ${nowMs - newest} ms old` : `is beyond its size with ${total} bytes`;
      if (this.#holdOf(partition).lowest >= end)
        throw new Error(`${place} from ${base} to ${end} stays: ${reason}, and nobody holds it`);
      if (total - holdBytes >= bytes)
        throw new Error(`${place} holds ${total} bytes, want less than ${holdBytes} and a segment`);
    }
    const total = userBytes + internalBytes(log, 'segmentBytes');
    if (total > log.segmentBytesMax && userBytes > 0)
      throw new Error(`segments take ${total} bytes on the disk, want ${log.segmentBytesMax} at most`);
  }

  /** No file stays of a segment that is gone. */
  async checkFiles(log: DiskLog): Promise<void> {
    for (const partition of this.#partitions(log)) {
      const known = new Set(partition.segments.map(({ logPath }) => logPath));
      for (const name of await log.host.files.list(partition.directory)) {
        const path = `${partition.directory}/${name}`;
        if (name.endsWith('.log') && !known.has(path)) throw new Error(`${path} stays, without its segment`);
      }
    }
  }

  #partitions(log: DiskLog): Partition[] {
    return log.partitions().filter(({ topic }) => this.settings.has(topic));
  }

  #settingsOf({ topic }: Partition): Configs {
    return this.settings.get(topic)!.told;
  }

  #holdOf(partition: Partition): Hold {
    const { told, asked } = this.settings.get(partition.topic)!;
    const lows: number[] = [];
    const highs: number[] = [];
    for (const configs of [told, asked]) {
      lows.push(this.#readTo(configs, partition, Math.min));
      highs.push(this.#readTo(configs, partition, Math.max));
    }
    return {
      lowest: Math.min(...lows),
      highest: Math.max(...highs),
      bytesMin: Math.min(boundsOf(told).holdBytes, boundsOf(asked).holdBytes),
    };
  }

  /** To where all groups that are named have read; Infinity when that is everything. */
  #readTo(configs: Configs, partition: Partition, choose: (...two: number[]) => number): number {
    let to = Number.POSITIVE_INFINITY;
    for (const group of groupsOf(configs)) {
      const { told, asked } = this.position(group, placeOf(partition));
      const position = Math.max(0, choose(told, asked));
      if (position < partition.highWatermark) to = Math.min(to, position);
    }
    return to;
  }

  /** Compaction of the internal topics may have made room since. */
  #isOverDisk(log: DiskLog, before: Before): boolean {
    let bytes = Math.max(before.internalBytes, internalBytes(log, 'sizeBytes'));
    for (const { sizeBytes } of this.#partitions(log)) bytes += sizeBytes;
    return bytes + this.#segmentBytesMax > log.segmentBytesMax;
  }

  #newest(place: string, from: number, to: number): number {
    let newest = -1;
    const timestamps = this.#timestamps.get(place);
    for (let offset = from; offset < to; offset += 1)
      newest = Math.max(newest, timestamps?.get(offset) ?? Number.POSITIVE_INFINITY);
    return newest;
  }
}

export function placeOf({ topic, partition }: Pick<Partition, 'topic' | 'partition'>): string {
  return `${topic}-${partition}`;
}

function groupsOf(configs: Configs): string[] {
  return (configs['retention.hold.groups'] ?? '').split(',').filter((group) => group !== '');
}

function boundsOf(configs: Configs): { retentionMs: number; retentionBytes: number; holdBytes: number } {
  const bound = (name: string): number => {
    const value = Number(configs[name] ?? '-1');
    return value < 0 ? Number.POSITIVE_INFINITY : value;
  };
  return {
    retentionMs: bound('retention.ms'),
    retentionBytes: bound('retention.bytes'),
    holdBytes: bound('retention.hold.bytes'),
  };
}

/** With what is in memory yet, or without. */
function internalBytes(log: DiskLog, which: 'sizeBytes' | 'segmentBytes'): number {
  let bytes = 0;
  for (const { internal, partitions } of log.topics()) {
    if (internal) for (const partition of partitions) bytes += (partition as Partition)[which];
  }
  return bytes;
}

/** What was taken unread is said, with group and offsets. */
function checkTold({ topic, partition, startOffset }: Partition, lines: SimHost['lines']): void {
  const said = lines.some(({ level, fields, message }) => {
    const of = fields as { topic?: string; partition?: number; toOffset?: number };
    const isMeant = level === 'warn' && message.includes('has not read');
    return isMeant && of.topic === topic && of.partition === partition && of.toOffset! >= startOffset;
  });
  if (!said)
    throw new Error(`${topic}-${partition} lost what is unread below ${startOffset}, and nobody said so`);
}
