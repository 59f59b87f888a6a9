import { expect, test } from 'vitest';

import { measureTurns, TurnTimes } from './turn-times.ts';

test('of a thousand turns one is beyond the 99.9th percentile', () => {
  const times = new TurnTimes();
  for (let i = 0; i < 999; i += 1) times.add(1);
  times.add(50);
  const { turns, p50, p999, max } = times.collect();
  expect({ turns, max }).toEqual({ turns: 1_000, max: 0.05 });
  for (const seconds of [p50, p999]) {
    expect(seconds).toBeGreaterThanOrEqual(0.001);
    expect(seconds).toBeLessThan(0.0011);
  }
  expect(times.collect()).toEqual({ turns: 0, p50: 0, p99: 0, p999: 0, max: 0 });
});

test('a turn that is longer than all buckets is told by its own length, one below them by the first', () => {
  const times = new TurnTimes();
  times.add(10_000);
  expect(times.collect()).toMatchObject({ p999: 10, max: 10 });
  times.add(0);
  expect(times.collect()).toMatchObject({ turns: 1, p999: 0, max: 0 });
});

test('a turn that computes counts, and waiting does not', async () => {
  const times = measureTurns();
  await new Promise((resolve) => void setTimeout(resolve, 20));
  times.collect();
  const end = performance.now() + 30;
  while (performance.now() < end);
  await new Promise((resolve) => void setTimeout(resolve, 1_000));
  const { max } = times.collect();
  expect(max).toBeGreaterThan(0.028);
  // A machine that is busy adds to it; the wait of a second would be more.
  expect(max).toBeLessThan(0.9);
});
