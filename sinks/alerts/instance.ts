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
  /** An early firing is known to hold at this evaluation: earlier ones, which saw less, do not resolve it. */
  readonly certainUntilMs?: number;
}

export type Event =
  /** The condition holds at `atMs`; `certainUntilMs` for one that was seen before its evaluation. */
  | {
      readonly type: 'holds';
      readonly atMs: number;
      readonly value: number;
      readonly certainUntilMs?: number;
    }
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
      return holds(instance, event, holding);
    case 'clears':
      return clears(instance, event.atMs, holding);
    case 'removed':
      if (instance?.phase === 'firing') return resolve(instance, event.atMs, 'its rule is gone');
      return { instance: undefined };
  }
}

function holds(
  instance: Instance | undefined,
  event: Extract<Event, { type: 'holds' }>,
  { forMs }: Holding,
): Step {
  const { atMs, value } = event;
  const certain = event.certainUntilMs === undefined ? {} : { certainUntilMs: event.certainUntilMs };
  if (instance?.phase === 'firing') {
    const { clearSinceMs: _cleared, ...rest } = instance;
    const certainUntilMs = Math.max(instance.certainUntilMs ?? 0, event.certainUntilMs ?? 0);
    return { instance: { ...rest, value, ...(certainUntilMs > 0 ? { certainUntilMs } : {}) } };
  }
  const from = instance?.phase ?? 'inactive';
  const activeAtMs = instance?.phase === 'pending' ? instance.activeAtMs : atMs;
  if (atMs - activeAtMs < forMs) {
    const next: Instance = { phase: 'pending', value, activeAtMs };
    if (from === 'pending') return { instance: next };
    return { instance: next, transition: { from, to: 'pending', why: `the condition holds at ${value}` } };
  }
  const why =
    event.certainUntilMs === undefined
      ? `the condition holds at ${value}${forMs > 0 ? ` for ${(atMs - activeAtMs) / 1_000} s` : ''}`
      : `the condition holds at ${value} and more records cannot undo it`;
  return {
    instance: { phase: 'firing', value, activeAtMs, startsAtMs: atMs, ...certain },
    transition: { from, to: 'firing', why },
  };
}

function clears(instance: Instance | undefined, atMs: number, { keepFiringForMs }: Holding): Step {
  if (!instance || instance.phase === 'resolved') return { instance };
  if (instance.phase === 'pending') {
    const why = `the condition no longer holds after ${(atMs - instance.activeAtMs) / 1_000} s`;
    return { instance: undefined, transition: { from: 'pending', to: 'inactive', why } };
  }
  // Nor does an evaluation that lies before its start, when older input is judged again.
  if (atMs < Math.max(instance.certainUntilMs ?? 0, instance.startsAtMs ?? 0)) return { instance };
  const clearSinceMs = instance.clearSinceMs ?? atMs;
  if (atMs - clearSinceMs < keepFiringForMs) return { instance: { ...instance, clearSinceMs } };
  return resolve(instance, atMs, 'the condition no longer holds');
}

function resolve(instance: Instance, atMs: number, why: string): Step {
  // An alert that is replayed from an older position still ends after it began.
  const endsAtMs = Math.max(atMs, instance.startsAtMs ?? atMs);
  return {
    instance: { ...instance, phase: 'resolved', endsAtMs },
    transition: { from: 'firing', to: 'resolved', why },
  };
}
