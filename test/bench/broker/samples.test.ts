import { expect, test } from 'vitest';

import { busySeconds } from '../process-usage.ts';
import { order } from './compare.ts';
import { consumedIn, endToEndIn, producedIn } from './java-client.ts';
import { idleShare } from './metered.ts';
import { duration, Progress } from './progress.ts';
import { ratioOf, Samples } from './samples.ts';
import { isWarm } from './warm-up.ts';

test('ratios are of neighbours, their spread from the outermost', () => {
  expect(ratioOf([10, 30, 20], [10, 10, 40], 'MiB/s')).toEqual({ median: 1, min: 0.5, max: 3 });
});

test('a tool that tells 0 ms means less than one', () => {
  expect(ratioOf([0, 1], [1, 0], 'ms')).toEqual({ median: 1.25, min: 0.5, max: 2 });
});

test('of the phases of one run the larger peak stands, and a side that is absent has no ratio', () => {
  const samples = new Samples('cell');
  samples.add('ours', 'peak memory', 0, 7);
  samples.add('ours', 'peak memory', 0, 5);
  samples.add('ours', 'peak memory', 1, 9);
  expect(samples.summaries()).toMatchObject([{ ours: 8, kafka: undefined, ratio: undefined }]);
});

test('what only explains others has no ratio', () => {
  const samples = new Samples('cell');
  samples.add('ours', 'produce idle', 0, 10);
  samples.add('kafka', 'produce idle', 0, 0);
  expect(samples.summaries()).toMatchObject([{ ours: 10, kafka: 0, ratio: undefined, better: 'neither' }]);
});

test('a side is warm when the better of its last two runs is hardly above all before, or after seven', () => {
  expect([[], [100], [100, 100]].map(isWarm)).toEqual([false, false, false]);
  expect(isWarm([100, 104, 105])).toBe(true);
  // Slow steps are steps.
  expect(isWarm([100, 103, 106])).toBe(false);
  // The last one alone would say that it rises no more.
  expect(isWarm([100, 140, 90])).toBe(false);
  expect(isWarm([100, 140, 90, 142])).toBe(true);
  const rising = [1, 2, 3, 4, 5, 6, 7];
  expect([isWarm(rising.slice(0, 6)), isWarm(rising)]).toEqual([false, true]);
});

test('idle is what was not busy in the timed seconds, waiting for a disk included', () => {
  const stat = 'cpu  100 20 300 9000 8000 40 5 600 70 80\ncpu0 1 2 3 4 5 6 7 8 9 10\n';
  expect(busySeconds(stat)).toBeCloseTo(10.65);
  expect(idleShare(3, 2, 2)).toBeCloseTo(0.25);
  expect(idleShare(5, 2, 2)).toBe(0);
});

test('neither side is always the second one', () => {
  expect([0, 1, 2].map((pair) => order(['ours', 'kafka'], pair)[0])).toEqual(['ours', 'kafka', 'ours']);
});

test('the time left follows from the share that is done', () => {
  const progress = new Progress(4, 1_000);
  expect(progress.text(2_000)).toBe('');
  progress.finish(1);
  expect(progress.text(61_000)).toBe('25%, 3 min left');
  expect(duration(99_400)).toBe('99 s');
});

const PRODUCER = `499 records sent, 99.8 records/sec (0.10 MB/sec), 2.0 ms avg latency, 9.0 ms max latency.
1000 records sent, 100.0 records/sec (0.10 MB/sec), 2.34 ms avg latency, 200.00 ms max latency, 1 ms 50th, 3 ms 95th, 5 ms 99th, 20 ms 99.9th.
`;
const CONSUMER = `WARN: something
2026-01-01 10:00:00:000, 2026-01-01 10:00:05:000, 9.5367, 1.9073, 10000, 2000.0, 400, 4600, 2.0732, 2173.9
`;

test('what the tools say is read from their last words', () => {
  expect(producedIn(PRODUCER)).toEqual({
    records: 1_000,
    seconds: 10,
    latency: { p50: 1, p99: 5, p999: 20 },
  });
  expect(consumedIn(CONSUMER)).toEqual({ records: 10_000, seconds: 4.6 });
  const said = '0\t12.5\nAvg latency: 1.5000 ms\nPercentiles: 50th = 1, 99th = 4, 99.9th = 9\n';
  expect(endToEndIn(said)).toEqual({ mean: 1.5, p50: 1, p99: 4, p999: 9 });
  expect(() => producedIn('nothing')).toThrow('cannot read');
});
