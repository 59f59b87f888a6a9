import { expect, test, vi } from 'vitest';

import { runDamage } from './run-damage.ts';

// Pure computation: on a machine with other work it takes longer, not differently.
vi.setConfig({ testTimeout: 600_000 });

// A slice of them; all: npm run test:crash -- damage
test('a flipped bit in any file is never served, costs one batch at most, and is named', async () => {
  const { flips, failures } = await runDamage({ step: 151, cutStep: 97 }, () => {});
  expect(failures).toEqual([]);
  expect(flips).toBeGreaterThan(300);
});
