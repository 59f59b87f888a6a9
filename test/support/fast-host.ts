import type { Host } from '../../broker/host/host.ts';
import type { Log } from '../../broker/host/log.ts';
import { nodeHost } from '../../broker/host/node-host.ts';

/**
 * The real host with steady time and timers `factor` times as fast: delays of seconds pass in milliseconds. Timers fire
 * a little early by that clock, as Node's may: whoever compares the clock when one fires finds out.
 */
export function fastHost(factor = 50, log?: Log): Host {
  const host = nodeHost(log);
  const { clock, timers } = host;
  return {
    ...host,
    clock: { ...clock, monotonicMs: () => clock.monotonicMs() * factor },
    timers: {
      after: (delayMs, fn) => timers.after((delayMs * 0.9) / factor, fn),
      every: (periodMs, fn) => timers.every(periodMs / factor, fn),
      soon: (fn) => timers.soon(fn),
      sleep: (delayMs, signal) => timers.sleep(delayMs / factor, signal),
    },
  };
}
