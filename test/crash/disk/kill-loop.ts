import { type LoopPlan, type Report, reportOf } from './report.ts';
import { World } from './world.ts';

/** Of the kills: before the broker has answered for the first time. */
const IN_RECOVERY_SHARE = 0.2;
const UNDER_LOAD_MS = 1_000;
const ALL_EVERY = 20;

/** kill -9 of the broker at random moments under load, also while it recovers; after each, everything is accounted for. */
export async function runKills(plan: LoopPlan): Promise<Report> {
  const world = await World.start(plan);
  const startedMs = performance.now();
  let kills = 0;
  let inRecovery = 0;
  try {
    while (kills < plan.rounds && performance.now() - startedMs < plan.maxMs && world.findings.length === 0) {
      await pause(UNDER_LOAD_MS * world.random());
      await world.broker.kill();
      kills += 1;
      while (world.random() < IN_RECOVERY_SHARE && kills < plan.rounds) {
        world.broker.spawn();
        await pause(world.random() * world.startsMs[world.startsMs.length >> 1]!);
        await world.broker.kill();
        kills += 1;
        inRecovery += 1;
      }
      if ((await world.restart()) === undefined) break;
      await world.follow();
      if (kills % ALL_EVERY === 0) await world.readAll();
      plan.onProgress?.(kills, world);
    }
    await world.finish();
    return reportOf(world, { rounds: kills, inRecovery }, startedMs);
  } finally {
    await world.close();
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
