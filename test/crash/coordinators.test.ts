import { describe, expect, test, vi } from 'vitest';

import { brokenPromise } from './broken-promise.ts';
import { PLANTED_IN_COORDINATORS } from './coordinators/planted.ts';
import { type RunPlan, runWorkload } from './coordinators/workload.ts';

// Pure computation: on a machine with other work it takes longer, not differently.
vi.setConfig({ testTimeout: 600_000 });

/** More seeds: MILLRACE_CRASH_SEEDS=1000 (from 1 up). One seed: MILLRACE_CRASH_SEED=17. */
const only = process.env['MILLRACE_CRASH_SEED'];
const count = Number(process.env['MILLRACE_CRASH_SEEDS'] ?? 20);
const seeds = only === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(only)];

const USUAL = { lives: 3, actions: 8 };

test('kills and power cuts at random: transactions are all or nothing, and what coordinators answered holds', async () => {
  for (const seed of seeds) expect(await broken({ seed, ...USUAL })).toBe('');
});

test('a power cut at every write and sync of one life', async () => {
  const plan = { seed: 6, lives: 1, actions: 2 };
  const whole = await runWorkload({ ...plan, cutAt: 0 });
  expect(whole.operations).toBeGreaterThan(50);
  for (let cutAt = 1; cutAt <= whole.operations; cutAt += 1) {
    expect(await broken({ ...plan, cutAt })).toBe('');
  }
});

test('the same seed gives the same run', async () => {
  const plan = { seed: 3, ...USUAL };
  expect(await runWorkload(plan)).toEqual(await runWorkload(plan));
});

describe('a planted mistake is found', () => {
  for (const { name, install } of PLANTED_IN_COORDINATORS) {
    test(`${name}`, async () => {
      const remove = install();
      let found = '';
      try {
        for (let seed = 1; seed <= 60 && found === ''; seed += 1) found = await broken({ seed, ...USUAL });
      } finally {
        remove();
      }
      expect(found).not.toBe('');
    });
  }
});

const broken = (plan: RunPlan): Promise<string> => brokenPromise(runWorkload, plan, 'coordinators.test.ts');
