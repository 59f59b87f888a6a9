import { describe, expect, test, vi } from 'vitest';

import { brokenPromise } from './broken-promise.ts';
import { PLANTED_IN_HOLDING } from './holding/planted.ts';
import { type RunPlan, runWorkload } from './holding/workload.ts';

// Pure computation: on a machine with other work it takes longer, not differently.
vi.setConfig({ testTimeout: 600_000 });

/** More seeds: MILLRACE_CRASH_SEEDS=1000 (from 1 up). One seed: MILLRACE_CRASH_SEED=17. */
const only = process.env['MILLRACE_CRASH_SEED'];
const count = Number(process.env['MILLRACE_CRASH_SEEDS'] ?? 20);
const seeds = only === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(only)];

const USUAL = { lives: 3, actions: 60 };

test('what a named group has not read stays within the bounds, these are kept, and all else goes in time', async () => {
  for (const seed of seeds) expect(await broken({ seed, ...USUAL })).toBe('');
});

test('the same seed gives the same run', async () => {
  const plan = { seed: 3, ...USUAL };
  expect(await runWorkload(plan)).toEqual(await runWorkload(plan));
});

describe('a planted mistake is found', () => {
  for (const { name, install } of PLANTED_IN_HOLDING) {
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

const broken = (plan: RunPlan): Promise<string> => brokenPromise(runWorkload, plan, 'holding.test.ts');
