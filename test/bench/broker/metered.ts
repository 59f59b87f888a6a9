import { cpus } from 'node:os';
import { readFileSync, writeFileSync } from 'node:fs';

import { busySeconds, cpuSeconds, residentPeakMib } from '../process-usage.ts';
import type { Client, Done } from './cell.ts';
import type { Side, Turns } from './side.ts';

/** A timed piece of work, and what it took from the machine. */
export interface Metered<T extends Done> {
  readonly result: T;
  /** Of the broker. */
  readonly cpuSeconds: number;
  readonly clientSeconds: number;
  /** Share of the machine that nobody used meanwhile, 0 to 1. */
  readonly idle: number;
  /** Of the broker. */
  readonly peakMib: number;
  readonly turns: Turns | undefined;
}

export async function metered<T extends Done>(
  side: Side,
  client: Client,
  work: () => Promise<T>,
): Promise<Metered<T>> {
  await side.turns?.();
  forgetPeak(side.pid);
  const read = (): readonly [number, number, number] => [
    cpuSeconds(side.pid),
    client.cpuSeconds(),
    busySeconds(readFileSync('/proc/stat', 'utf8')),
  ];
  const before = read();
  const result = await work();
  const [broker, own, busy] = read().map((value, index) => value - before[index]!) as [
    number,
    number,
    number,
  ];
  return {
    result,
    cpuSeconds: broker,
    clientSeconds: own,
    idle: idleShare(busy, result.seconds, cpus().length),
    peakMib: residentPeakMib(side.pid),
    turns: await side.turns?.(),
  };
}

/**
 * What comes before and after the timed seconds, as the joining of a group, is nearly all waiting, and of one broker longer
 * than of the other: what was busy counts as if it had been so in these seconds.
 */
export function idleShare(busy: number, seconds: number, processors: number): number {
  return Math.max(0, 1 - busy / (seconds * processors));
}

/** The kernel's own mark of the most that was resident begins anew. */
function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}
