import { expect, test } from 'vitest';

import { startFuzzBroker } from './fuzz-broker.ts';
import { fuzzFrames } from './fuzz-run.ts';

/** `npm run test:fuzz` gives a million; a failure prints the seed and the frame. */
const runs = Number(process.env['FUZZ_RUNS'] ?? 200_000);
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000_000);

test(`${runs} broken frames of all APIs from seed ${seed}`, async () => {
  const broker = await startFuzzBroker();
  const startMs = performance.now();
  const { worstMs, worstRise } = await fuzzFrames(broker, seed, runs);
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  console.log(
    `${runs} frames in ${seconds} s: worst ${worstMs.toFixed(1)} ms of work, ${(worstRise / 1024 / 1024).toFixed(1)} MiB of memory`,
  );
  await broker.stop();
  expect(worstMs).toBeGreaterThan(0);
});
