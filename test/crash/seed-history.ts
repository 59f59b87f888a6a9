import { SimRandom } from '../sim/sim-random.ts';
import { runCompaction } from './compaction-workload.ts';
import { runWorkload as runCoordinators } from './coordinators/workload.ts';
import { runWorkload as runHolding } from './holding/workload.ts';
import { runWorkload, type RunPlan } from './log-workload.ts';

/** What a seed runs: most of them the log alone, some with compaction, with groups that are held for, or coordinators. */
export function kindOf(seed: number): 'log' | 'compaction' | 'holding' | 'coordinators' {
  const last = seed % 10;
  if (last === 9) return 'coordinators';
  if (last === 6) return 'holding';
  return last >= 7 ? 'compaction' : 'log';
}

/**
 * The history of a seed, from cuts, kills, full disks, failed writes and syncs. Throws on the first broken promise;
 * returns the fingerprint of every operation on the disk.
 */
export async function runSeed(seed: number): Promise<string> {
  const kind = kindOf(seed);
  if (kind === 'compaction') return await runCompaction(seed);
  if (kind === 'holding') return (await runHolding({ seed, lives: 3, actions: 60 })).trace;
  if (kind === 'coordinators') return (await runCoordinators({ seed, lives: 2, actions: 6 })).trace;
  return (await runWorkload(planOf(seed))).trace;
}

/** Each seed draws its own sizes, so that files roll, close and go at different times against each other. */
function planOf(seed: number): RunPlan {
  const random = new SimRandom(seed ^ 0x5eed);
  return {
    seed,
    lives: 2 + random.below(3),
    actions: 30 + random.below(60),
    faults: random.chance(0.6),
    sizes: {
      segmentBytes: random.pick([900, 1_500, 4_000]),
      walFileBytes: random.pick([1_000, 3_000, 8_000]),
      tailBytesMax: random.pick([0, 0, 100_000]),
      retentionCheckMs: random.pick([20, 50, 400]),
      reserveBytes: random.pick([0, 700, 3_000]),
    },
    losesCheckpoint: random.chance(0.15),
  };
}
