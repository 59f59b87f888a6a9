/**
 * One alert: a rule with one set of labels. Times are event time in ms since 1970.
 *
 *     inactive → pending → firing → resolved        (resolved → firing starts a new one)
 */
export interface Instance {
  readonly phase: 'pending' | 'firing' | 'resolved';
  readonly value: number;
  /** When the condition began to hold. */
  readonly activeAtMs: number;
  /** When it fired; the identity of this firing, also over restarts. */
  readonly startsAtMs?: number;
  readonly endsAtMs?: number;
  /** Since when a firing alert's condition no longer holds, while `keep_firing_for` keeps it. */
  readonly clearSinceMs?: number;
  /** The first judgement at which a firing alert holds; one before it saw less, and does not resolve it. */
  readonly begunAtMs?: number;
  /** Judgements to come that are known to hold, ascending. */
  readonly certain?: readonly Certain[];
}

/** The condition holds at the judgement of `tickMs`, whatever comes: since the record at `atMs`. */
export interface Certain {
  readonly tickMs: number;
  readonly atMs: number;
  readonly value: number;
}

/** More than a watermark ever leaves open; what is left out fires at its judgement. */
const CERTAIN_MAX = 64;

export type Event =
  /** Judged at `atMs`: the condition holds. */
  | { readonly type: 'holds'; readonly atMs: number; readonly value: number }
  /** Seen at a record: the condition will hold at the judgement of `tickMs`. */
  | ({ readonly type: 'certain' } & Certain)
  /** Judged at `atMs`: the condition does not hold. */
  | { readonly type: 'clears'; readonly atMs: number }
  /** The rule is gone. */
  | { readonly type: 'removed'; readonly atMs: number };

export interface Holding {
  readonly forMs: number;
  readonly keepFiringForMs: number;
}

export interface Step {
  /** Undefined: inactive, nothing to remember. */
  readonly instance: Instance | undefined;
  readonly transition?: { readonly from: Phase; readonly to: Phase; readonly why: string };
}

export type Phase = 'inactive' | Instance['phase'];

export function step(instance: Instance | undefined, event: Event, holding: Holding): Step {
  switch (event.type) {
    case 'holds':
      return holds(instance, event.atMs, event.value, holding);
    case 'certain':
      return certain(instance, event);
    case 'clears':
      return clears(instance, event.atMs, holding);
    case 'removed':
      if (instance?.phase === 'firing') return resolve(instance, event.atMs, 'its rule is gone');
      return { instance: undefined };
  }
}

function holds(instance: Instance | undefined, atMs: number, value: number, { forMs }: Holding): Step {
  if (instance?.phase === 'firing') {
    const { clearSinceMs: _cleared, ...rest } = instance;
    const begunAtMs = Math.min(instance.begunAtMs ?? atMs, atMs);
    return { instance: { ...rest, value, begunAtMs, certain: after(instance.certain, atMs) } };
  }
  const from = instance?.phase ?? 'inactive';
  const activeAtMs = instance?.phase === 'pending' ? instance.activeAtMs : atMs;
  if (atMs - activeAtMs < forMs) {
    const next: Instance = { phase: 'pending', value, activeAtMs };
    if (from === 'pending') return { instance: next };
    return { instance: next, transition: { from, to: 'pending', why: `the condition holds at ${value}` } };
  }
  const since = forMs > 0 ? ` for ${(atMs - activeAtMs) / 1_000} s` : '';
  return {
    instance: { phase: 'firing', value, activeAtMs, startsAtMs: atMs, begunAtMs: atMs },
    transition: { from, to: 'firing', why: `the condition holds at ${value}${since}` },
  };
}

/** Fires before the judgement. One that fires already remembers it, for the case that it resolves in between. */
function certain(instance: Instance | undefined, { tickMs, atMs, value }: Certain): Step {
  if (instance?.phase !== 'firing') {
    const from = instance?.phase ?? 'inactive';
    const why = `the condition holds at ${value} and more records cannot undo it`;
    return {
      instance: {
        phase: 'firing',
        value,
        activeAtMs: atMs,
        startsAtMs: atMs,
        begunAtMs: tickMs,
        certain: [{ tickMs, atMs, value }],
      },
      transition: { from, to: 'firing', why },
    };
  }
  const known = instance.certain ?? [];
  if (known.length >= CERTAIN_MAX || known.some((one) => one.tickMs === tickMs)) return { instance };
  const next = [...known, { tickMs, atMs, value }].sort((a, b) => a.tickMs - b.tickMs);
  return {
    instance: { ...instance, begunAtMs: Math.min(instance.begunAtMs ?? tickMs, tickMs), certain: next },
  };
}

function clears(instance: Instance | undefined, atMs: number, { keepFiringForMs }: Holding): Step {
  if (!instance || instance.phase === 'resolved') return { instance };
  if (instance.phase === 'pending') {
    const why = `the condition no longer holds after ${(atMs - instance.activeAtMs) / 1_000} s`;
    return { instance: undefined, transition: { from: 'pending', to: 'inactive', why } };
  }
  // Nor does one that lies before its start resolve it, when older input is judged again.
  if (atMs < Math.max(instance.begunAtMs ?? 0, instance.startsAtMs ?? 0)) return { instance };
  const clearSinceMs = instance.clearSinceMs ?? atMs;
  const rest = { ...instance, certain: after(instance.certain, atMs) };
  if (atMs - clearSinceMs < keepFiringForMs) return { instance: { ...rest, clearSinceMs } };
  return resolve(rest, atMs, 'the condition no longer holds');
}

function after(certain: readonly Certain[] | undefined, atMs: number): readonly Certain[] {
  return certain?.filter(({ tickMs }) => tickMs > atMs) ?? [];
}

function resolve(instance: Instance, atMs: number, why: string): Step {
  // An alert that is replayed from an older position still ends after it began.
  const endsAtMs = Math.max(atMs, instance.startsAtMs ?? atMs);
  return {
    instance: { ...instance, phase: 'resolved', endsAtMs },
    transition: { from: 'firing', to: 'resolved', why },
  };
}
