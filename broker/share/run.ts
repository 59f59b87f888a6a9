/**
 * Runs of offsets that share one state. What a share group knows about a partition is a list of them: ascending,
 * side by side without a hole. A thousand records acquired by one fetch are one run; it breaks up only where its
 * records go different ways, and joins again when they meet.
 */
export type DeliveryState = 'available' | 'acquired' | 'acknowledged' | 'archiving' | 'archived';

/** Why a record was given up. */
export type ArchiveReason = 'rejected' | 'delivery-count' | 'gap';

/** What a run becomes when the record that says so is durable. */
export interface Settling {
  readonly ticket: number;
  readonly state: Exclude<DeliveryState, 'acquired'>;
  readonly deliveryCount: number;
  readonly reason: ArchiveReason | undefined;
}

export interface Run {
  readonly first: number;
  readonly last: number;
  readonly state: DeliveryState;
  /** How often its records were handed out. */
  readonly deliveryCount: number;
  /** Who has acquired it, '' when nobody. */
  readonly memberId: string;
  /** Steady time at which the lock ends; 0 when there is none. */
  readonly lockedUntilMs: number;
  readonly reason: ArchiveReason | undefined;
  readonly settling: Settling | undefined;
}

export function run(first: number, last: number, state: Run['state'], deliveryCount = 0): Run {
  return {
    first,
    last,
    state,
    deliveryCount,
    memberId: '',
    lockedUntilMs: 0,
    reason: undefined,
    settling: undefined,
  };
}

export function recordsIn({ first, last }: { readonly first: number; readonly last: number }): number {
  return last - first + 1;
}

/** Nothing is left to do for these records: the start offset may pass them. */
export function isFinished({ state }: Pick<Run, 'state'>): boolean {
  return state === 'acknowledged' || state === 'archived';
}

/** Index of the run that holds `offset`; -1 when none does. */
export function indexAt(runs: readonly Run[], offset: number): number {
  let low = 0;
  let high = runs.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const one = runs[middle]!;
    if (offset < one.first) high = middle - 1;
    else if (offset > one.last) low = middle + 1;
    else return middle;
  }
  return -1;
}

/** The parts of the runs that lie between `first` and `last`. */
export function partsOf(runs: readonly Run[], first: number, last: number): Run[] {
  const parts: Run[] = [];
  if (runs.length === 0) return parts;
  const from = Math.max(first, runs[0]!.first);
  for (let i = indexAt(runs, from); i >= 0 && i < runs.length && runs[i]!.first <= last; i += 1) {
    const one = runs[i]!;
    parts.push({ ...one, first: Math.max(one.first, first), last: Math.min(one.last, last) });
  }
  return parts;
}

/**
 * The runs with those between `first` and `last` put through `change`, cut where the bounds fall into a run. What
 * `change` returns has to cover what it was given; undefined leaves it as it is.
 */
export function changed(
  runs: readonly Run[],
  first: number,
  last: number,
  change: (part: Run) => Run | undefined,
): Run[] {
  const next: Run[] = [];
  for (const one of runs) {
    if (one.last < first || one.first > last) {
      append(next, one);
      continue;
    }
    if (one.first < first) append(next, { ...one, last: first - 1 });
    const part = { ...one, first: Math.max(one.first, first), last: Math.min(one.last, last) };
    append(next, change(part) ?? part);
    if (one.last > last) append(next, { ...one, first: last + 1 });
  }
  return next;
}

/** Joins the run to the one before where they say the same. */
export function append(runs: Run[], one: Run): void {
  const before = runs.at(-1);
  if (before && before.last + 1 === one.first && isSame(before, one)) {
    runs[runs.length - 1] = { ...before, last: one.last };
  } else {
    runs.push(one);
  }
}

function isSame(a: Run, b: Run): boolean {
  return (
    a.state === b.state &&
    a.deliveryCount === b.deliveryCount &&
    a.memberId === b.memberId &&
    a.lockedUntilMs === b.lockedUntilMs &&
    a.reason === b.reason &&
    (a.settling === b.settling ||
      (a.settling !== undefined &&
        b.settling !== undefined &&
        a.settling.ticket === b.settling.ticket &&
        a.settling.state === b.settling.state &&
        a.settling.deliveryCount === b.settling.deliveryCount &&
        a.settling.reason === b.settling.reason))
  );
}
