import type { LogConfig } from '../config.ts';
import type { SegmentFacts } from '../segment/segment.ts';
import type { TopicSettings } from '../topics/topic-settings.ts';

/**
 * What retention says about one partition: how many of its oldest segments may go, and whether the active one is
 * expired and must be rolled first, so that an idle topic empties.
 *
 * Time counts from the largest record timestamp of a segment. One from the future keeps its segment, and all
 * behind it, until then; the bounds on bytes still hold. What is at or above `heldFrom` stays, as long as the
 * partition is within what may be held.
 */
export function judgeRetention(
  segments: readonly SegmentFacts[],
  settings: TopicSettings,
  nowMs: number,
  heldFrom = Number.POSITIVE_INFINITY,
): { expired: number; reason: 'time' | 'size'; rollActive: boolean } {
  const none = { expired: 0, reason: 'time' as const, rollActive: false };
  if (!settings.deletes) return none;
  const active = segments.length - 1;
  let bytes = 0;
  for (const segment of segments) bytes += segment.bytes;
  let expired = 0;
  let reason: 'time' | 'size' = 'time';
  for (const [i, segment] of segments.entries()) {
    if (segment.bytes === 0) break;
    const old = segment.maxTimestamp >= 0 && nowMs - segment.maxTimestamp > settings.retentionMs;
    const over = bytes - settings.retentionBytes >= segment.bytes;
    if (!old && !over) break;
    const isUnread = heldFrom < (segments[i + 1]?.base ?? Number.POSITIVE_INFINITY);
    if (isUnread && bytes - settings.holdBytes < segment.bytes) break;
    if (i === active) return { expired, reason, rollActive: old };
    if (!old) reason = 'size';
    bytes -= segment.bytes;
    expired += 1;
  }
  return { expired, reason, rollActive: false };
}

/** Of the disk bound, what segments may take: the write-ahead log's share is kept free for it. */
export function segmentBytesMax({ diskBytesMax, walFileBytes, reserveBytes }: LogConfig): number {
  return Math.max(diskBytesMax - 2 * walFileBytes - reserveBytes, diskBytesMax / 2);
}

/** A partition's oldest segment, as the disk bound sees it. */
export interface Candidate {
  readonly bytes: number;
  readonly maxTimestamp: number;
  /** The active segment can go too, after a roll, when nothing sealed is left. */
  readonly sealed: boolean;
}

/** Index of the one to delete next when the disk is over its bound: sealed before active, then oldest; -1: none. */
export function oldestCandidate(candidates: ReadonlyArray<Candidate | undefined>): number {
  let best = -1;
  for (const [i, one] of candidates.entries()) {
    if (!one || one.bytes === 0) continue;
    const other = best === -1 ? undefined : candidates[best]!;
    const better =
      !other || (one.sealed !== other.sealed ? one.sealed : one.maxTimestamp < other.maxTimestamp);
    if (better) best = i;
  }
  return best;
}
