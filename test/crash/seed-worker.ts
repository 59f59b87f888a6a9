import { parentPort, workerData } from 'node:worker_threads';

import { kindOf, runSeed } from './seed-history.ts';

export interface SeedShare {
  readonly from: number;
  readonly count: number;
  readonly step: number;
  /** So many of the seeds are run twice. */
  readonly twice: number;
}

/** `failure` is empty when all promises held. */
export interface SeedDone {
  readonly seed: number;
  readonly trace: string;
  readonly failure: string;
}

// One share of the seeds, in a thread of its own: a message for each seed that is done.
const { from, count, step, twice } = workerData as SeedShare;
for (let i = 0, seed = from; i < count; i += 1, seed += step) {
  parentPort!.postMessage(await done(seed, i < twice));
}

async function done(seed: number, again: boolean): Promise<SeedDone> {
  try {
    const trace = await runSeed(seed);
    const second = again ? await runSeed(seed) : trace;
    const failure = second === trace ? '' : `two runs went different ways: ${trace} and ${second}`;
    return { seed, trace, failure };
  } catch (error) {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { seed, trace: '', failure: `${kindOf(seed)}: ${why}` };
  }
}
