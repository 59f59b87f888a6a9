/**
 * How far event time is known to be complete in one partition.
 *
 * Everything appended until `readUntilMs` has been read. Senders are late by what they buffer, so completeness
 * trails the event times seen by an allowance, but never trails the append time by more than a stated maximum:
 * one slow sender cannot hold all alerts back. A partition that is read to its end and stays silent follows the
 * clock.
 */
export interface PartitionTime {
  /** Append time of the last record read, or the time of the last look that found nothing unread. */
  readonly readUntilMs: number;
  readonly eventMaxMs: number;
  readonly lastRecordMs: number;
  /** Never goes back. */
  readonly watermarkMs: number;
}

export interface WatermarkLimits {
  readonly allowedLatenessMs: number;
  readonly watermarkLagMaxMs: number;
  readonly idleTimeoutMs: number;
}

export const UNREAD: PartitionTime = {
  readUntilMs: -Infinity,
  eventMaxMs: -Infinity,
  lastRecordMs: -Infinity,
  watermarkMs: -Infinity,
};

/** A record was read. */
export function observe(
  time: PartitionTime,
  eventMs: number,
  appendMs: number,
  limits: WatermarkLimits,
): PartitionTime {
  const readUntilMs = Math.max(time.readUntilMs, appendMs);
  const eventMaxMs = Math.max(time.eventMaxMs, eventMs);
  return advanced({ ...time, readUntilMs, eventMaxMs, lastRecordMs: readUntilMs }, limits);
}

/** A look at the partition's end, begun at `atMs`, found everything read. */
export function caughtUp(time: PartitionTime, atMs: number, limits: WatermarkLimits): PartitionTime {
  return advanced({ ...time, readUntilMs: Math.max(time.readUntilMs, atMs) }, limits);
}

function advanced(time: PartitionTime, limits: WatermarkLimits): PartitionTime {
  const { readUntilMs, eventMaxMs, lastRecordMs } = time;
  const isIdle = readUntilMs - lastRecordMs >= limits.idleTimeoutMs;
  const complete = isIdle ? readUntilMs : Math.min(readUntilMs, eventMaxMs);
  const floor = readUntilMs - limits.watermarkLagMaxMs;
  const watermarkMs = Math.max(time.watermarkMs, complete - limits.allowedLatenessMs, floor);
  return { ...time, watermarkMs };
}
