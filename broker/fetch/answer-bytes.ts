import type { WantedPartition } from './wanted-partition.ts';

/** What an answer will hold at most, but for a first batch that is larger than was asked for. */
export function answerBytes(all: readonly WantedPartition[], bytesMax: number): number {
  let bytes = 0;
  for (const { log, asked, settled } of all) {
    if (bytes >= bytesMax) return Math.max(0, bytesMax);
    if (log && !settled) bytes += log.availableBytes(asked.fetchOffset, Math.min(asked.maxBytes, bytesMax));
  }
  return Math.max(0, Math.min(bytes, bytesMax));
}
