import { describe, expect, test, vi } from 'vitest';

import { brokenPromise } from './broken-promise.ts';
import { type RunPlan, runWorkload } from './log-workload.ts';
import { LAX_BUGS, NO_BUG, PLANTED_BUGS } from './planted-bugs.ts';
import { LAX_IN_LOG, PLANTED_IN_LOG } from './planted-in-log.ts';
import { PLANTED_IN_STORAGE } from './planted-in-storage.ts';

// Pure computation: on a machine with other work it takes longer, not differently.
vi.setConfig({ testTimeout: 600_000 });

/** More seeds: MILLRACE_CRASH_SEEDS=1000 (from 1 up). One seed: MILLRACE_CRASH_SEED=17. */
const only = process.env['MILLRACE_CRASH_SEED'];
const count = Number(process.env['MILLRACE_CRASH_SEEDS'] ?? 5);
const seeds = only === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(only)];

test('power cuts at random: nothing acknowledged is lost, doubled or out of order', async () => {
  for (const seed of seeds) expect(await broken({ seed, lives: 4, actions: 60 })).toBe('');
});

test('power cuts, full disks, failed writes and syncs: the same, and the log comes back by itself', async () => {
  for (const seed of seeds) expect(await broken({ seed, lives: 3, actions: 60, faults: true })).toBe('');
});

test('lax topics: a kill loses nothing, a power cut at most the newest, and never without a new epoch', async () => {
  for (const seed of seeds) expect(await broken({ seed, lives: 4, actions: 60, lax: true })).toBe('');
  for (const seed of seeds) {
    expect(await broken({ seed, lives: 3, actions: 60, lax: true, faults: true })).toBe('');
  }
});

test('the checkpoint lost besides: the segments and the write-ahead log have all of it', async () => {
  for (const seed of seeds) {
    const plan = { seed, lives: 5, actions: 60, losesCheckpoint: true };
    expect(await broken(plan)).toBe('');
    expect(await broken({ ...plan, faults: true })).toBe('');
  }
  // The first segment's name was lost, the second's was not.
  const sizes = {
    segmentBytes: 900,
    walFileBytes: 8_000,
    tailBytesMax: 100_000,
    retentionCheckMs: 20,
    reserveBytes: 0,
  };
  expect(await broken({ seed: 50_050, lives: 2, actions: 89, losesCheckpoint: true, sizes })).toBe('');
});

test('a power cut at every write and sync of one run', async () => {
  const seed = 4_242;
  const actions = 20;
  const whole = await runWorkload({ seed, cutAt: 0, lives: 1, actions });
  expect(whole.operations).toBeGreaterThan(50);
  for (let cutAt = 1; cutAt <= whole.operations; cutAt++) {
    expect(await broken({ seed, cutAt, lives: 1, actions })).toBe('');
  }
});

describe('the same seed gives the same run', () => {
  for (const seed of [1, 2, 3]) {
    test(`seed ${seed}`, async () => {
      const plan = { seed, lives: 3, actions: 60, faults: true };
      expect(await runWorkload(plan)).toEqual(await runWorkload(plan));
    });
  }
});

test('planting nothing changes nothing', async () => {
  const plan = { seed: 7, lives: 3, actions: 60, faults: true };
  expect(await runWorkload({ ...plan, plant: NO_BUG.plant })).toEqual(await runWorkload(plan));
});

describe('a planted mistake is found', () => {
  for (const { name, needsFaults = false, plant } of PLANTED_BUGS) {
    test(`${name}`, async () => {
      let found = '';
      // Seeds that show the rarest of them come first.
      for (let i = 0; i < 60 && found === ''; i++) {
        const seed = 1 + ((i + 11) % 60);
        found = await broken({ seed, lives: 3, actions: 60, faults: needsFaults, plant });
      }
      expect(found).not.toBe('');
    });
  }
});

describe('a mistake planted in the log itself is found', () => {
  for (const planted of [...PLANTED_IN_LOG, ...PLANTED_IN_STORAGE]) {
    const { name, needsFaults = false, seed = 12, sizes = {}, install } = planted;
    test(`${name}`, async () => {
      const remove = install();
      let found = '';
      try {
        for (let i = 0; i < 120 && found === ''; i++) {
          found = await broken({ seed: seed + i, lives: 3, actions: 60, faults: needsFaults, sizes });
        }
      } finally {
        remove();
      }
      expect(found).not.toBe('');
    });
  }
});

describe('a mistake planted with lax topics is found', () => {
  const bugs = [
    ...LAX_BUGS.map((one) => ({ ...one, install: () => () => {} })),
    ...LAX_IN_LOG.map((one) => ({ ...one, plant: undefined })),
  ];
  for (const { name, needsFaults = false, seed = 1, plant, install } of bugs) {
    test(`${name}`, async () => {
      const remove = install();
      let found = '';
      try {
        for (let i = 0; i < 120 && found === ''; i++) {
          const plan = { seed: seed + i, lives: 3, actions: 60, faults: needsFaults, lax: true };
          found = await broken(plant ? { ...plan, plant } : plan);
        }
      } finally {
        remove();
      }
      expect(found).not.toBe('');
    });
  }
});

const broken = (plan: RunPlan): Promise<string> => brokenPromise(runWorkload, plan, 'log.test.ts');
