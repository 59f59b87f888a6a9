import { describe, expect, test, vi } from 'vitest';

import { openDiskLog } from '../../broker/log/open-log.ts';
import { SimMachine } from '../sim/sim-host.ts';
import { check, CONFIG, type Known, made, runCompaction, write } from './compaction-workload.ts';
import { COMPACTION_BUGS, type PlantedBug } from './planted-bugs.ts';

vi.setConfig({ testTimeout: 600_000 });

/** More seeds: MILLRACE_CRASH_SEEDS=1000 (from 1 up). One seed: MILLRACE_CRASH_SEED=17. */
const only = process.env['MILLRACE_CRASH_SEED'];
const count = Number(process.env['MILLRACE_CRASH_SEEDS'] ?? 25);
const seeds = only === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(only)];

test('compaction keeps the latest of every key through power cuts, kills and full disks', async () => {
  for (const seed of seeds) expect(await broken(seed)).toBe('');
});

test('what is compacted away does shrink the log, and a reader comes to its end', async () => {
  const machine = new SimMachine(3);
  const log = await machine.loop.settle(openDiskLog(CONFIG, machine.boot()));
  const partition = await machine.loop.settle(made(log));
  const known: Known = new Map();
  for (let i = 0; i < 200; i += 1) await machine.loop.settle(write(machine, partition, known));
  const before = partition.segmentBytes;
  await machine.loop.settle(log.checkpoint());
  await machine.loop.settle(log.compact());
  expect(partition.segmentBytes).toBeLessThan(before / 4);
  await machine.loop.settle(check(partition, known));
  await machine.loop.settle(log.close());
});

describe('a planted mistake is found', () => {
  for (const { name, plant } of COMPACTION_BUGS) {
    test(`${name}`, async () => {
      let found = '';
      for (let seed = 1; seed <= 60 && found === ''; seed += 1) found = await broken(seed, plant);
      expect(found).not.toBe('');
    });
  }
});

async function broken(seed: number, plant?: PlantedBug['plant']): Promise<string> {
  try {
    await runCompaction(seed, plant);
    return '';
  } catch (error) {
    const again = `MILLRACE_CRASH_SEED=${seed} npx vitest run test/crash/compaction.test.ts`;
    return `${error instanceof Error ? error.stack : String(error)}\nagain: ${again}`;
  }
}
