import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import type { Clock, Host, Random, Timers } from './host.ts';
import { type Log, silentLog } from './log.ts';
import { createMetrics } from './metrics.ts';
import { nodeFiles } from './node-files.ts';
import { nodeNet } from './node-net.ts';

/** The real world, as Node gives it. */
export function nodeHost(log: Log = silentLog): Host {
  return {
    clock: nodeClock,
    timers: nodeTimers,
    random: nodeRandom,
    files: nodeFiles,
    net: nodeNet,
    metrics: createMetrics(),
    log,
  };
}

// Wall nanoseconds from one reading of both clocks would drift from a stepped wall clock, so each call reads
// the wall in ms and adds a counter that keeps the values of one millisecond apart and rising.
let lastNs = 0n;

const nodeClock: Clock = {
  nowMs: () => Date.now(),
  nowNs() {
    const wall = BigInt(Date.now()) * 1_000_000n;
    lastNs = wall > lastNs || lastNs - wall > 1_000_000_000n ? wall : lastNs + 1n;
    return lastNs;
  },
  monotonicMs: () => performance.now(),
};

const nodeTimers: Timers = {
  after(delayMs, fn) {
    const timer = setTimeout(fn, delayMs);
    return () => clearTimeout(timer);
  },
  every(periodMs, fn) {
    const timer = setInterval(fn, periodMs);
    return () => clearInterval(timer);
  },
  soon: (fn) => void setImmediate(fn),
  async sleep(delayMs, signal) {
    try {
      await delay(delayMs, undefined, signal ? { signal } : undefined);
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
  },
};

const nodeRandom: Random = {
  bytes: (length) => randomBytes(length),
  uuid: () => randomUUID(),
  unit: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
};
