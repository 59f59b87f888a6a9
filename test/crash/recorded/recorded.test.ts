import { expect, test, vi } from 'vitest';

import { cutEverywhere } from './record.ts';
import { recordings } from './workloads.ts';

// Pure computation: on a machine with other work it takes longer, not differently.
vi.setConfig({ testTimeout: 600_000 });

// A slice of the operations; all: npm run test:crash -- recorded
test.each(recordings().map((recording) => [recording.name, recording] as const))(
  'a power cut in %s, whatever it leaves of the pending writes, breaks no promise',
  async (_name, recording) => {
    const { operations, states, failures } = await cutEverywhere(recording, { stride: 17, depth: 0 });
    expect(failures).toEqual([]);
    expect(operations).toBeGreaterThan(40);
    expect(states.cut).toBeGreaterThan(2);
  },
);
