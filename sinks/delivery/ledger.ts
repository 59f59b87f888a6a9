/**
 * What is pending, what is in doubt and what may be committed: the rules of exactly-once delivery, apart from I/O.
 *
 * Records are gathered into *cuts*: for each partition a range of offsets, and below it *parts*, each one INSERT or
 * one send of dead letters. The group's position moves over a cut when all of its parts are stored, in the order of
 * the cuts, so it never passes a record that is not durable.
 *
 * Doubt: after an assignment nothing is known about the tables, since whoever owned the partition before may have
 * stored more than it committed. So the first look asks up to where rows of a partition exist; parts of a cut that
 * begins below that are *in doubt*, and so is every part that has failed once, whatever the failure said. A part in
 * doubt is stored by reading which of its rows are there and inserting the others.
 *
 * The fence against an owner that does not know it was replaced belongs here as well: a new owner would claim the
 * partition between `assigned` and its first look. It is not built; what stands in for it is in assignment.ts.
 */

/** `topic/partition`. */
export type PartitionKey = string;

/** Offsets [from, to). */
export interface Range {
  readonly from: number;
  readonly to: number;
}

export interface Part {
  readonly id: number;
  readonly state: 'ready' | 'running' | 'waiting' | 'stored';
  readonly inDoubt: boolean;
  readonly failures: number;
  /** Waiting until then. */
  readonly readyAtMs: number;
}

export interface Cut {
  readonly id: number;
  readonly ranges: ReadonlyMap<PartitionKey, Range>;
  readonly parts: readonly Part[];
}

export interface Ledger {
  /** Rises with every assignment and loss of one: what an earlier one began no longer counts. */
  readonly generation: number;
  /** Sealed and not yet committed, oldest first. */
  readonly cuts: readonly Cut[];
  /** First offset without a row in any table, as far as known. */
  readonly bounds: ReadonlyMap<PartitionKey, number>;
  readonly looking: boolean;
  readonly lookFailures: number;
  readonly lookAtMs: number;
  /** Cuts whose ranges are being committed. */
  readonly committing: number;
  readonly commitFailures: number;
  readonly commitAtMs: number;
}

export type Event =
  | { readonly type: 'assigned' | 'revoked' }
  | {
      readonly type: 'sealed';
      readonly cut: number;
      readonly ranges: Cut['ranges'];
      readonly parts: readonly number[];
    }
  | { readonly type: 'looked'; readonly bounds: ReadonlyMap<PartitionKey, number> }
  | { readonly type: 'look-failed' }
  | { readonly type: 'stored'; readonly part: number }
  | { readonly type: 'store-failed'; readonly part: number }
  /** The part is given up for others that hold its rows: halves of it, or a dead letter. */
  | { readonly type: 'replaced'; readonly part: number; readonly by: readonly number[] }
  | { readonly type: 'committed' }
  | { readonly type: 'commit-failed' }
  | { readonly type: 'woken' };

export type Effect =
  /** Find the first offset without a row for each, where rows at or above `from` count. */
  | { readonly type: 'look'; readonly from: ReadonlyMap<PartitionKey, number> }
  | { readonly type: 'store'; readonly part: number; readonly inDoubt: boolean }
  | { readonly type: 'commit'; readonly offsets: ReadonlyMap<PartitionKey, number> }
  /** These cuts are committed and can be forgotten. */
  | { readonly type: 'release'; readonly cuts: readonly number[] }
  | { readonly type: 'wake'; readonly atMs: number };

/** Parts stored at a time: more would share the same disk and CPU, and hold more connections of the store. */
const RUNNING_MAX = 3;
const RETRY_FIRST_MS = 200;
const RETRY_MAX_MS = 10_000;

export const emptyLedger: Ledger = {
  generation: 0,
  cuts: [],
  bounds: new Map(),
  looking: false,
  lookFailures: 0,
  lookAtMs: 0,
  committing: 0,
  commitFailures: 0,
  commitAtMs: 0,
};

export function step(ledger: Ledger, event: Event, nowMs: number): { ledger: Ledger; effects: Effect[] } {
  const released: Effect[] = [];
  if (event.type === 'committed') {
    const cuts = ledger.cuts.slice(0, ledger.committing).map(({ id }) => id);
    released.push({ type: 'release', cuts });
  }
  const after = advance(apply(ledger, event, nowMs), nowMs);
  return { ledger: after.ledger, effects: [...released, ...after.effects] };
}

/** True when nothing waits to be stored or committed. */
export function isSettled(ledger: Ledger): boolean {
  return ledger.cuts.length === 0;
}

function apply(ledger: Ledger, event: Event, nowMs: number): Ledger {
  switch (event.type) {
    case 'assigned':
    case 'revoked':
      return { ...emptyLedger, generation: ledger.generation + 1 };
    case 'sealed': {
      const parts = event.parts.map((id) => newPart(id, isDoubtful(ledger.bounds, event.ranges)));
      return { ...ledger, cuts: [...ledger.cuts, { id: event.cut, ranges: event.ranges, parts }] };
    }
    case 'looked': {
      const bounds = new Map([...ledger.bounds, ...event.bounds]);
      const cuts = ledger.cuts.map((cut) => {
        const inDoubt = isDoubtful(bounds, cut.ranges);
        return { ...cut, parts: cut.parts.map((part) => ({ ...part, inDoubt: part.inDoubt || inDoubt })) };
      });
      return { ...ledger, bounds, cuts, looking: false, lookFailures: 0 };
    }
    case 'look-failed':
      return {
        ...ledger,
        looking: false,
        lookFailures: ledger.lookFailures + 1,
        lookAtMs: nowMs + retryDelayMs(ledger.lookFailures),
      };
    case 'stored':
      return changePart(ledger, event.part, (part) => [{ ...part, state: 'stored' }]);
    case 'store-failed':
      return changePart(ledger, event.part, (part) => [
        {
          ...part,
          state: 'waiting',
          inDoubt: true,
          failures: part.failures + 1,
          readyAtMs: nowMs + retryDelayMs(part.failures),
        },
      ]);
    case 'replaced':
      return changePart(ledger, event.part, () => event.by.map((id) => newPart(id, true)));
    case 'committed':
      return { ...ledger, cuts: ledger.cuts.slice(ledger.committing), committing: 0, commitFailures: 0 };
    case 'commit-failed':
      return {
        ...ledger,
        committing: 0,
        commitFailures: ledger.commitFailures + 1,
        commitAtMs: nowMs + retryDelayMs(ledger.commitFailures),
      };
    case 'woken':
      return ledger;
  }
}

/** Starts what can start now, and says when to look again. */
function advance(ledger: Ledger, nowMs: number): { ledger: Ledger; effects: Effect[] } {
  const effects: Effect[] = [];
  let next = ledger;
  const wakes: number[] = [];

  const unknown = unknownBounds(next);
  if (unknown.size > 0 && !next.looking) {
    if (next.lookAtMs <= nowMs) {
      effects.push({ type: 'look', from: unknown });
      next = { ...next, looking: true };
    } else {
      wakes.push(next.lookAtMs);
    }
  }

  let running = next.cuts.flatMap(({ parts }) => parts).filter(({ state }) => state === 'running').length;
  const cuts = next.cuts.map((cut) => {
    if ([...cut.ranges.keys()].some((key) => !next.bounds.has(key))) return cut;
    const parts = cut.parts.map((part): Part => {
      if (part.state === 'waiting' && part.readyAtMs > nowMs) wakes.push(part.readyAtMs);
      else if ((part.state === 'waiting' || part.state === 'ready') && running < RUNNING_MAX) {
        running += 1;
        effects.push({ type: 'store', part: part.id, inDoubt: part.inDoubt });
        return { ...part, state: 'running' };
      }
      return part;
    });
    return { ...cut, parts };
  });
  next = { ...next, cuts };

  const complete = completeCuts(next);
  if (complete > 0 && next.committing === 0) {
    if (next.commitAtMs <= nowMs || next.commitFailures === 0) {
      const offsets = new Map<PartitionKey, number>();
      for (const { ranges } of next.cuts.slice(0, complete)) {
        for (const [key, { to }] of ranges) offsets.set(key, to);
      }
      effects.push({ type: 'commit', offsets });
      next = { ...next, committing: complete };
    } else {
      wakes.push(next.commitAtMs);
    }
  }
  if (wakes.length > 0) effects.push({ type: 'wake', atMs: Math.min(...wakes) });
  return { ledger: next, effects };
}

/** Leading cuts of which everything is stored: the contiguous prefix. */
function completeCuts({ cuts, bounds }: Ledger): number {
  const open = cuts.findIndex(
    ({ ranges, parts }) =>
      parts.some(({ state }) => state !== 'stored') || [...ranges.keys()].some((key) => !bounds.has(key)),
  );
  return open === -1 ? cuts.length : open;
}

/** Partitions of waiting cuts about which nothing is known, with the first offset that matters. */
function unknownBounds({ cuts, bounds }: Ledger): Map<PartitionKey, number> {
  const unknown = new Map<PartitionKey, number>();
  for (const { ranges } of cuts) {
    for (const [key, { from }] of ranges) {
      if (!bounds.has(key) && !unknown.has(key)) unknown.set(key, from);
    }
  }
  return unknown;
}

function isDoubtful(bounds: ReadonlyMap<PartitionKey, number>, ranges: Cut['ranges']): boolean {
  return [...ranges].some(([key, { from }]) => from < (bounds.get(key) ?? 0));
}

function changePart(ledger: Ledger, id: number, change: (part: Part) => readonly Part[]): Ledger {
  const cuts = ledger.cuts.map((cut) =>
    cut.parts.some((part) => part.id === id)
      ? { ...cut, parts: cut.parts.flatMap((part) => (part.id === id ? change(part) : [part])) }
      : cut,
  );
  return { ...ledger, cuts };
}

function newPart(id: number, inDoubt: boolean): Part {
  return { id, state: 'ready', inDoubt, failures: 0, readyAtMs: 0 };
}

function retryDelayMs(failures: number): number {
  return Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(failures, 10));
}
