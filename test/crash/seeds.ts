import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

import type { SeedDone, SeedShare } from './seed-worker.ts';

const PROGRESS_MS = 10_000;

export interface SeedsResult {
  readonly seeds: number;
  readonly failed: readonly SeedDone[];
  /** Of all traces: the same for the same seeds, however many threads ran them. */
  readonly trace: string;
}

/** Random histories, one a seed, over `threads` threads. Says how far it is and how to run again what failed. */
export async function runSeeds(
  plan: { readonly from: number; readonly seeds: number; readonly twice: number; readonly threads?: number },
  say: (line: string) => void,
): Promise<SeedsResult> {
  const threads = Math.max(1, Math.min(plan.threads ?? availableParallelism(), plan.seeds));
  const startedMs = Date.now();
  const failed: SeedDone[] = [];
  let done = 0;
  let trace = 0n;
  const tell = (): void => {
    const seconds = (Date.now() - startedMs) / 1000;
    say(`${done} of ${plan.seeds} seeds, ${(done / seconds).toFixed(1)} a second, ${failed.length} failed`);
  };
  const progress = setInterval(tell, PROGRESS_MS);
  try {
    const workers = Array.from({ length: threads }, (_, i) => {
      const share: SeedShare = {
        from: plan.from + i,
        count: Math.ceil((plan.seeds - i) / threads),
        step: threads,
        twice: Math.ceil((plan.twice - i) / threads),
      };
      return runShare(share, (one) => {
        done += 1;
        trace ^= BigInt(`0x${one.trace || '0'}`) * BigInt(2 * one.seed + 1);
        if (one.failure === '') return;
        failed.push(one);
        say(
          `seed ${one.seed}: ${one.failure}\nagain: npm run test:crash -- seeds --from ${one.seed} --seeds 1`,
        );
      });
    });
    await Promise.all(workers);
  } finally {
    clearInterval(progress);
  }
  tell();
  return { seeds: done, failed, trace: BigInt.asUintN(64, trace).toString(16).padStart(16, '0') };
}

function runShare(share: SeedShare, take: (one: SeedDone) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./seed-worker.ts', import.meta.url), { workerData: share });
    worker.on('message', take);
    worker.on('error', reject);
    worker.on('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`cannot run seeds from ${share.from}: the thread ended with ${code}`));
    });
  });
}
