import fc from 'fast-check';
import { expect, test } from 'vitest';

import { throttleMs, WindowedRate } from './windowed-rate.ts';

test('a rate is what happened in the last ten seconds and the one that has begun', () => {
  const rate = new WindowedRate();
  expect(rate.perSecond(5_000)).toBe(0);
  rate.record(1_000, 5_000);
  expect(rate.perSecond(5_000)).toBe(100);
  expect(rate.perSecond(15_000)).toBe(100);
  expect(rate.perSecond(15_500)).toBeCloseTo(1_000 / 10.5);
  expect(rate.perSecond(16_000)).toBe(0);
});

test('whenever it is asked, it is the sum of the records of eleven whole seconds', () => {
  const event = fc.record({ afterMs: fc.nat(4_000), value: fc.nat(1_000) });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const rate = new WindowedRate();
      const all: Array<{ atMs: number; value: number }> = [];
      let nowMs = 100_000;
      for (const { afterMs, value } of events) {
        nowMs += afterMs;
        rate.record(value, nowMs);
        all.push({ atMs: nowMs, value });
        const oldest = Math.floor(nowMs / 1_000) - 10;
        const sum = all
          .filter(({ atMs }) => Math.floor(atMs / 1_000) >= oldest)
          .reduce((total, one) => total + one.value, 0);
        expect(rate.perSecond(nowMs)).toBeCloseTo(sum / (10 + (nowMs % 1_000) / 1_000), 6);
      }
    }),
  );
});

test('the longer the rate is over its quota, the longer the silence, as Kafka computes it', () => {
  expect(throttleMs(100, 100)).toBe(0);
  expect(throttleMs(150, 100)).toBe(5_000);
  expect(throttleMs(300, 100)).toBe(20_000);
});

test('who keeps the silence is back at the quota', () => {
  const rate = new WindowedRate();
  let nowMs = 0;
  let sent = 0;
  for (let i = 0; i < 200; i += 1) {
    rate.record(5_000, nowMs);
    sent += 5_000;
    nowMs += throttleMs(rate.perSecond(nowMs), 1_000) + 1;
  }
  expect(sent / (nowMs / 1_000)).toBeGreaterThan(800);
  expect(sent / (nowMs / 1_000)).toBeLessThan(1_100);
});
