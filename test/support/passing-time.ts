import type { Cancel, Host } from '../../broker/host/host.ts';

/** A host whose time goes on as usual, and in leaps where a test says so. */
export interface PassingTime extends Host {
  /** So much time is over: what is due by then is called now. */
  pass(ms: number): void;
}

export function passingTime(host: Host): PassingTime {
  let passedMs = 0;
  const { clock } = host;
  const monotonicMs = (): number => clock.monotonicMs() + passedMs;
  const waiting = new Map<object, { dueMs: number; fire: () => void }>();
  const after = (delayMs: number, fn: () => void): Cancel => {
    const key = {};
    const fire = (): void => {
      cancel();
      waiting.delete(key);
      fn();
    };
    const cancel = host.timers.after(delayMs, fire);
    waiting.set(key, { dueMs: monotonicMs() + delayMs, fire });
    return () => {
      cancel();
      waiting.delete(key);
    };
  };
  return {
    ...host,
    clock: {
      nowMs: () => clock.nowMs() + passedMs,
      nowNs: () => clock.nowNs() + BigInt(passedMs) * 1_000_000n,
      monotonicMs,
    },
    timers: { ...host.timers, after },
    pass(ms) {
      passedMs += ms;
      const due = [...waiting.values()].filter(({ dueMs }) => dueMs <= monotonicMs());
      for (const { fire } of due.toSorted((a, b) => a.dueMs - b.dueMs)) fire();
    },
  };
}
