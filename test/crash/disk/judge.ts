/** Compares what producers were told with what readers found. Pure; every rule stands in `README.md`. */
import type { Found } from './found.ts';
import { type Lane, type Ledger, laneKey, transactionKey } from './ledger.ts';
import { KEYS } from './payload.ts';

/** What a reader may have missed, and why. */
export interface Extent {
  /** First offset of a partition; what was acknowledged below it has been deleted by the topic's settings. */
  start(topic: string, partition: number): number;
  /** Offsets from here on were not read. */
  end(topic: string, partition: number): number;
  /** Whether only the latest record of each key must be there. */
  isCompacted(topic: string): boolean;
  /** Somebody wrote while it was read: a record behind the end may be why compaction took an earlier one. */
  readonly isLive: boolean;
}

/**
 * `since`: acknowledgements of that reading of the journals and earlier ones must be there. Findings go to the reader's.
 */
export function judge(
  ledger: Ledger,
  found: Found,
  isolation: 'read_uncommitted' | 'read_committed',
  extent: Extent,
  since: number,
): void {
  const committed = isolation === 'read_committed';
  for (const lane of ledger.lanes.values()) judgeLane(ledger, lane, found, committed, extent, since);
  for (const [key, { producer, topic, partition, offsets }] of found.lanes) {
    const lane = ledger.lanes.get(key);
    const asked = lane?.outcomes.length ?? 0;
    if (offsets.length > asked) {
      const seq = offsets.length - 1;
      found.report('invented', `${producer} never sent seq ${seq} to ${topic}-${partition}, only ${asked}`);
    }
  }
  if (committed) judgeTransactions(ledger, found, extent);
}

function judgeLane(
  ledger: Ledger,
  lane: Lane,
  found: Found,
  committed: boolean,
  extent: Extent,
  since: number,
): void {
  const { producer, topic, partition } = lane;
  const offsets = found.lanes.get(laneKey(producer, topic, partition))?.offsets ?? [];
  const start = extent.start(topic, partition);
  const end = extent.end(topic, partition);
  const compacted = extent.isCompacted(topic);
  const latest = Array.from({ length: KEYS }, () => -1);
  for (let seq = lane.outcomes.length - 1; seq >= 0; seq -= 1) {
    const at = offsets[seq];
    const outcome = lane.outcomes[seq]!;
    const what = (): string => `${producer} seq ${seq} in ${topic}-${partition}`;
    if (at !== undefined) {
      if (outcome === 'failed') found.report('written though failed', `${what()}: found at ${at}`);
      if (outcome === 'ok' && lane.offsets[seq] !== at) {
        found.report('wrong offset', `${what()}: acknowledged at ${lane.offsets[seq]}, found at ${at}`);
      }
      if (latest[seq % KEYS]! < 0) latest[seq % KEYS] = seq;
      continue;
    }
    const told = lane.offsets[seq]!;
    if (extent.isLive && outcome !== 'failed' && (told < 0 || told >= end)) {
      if (latest[seq % KEYS]! < 0) latest[seq % KEYS] = seq;
    }
    if (outcome !== 'ok' || lane.okSince[seq]! > since) continue;
    if (told < start || told >= end) continue;
    const transaction = ledger.transactions.get(transactionKey(producer, lane.transactions[seq]!));
    // Of one that was committed later, a picture of the disk knows nothing: there it is open, and is ended as aborted.
    const isUndecided =
      transaction && !(transaction.state === 'committed' && transaction.committedSince <= since);
    // Compaction removes what was aborted for readers of everything as well.
    if (isUndecided && (committed || compacted)) continue;
    if (compacted && latest[seq % KEYS]! > seq) continue;
    found.report('lost', `${what()}: acknowledged at ${told}, which was read from ${start} to ${end}`);
  }
}

function judgeTransactions(ledger: Ledger, found: Found, extent: Extent): void {
  for (const [name, { state, sends }] of ledger.transactions) {
    if (state === 'committed') continue;
    let there = 0;
    let absent = 0;
    for (const { lane, seq } of sends) {
      const { producer, topic, partition } = lane;
      const at = found.lanes.get(laneKey(producer, topic, partition))?.offsets[seq];
      if (at !== undefined) there += 1;
      else if (lane.outcomes[seq] === 'ok' && !extent.isCompacted(topic)) {
        const told = lane.offsets[seq]!;
        if (told >= extent.start(topic, partition) && told < extent.end(topic, partition)) absent += 1;
      }
    }
    if (there === 0) continue;
    if (state === 'aborted' || state === 'open') {
      found.report('aborted but read', `${name}: ${there} records though it is ${state}`);
    } else if (absent > 0) {
      found.report('torn transaction', `${name}: ${there} records are there, ${absent} are not`);
    }
  }
}

/** What was once read stays as it was: nobody may have been shown what a crash takes away. */
export function judgeAgain(earlier: Found, later: Found, extent: Extent): void {
  for (const [key, { topic, partition, offsets }] of earlier.lanes) {
    if (extent.isCompacted(topic)) continue;
    const start = extent.start(topic, partition);
    const end = extent.end(topic, partition);
    const now = later.lanes.get(key)?.offsets ?? [];
    for (const [seq, at] of offsets.entries()) {
      if (at === undefined || at < start || at >= end || now[seq] === at) continue;
      later.report(
        'changed',
        `${key} seq ${seq} was read at ${at}, and is now at ${now[seq] ?? 'no offset'}`,
      );
    }
  }
}
