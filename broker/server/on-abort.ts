import type { Cancel } from '../host/host.ts';

const listeners = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `fn` when the signal aborts, until cancelled. As `addEventListener`, which goes through the signal's whole list
 * of listeners with each that comes or goes: a thousand parked fetches cost as much as all of the rest.
 */
export function onAbort(signal: AbortSignal, fn: () => void): Cancel {
  let all = listeners.get(signal);
  if (!all) {
    const made = new Set<() => void>();
    signal.addEventListener('abort', () => {
      for (const one of made) one();
    });
    listeners.set(signal, made);
    all = made;
  }
  const own = all;
  own.add(fn);
  return () => void own.delete(fn);
}
