import { expect, test } from 'vitest';
import { cellText, columnTitle } from './record-table.tsx';

const CASES: [string, unknown, string, string][] = [
  ['residentBytes', 1536000, 'Resident', '1.46 MiB'],
  ['bytes', 1024, 'Bytes', '1 KiB'],
  ['lagSeconds', 90, 'Lag', '1.50 mins'],
  ['uptimeMs', 65_000, 'Up for', '1 min 5 s'],
  ['startedAt', '2026-11-22T08:00:00.000Z', 'Started', '2026-11-22 08:00:00'],
  ['startedAtMs', 0, 'Started', '1970-01-01 00:00:00'],
  ['retentionUsedRatio', 0.5, 'Retention used', '50%'],
  ['pid', 12345, 'Pid', '12345'],
  ['records', 12345, 'Records', '12,345'],
  ['addresses', { kafka: { host: 'localhost', port: 9092 } }, 'Addresses', 'kafka localhost:9092'],
  ['internal', false, 'Internal', 'no'],
];

test.each(CASES)('%s', (name, value, title, text) => {
  expect([columnTitle(name), cellText(name, value, true)]).toEqual([title, text]);
});
