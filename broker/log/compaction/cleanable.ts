import type { SegmentFacts } from '../segment/segment.ts';

/** Kafka's settings of a compacted topic. */
export interface CompactionSettings {
  /** Part of the log that may be uncleaned. */
  readonly minCleanableDirtyRatio: number;
  /** Younger records stay as they are. */
  readonly minCompactionLagMs: number;
  /** Older ones do not: then the ratio does not matter. */
  readonly maxCompactionLagMs: number;
  /** How long tombstones stay after the first cleaning that finds them. */
  readonly deleteRetentionMs: number;
}

export interface CleanablePart {
  /** Segments from the first to this one (not with it) are read and written again. */
  readonly segments: number;
  /** Of them, the first that no cleaning has seen. */
  readonly firstDirty: number;
  /** Bytes that no cleaning has seen, as a part of all. */
  readonly dirtyRatio: number;
}

/**
 * What a cleaning would work on now, and whether it is worth it; undefined when it is not.
 *
 *     [ cleaned before | dirty | too young, or of an open transaction | active segment ]
 */
export function cleanablePart(
  segments: readonly SegmentFacts[],
  { cleanedTo, stableOffset }: { readonly cleanedTo: number; readonly stableOffset: number },
  settings: CompactionSettings,
  nowMs: number,
): CleanablePart | undefined {
  let end = 0;
  while (end < segments.length - 1 && mayBeCleaned(segments, end, stableOffset, settings, nowMs)) end += 1;
  const firstDirty = segments.findIndex(({ base }) => base >= cleanedTo);
  if (firstDirty === -1 || firstDirty >= end) return undefined;
  let bytes = 0;
  let dirtyBytes = 0;
  for (let i = 0; i < end; i += 1) {
    bytes += segments[i]!.bytes;
    if (i >= firstDirty) dirtyBytes += segments[i]!.bytes;
  }
  if (dirtyBytes === 0) return undefined;
  const dirtyRatio = dirtyBytes / bytes;
  const isOverdue = nowMs - segments[firstDirty]!.firstTimestamp > settings.maxCompactionLagMs;
  return dirtyRatio > settings.minCleanableDirtyRatio || isOverdue
    ? { segments: end, firstDirty, dirtyRatio }
    : undefined;
}

function mayBeCleaned(
  segments: readonly SegmentFacts[],
  index: number,
  stableOffset: number,
  { minCompactionLagMs }: CompactionSettings,
  nowMs: number,
): boolean {
  if (segments[index + 1]!.base > stableOffset) return false;
  return minCompactionLagMs <= 0 || nowMs - segments[index]!.maxTimestamp >= minCompactionLagMs;
}
