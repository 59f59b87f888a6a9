import { DataPointType } from '@opentelemetry/sdk-metrics';
import { expect, test } from 'vitest';

import { createMetrics } from '../../broker/host/metrics.ts';
import { metricDataOf } from './metric-data.ts';

test('counters become cumulative sums, gauges gauges, histograms histograms, each point with its part', () => {
  const metrics = createMetrics();
  metrics.counter('a_bytes_total', 'bytes').add(3, { topic: 't' });
  metrics.gauge('b_ratio', 'ratio').set(0.5);
  const histogram = metrics.histogram('c_seconds', 'times', [0.1, 1]);
  for (const value of [0.05, 0.5, 5]) histogram.observe(value);

  const [counter, gauge, times] = metricDataOf(
    { part: 'broker', startedMs: 1_500, families: metrics.snapshot() },
    2_000,
  );
  expect(counter).toMatchObject({
    descriptor: { name: 'a_bytes_total', unit: 'By' },
    dataPointType: DataPointType.SUM,
    isMonotonic: true,
    dataPoints: [
      { value: 3, attributes: { topic: 't', part: 'broker' }, startTime: [1, 500_000_000], endTime: [2, 0] },
    ],
  });
  expect(gauge).toMatchObject({ descriptor: { unit: '1' }, dataPoints: [{ value: 0.5 }] });
  expect(times?.dataPoints[0]?.value).toEqual({
    buckets: { boundaries: [0.1, 1], counts: [1, 1, 1] },
    sum: 5.55,
    count: 3,
  });
});
