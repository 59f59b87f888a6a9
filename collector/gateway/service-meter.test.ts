import { expect, test } from 'vitest';

import { createMetrics } from '../../broker/host/metrics.ts';
import type { Walk } from '../../broker/records/otlp/walk.ts';
import { ServiceMeter } from './service-meter.ts';

function walkOf(...groups: Array<[serviceName: string, count: number, bytes: number]>): Walk {
  const place = { serviceInstanceId: '', hostName: '', logFilePath: '' };
  return {
    count: groups.reduce((sum, [, count]) => sum + count, 0),
    groups: groups.map(([serviceName, count, bytes]) => ({
      ...place,
      serviceName,
      count,
      start: 10,
      end: 10 + bytes,
    })),
  } as unknown as Walk;
}

test('records and bytes by topic and service; the names that senders may bring are bounded', () => {
  const metrics = createMetrics();
  const meter = new ServiceMeter(metrics);
  meter.accepted('logs', walkOf(['shop', 3, 300], ['shop', 2, 200], ['', 1, 50], ['silent', 0, 9]));
  meter.accepted('metrics', walkOf(['shop', 7, 70], ['x'.repeat(101), 1, 1]));
  for (let i = 0; i < 1_000; i += 1) meter.accepted('logs', walkOf([`s${i}`, 1, 1]));
  const family = (name: string) => metrics.snapshot().find((one) => one.name === name)!.series;
  const records = family('millrace_collector_service_records_total');
  const of = (topic: string, service: string) =>
    records.find(({ labels }) => labels['topic'] === topic && labels['service'] === service)?.value;
  expect(of('otlp_logs', 'shop')).toBe(5);
  expect(of('otlp_metrics', 'shop')).toBe(7);
  expect(of('otlp_logs', '(none)')).toBe(1);
  expect(of('otlp_metrics', '(others)')).toBe(1);
  expect(of('otlp_logs', '(others)')).toBe(1_000 - 199);
  expect(of('otlp_logs', 'silent')).toBeUndefined();
  expect(records.length).toBeLessThan(210);
  expect(family('millrace_collector_service_bytes_total')[0]!.value).toBe(500);
});
