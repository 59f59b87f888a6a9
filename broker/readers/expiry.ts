/**
 * How long an unread record is safe: when retention would delete its segment, by the same rule that it applies. Pure.
 *
 * A segment goes by time when its largest timestamp is too old and all in front of it have gone; by size when what is
 * behind it fills `retention.bytes`; by the disk bound when it is the oldest of all topics. The latter two depend on
 * how fast the log fills, and take it to go on as in the last minutes. The time is the earliest: new records make the
 * segment that is written to younger, and retention looks every half a minute only.
 *
 * What a group in `retention.hold.groups` has not read goes by time and size only when what is behind it fills
 * `retention.hold.bytes` too. A hold of others is left out: they may read on at any moment.
 */
import type { RetainedSegment, RetentionSettings } from '../log/log.ts';

export interface Expiry {
  /** Infinity: nothing deletes it; 0: the next check does. */
  readonly inMs: number;
  readonly by: 'time' | 'size' | 'hold' | 'disk' | 'never';
  /** It would be gone, but retention waits for the group. */
  readonly isHeld?: boolean;
}

export const NEVER: Expiry = { inMs: Infinity, by: 'never' };

export interface Retained {
  readonly segments: readonly RetainedSegment[];
  readonly settings: RetentionSettings;
}

/** How near all topics together are to the bound of the disk. */
export interface DiskFill {
  readonly bytes: number;
  readonly bytesMax: number;
  readonly bytesPerS: number;
  /** Retention by time and size keeps all topics below the bound. */
  readonly settles: boolean;
  /** Bytes of the sealed segments that go before one of this largest timestamp does. */
  bytesBefore(maxTimestamp: number): number;
}

/** What a reader has not read yet. */
export interface OldestUnread {
  readonly group: string;
  readonly offset: number;
  /** Of the record, which may not be in a segment yet. */
  readonly timestampMs: number;
}

export function expiryOf(
  { group, offset, timestampMs }: OldestUnread,
  { segments, settings }: Retained,
  fill: { readonly bytesPerS: number; readonly disk: DiskFill },
  nowMs: number,
): Expiry {
  const index = segmentIndexOf(segments, offset);
  const isActive = index === segments.length - 1;
  let own = ownRetention(segments, index, timestampMs, settings, fill.bytesPerS, nowMs);
  let isHeld = false;
  if (settings.holdGroups.includes(group)) {
    const inMs = sizeLeftMs(segments, index, settings.holdBytes, settings, fill.bytesPerS);
    isHeld = own.inMs === 0 && inMs > 0;
    if (inMs > own.inMs) own = { inMs, by: 'hold' };
  }
  const byDisk = diskLeftMs(segments[index], isActive, settings, fill.disk);
  if (byDisk < own.inMs) own = { inMs: byDisk, by: 'disk' };
  else if (own.inMs === Infinity) own = NEVER;
  return isHeld ? { ...own, isHeld } : own;
}

function segmentIndexOf(segments: readonly RetainedSegment[], offset: number): number {
  let index = segments.length - 1;
  while (index > 0 && segments[index]!.base > offset) index -= 1;
  return index;
}

/** By time and size, whichever is first; but none goes before those in front of it. */
function ownRetention(
  segments: readonly RetainedSegment[],
  index: number,
  timestampMs: number,
  settings: RetentionSettings,
  bytesPerS: number,
  nowMs: number,
): Expiry {
  if (!settings.deletes) return NEVER;
  const { retentionMs, retentionBytes } = settings;
  let inMs = 0;
  let by: Expiry['by'] = 'time';
  for (let i = 0; i <= index; i += 1) {
    const { maxTimestamp } = segments[i]!;
    const sizeMs = sizeLeftMs(segments, i, retentionBytes, settings, bytesPerS);
    const youngestMs = i === segments.length - 1 ? Math.max(maxTimestamp, timestampMs) : maxTimestamp;
    const timeMs = youngestMs < 0 ? Infinity : Math.max(0, youngestMs + retentionMs - nowMs);
    const first = Math.min(sizeMs, timeMs);
    if (first < inMs) continue;
    inMs = first;
    by = sizeMs < timeMs ? 'size' : 'time';
  }
  return { inMs, by };
}

/** Until what is behind a segment fills so many bytes. */
function sizeLeftMs(
  segments: readonly RetainedSegment[],
  index: number,
  bytesMax: number,
  { segmentBytes }: RetentionSettings,
  bytesPerS: number,
): number {
  if (bytesMax === Infinity) return Infinity;
  let left = bytesMax;
  for (const [i, { bytes }] of segments.entries()) {
    if (i > index) left -= bytes;
    // One that is written to is filled and sealed before it goes by size.
    else if (i === index && i === segments.length - 1) left += Math.max(0, segmentBytes - bytes);
  }
  return fillMs(left, bytesPerS);
}

function diskLeftMs(
  segment: RetainedSegment | undefined,
  isActive: boolean,
  { isKept }: RetentionSettings,
  disk: DiskFill,
): number {
  if (isKept || disk.settles || !segment) return Infinity;
  const before = disk.bytesBefore(isActive ? Infinity : segment.maxTimestamp);
  return fillMs(disk.bytesMax + before - disk.bytes, disk.bytesPerS);
}

function fillMs(bytes: number, bytesPerS: number): number {
  if (bytes <= 0) return 0;
  return bytesPerS > 0 ? (bytes / bytesPerS) * 1_000 : Infinity;
}

/** What `diskFill` is told of each partition. */
export interface Filling extends Retained {
  readonly bytesPerS: number;
  /** Retention waits for a group now, so that it fills up to what may be held. */
  readonly isHeld?: boolean;
}

export function diskFill(partitions: readonly Filling[], bytesMax: number): DiskFill {
  let bytes = 0;
  let bytesPerS = 0;
  let settlesAt = 0;
  const sealed: Array<{ readonly maxTimestamp: number; readonly bytes: number }> = [];
  for (const one of partitions) {
    const { segments, settings } = one;
    let own = 0;
    for (const segment of segments) own += segment.bytes;
    bytes += own;
    bytesPerS += one.bytesPerS;
    settlesAt += settledBytes(own, one);
    if (!settings.isKept) sealed.push(...segments.slice(0, -1));
  }
  sealed.sort((a, b) => a.maxTimestamp - b.maxTimestamp);
  const times = sealed.map(({ maxTimestamp }) => maxTimestamp);
  const sums = [0];
  for (const [i, segment] of sealed.entries()) sums.push(sums[i]! + segment.bytes);
  return {
    bytes,
    bytesMax,
    bytesPerS,
    settles: settlesAt <= bytesMax,
    bytesBefore: (maxTimestamp) => sums[countBelow(times, maxTimestamp)]!,
  };
}

/** What retention by time and size lets a partition grow to; a segment more, since none goes in part. */
function settledBytes(now: number, { settings, bytesPerS, isHeld }: Filling): number {
  const { deletes, retentionBytes, retentionMs, segmentBytes, holdBytes } = settings;
  if (bytesPerS <= 0) return now;
  if (!deletes) return settings.isKept ? now : Infinity;
  if (isHeld) return Math.max(now, holdBytes + segmentBytes);
  return Math.max(now, Math.min(retentionBytes, (bytesPerS * retentionMs) / 1_000) + segmentBytes);
}

function countBelow(ascending: readonly number[], value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
