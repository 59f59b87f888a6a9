import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { BrokerChild } from './broker-child.ts';
import { pause } from './kill-loop.ts';
import { PowerDisk } from './power-disk.ts';
import { type LoopPlan, type Report, reportOf } from './report.ts';
import { settingsOf, World } from './world.ts';

/** Of the cuts: the service itself goes on from the picture, with the clients that it had. */
const GO_ON_SHARE = 0.5;
/** Of the others: the power goes again while the broker recovers from the picture. */
const AGAIN_SHARE = 0.3;
const UNDER_LOAD_MS = 500;
/** For answers that the stopped broker has given to the kernel, to reach their clients. */
const ANSWERED_MS = 20;
const FOLDER = 'broker';

/**
 * Power cuts at random moments under load. Either the service goes on from what the disk had, or a picture of it is
 * recovered and audited beside a service that knows nothing of it. Rejects where there is no such disk: ask
 * `PowerDisk.problem` first.
 */
export async function runPowerCuts(plan: LoopPlan): Promise<Report> {
  const disk = PowerDisk.make();
  try {
    const world = await World.start({ ...plan, dataDir: join(disk.data, FOLDER) });
    try {
      return await cutUntilDone(plan, disk, world);
    } finally {
      await world.close();
    }
  } finally {
    disk.remove();
  }
}

/** The same with a broker whose syncs do nothing: it ends with what the audit finds first. */
export function runUnsynced(plan: LoopPlan): Promise<Report> {
  const preload = fileURLToPath(new URL('no-sync.ts', import.meta.url));
  return runPowerCuts({ ...plan, environment: { NODE_OPTIONS: `--import=${preload}` } });
}

async function cutUntilDone(plan: LoopPlan, disk: PowerDisk, world: World): Promise<Report> {
  const startedMs = performance.now();
  let cuts = 0;
  let wentOn = 0;
  let inRecovery = 0;
  const aside = await BrokerChild.make({
    dataDir: join(disk.snapshot, FOLDER),
    settingsFile: join(world.folder, 'aside.yaml'),
    settings: {},
  });
  while (cuts < plan.rounds && performance.now() - startedMs < plan.maxMs && world.findings.length === 0) {
    await pause(UNDER_LOAD_MS * world.random());
    cuts += 1;
    if (world.random() < GO_ON_SHARE) {
      if (!(await goOn(disk, world))) break;
      wentOn += 1;
    } else if (await lookAside(disk, world, aside)) {
      cuts += 1;
      inRecovery += 1;
    }
    plan.onProgress?.(cuts, world);
  }
  await aside.stop();
  await world.finish();
  return reportOf(world, { rounds: cuts, wentOn, inRecovery }, startedMs);
}

/** The machine loses its power and gets it back: false when the broker does not start. */
async function goOn(disk: PowerDisk, world: World): Promise<boolean> {
  // From here on nothing is acknowledged, so that whatever clients know of was acknowledged before the cut.
  world.broker.signal('SIGSTOP');
  await pause(ANSWERED_MS);
  disk.cut('cut');
  await world.broker.kill();
  disk.goOnFrom('cut');
  if ((await world.restart()) === undefined) return false;
  await world.readAll();
  await world.follow();
  return true;
}

/** True when the power went a second time. */
async function lookAside(disk: PowerDisk, world: World, aside: BrokerChild): Promise<boolean> {
  const since = world.journals.read();
  disk.cut('cut');
  disk.open('cut');
  let name = 'cut';
  const again = world.random() < AGAIN_SHARE;
  aside.configure(settingsOf(world.random));
  if (again) {
    aside.spawn();
    await pause(world.random() * 1.2 * world.startsMs[world.startsMs.length >> 1]!);
    disk.cutPicture('cut', 'again');
    await aside.kill();
    disk.close('cut');
    disk.open('again');
    name = 'again';
  }
  try {
    world.startsMs.push(await aside.start());
    await world.readSettled(since, aside);
  } catch (error) {
    world.report('stuck', `a start that needs a person: ${String(error)}`);
  }
  await aside.kill();
  disk.close(name);
  return again;
}
