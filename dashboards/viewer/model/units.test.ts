import { expect, test } from 'vitest';
import { unitText } from './units.ts';

// Expected texts come from `getValueFormat` of @grafana/data 13.2.3, captured once: [unit, value, automatic
// decimals, one decimal].
const GOLDEN: [string, number, string, string][] = [
  ['short', 0, '0', '0.0'],
  ['short', 12.345, '12.3', '12.3'],
  ['short', 999, '999', '999.0'],
  ['short', 1000, '1 K', '1.0 K'],
  ['short', 1536000, '1.54 Mil', '1.5 Mil'],
  ['short', -1234, '-1.23 K', '-1.2 K'],
  ['short', 0.00123, '0.00123', '0.0'],
  ['short', 123.456, '123', '123.5'],
  ['none', 1234, '1234', '1234.0'],
  ['none', 0.5, '0.500', '0.5'],
  ['bytes', 0, '0 B', '0.0 B'],
  ['bytes', 1024, '1 KiB', '1.0 KiB'],
  ['bytes', 1536000, '1.46 MiB', '1.5 MiB'],
  ['bytes', 1.5e9, '1.40 GiB', '1.4 GiB'],
  ['bytes', -2048, '-2 KiB', '-2.0 KiB'],
  ['decbytes', 1536000, '1.54 MB', '1.5 MB'],
  ['kbytes', 2048, '2 MiB', '2.0 MiB'],
  ['bits', 2048, '2 Kib', '2.0 Kib'],
  ['Bps', 1500000, '1.50 MB/s', '1.5 MB/s'],
  ['binBps', 1536000, '1.46 MiB/s', '1.5 MiB/s'],
  ['bps', 1500, '1.50 kb/s', '1.5 kb/s'],
  ['percent', 12.345, '12.3%', '12.3%'],
  ['percentunit', 0.12345, '12.3%', '12.3%'],
  ['percentunit', 1, '100%', '100.0%'],
  ['ns', 1234567, '1.23 ms', '1.2 ms'],
  ['ns', 0, '0 ns', '0.0 ns'],
  ['µs', 1500, '1.50 ms', '1.5 ms'],
  ['ms', 0.5, '0.500 ms', '0.5 ms'],
  ['ms', 240000, '4 mins', '4.0 mins'],
  ['ms', 90000000, '1.04 days', '1.0 days'],
  ['s', 0, '0 s', '0 s'],
  ['s', 1.2e-7, '120 ns', '120.0 ns'],
  ['s', 0.25, '250 ms', '250.0 ms'],
  ['s', 12.5, '12.5 s', '12.5 s'],
  ['s', 5400, '1.50 hours', '1.5 hours'],
  ['s', 700000, '1.16 weeks', '1.2 weeks'],
  ['s', 40000000, '1.27 years', '1.3 years'],
  ['m', 90, '1.50 hours', '1.5 hours'],
  ['d', 10, '1.43 weeks', '1.4 weeks'],
  ['ops', 1230, '1.23K ops/s', '1.2K ops/s'],
  ['reqps', 1230, '1.23K req/s', '1.2K req/s'],
  ['iops', 12345, '12.3K io/s', '12.3K io/s'],
  ['pps', 1e6, '1 Mp/s', '1.0 Mp/s'],
  ['rowsps', 1500, '1.50K rows/s', '1.5K rows/s'],
  ['dtdurations', 3661, '1 hour', '1 hour, 1 minute'],
  ['dtdurations', 59, '59 seconds', '59 seconds, 0 milliseconds'],
  ['dtdurations', 90000, '1 day', '1 day, 1 hour'],
  ['dtdurations', 0, '0 seconds', '0 seconds'],
  ['dtdurationms', 3661000, '1 hour', '1 hour, 1 minute'],
  ['dthms', 3661, '01:01:01', '01:01:01'],
  ['hertz', 1500, '1.50 kHz', '1.5 kHz'],
  ['bool', 1, 'True', 'True'],
  ['suffix:req', 12, '12 req', '12.0 req'],
  ['prefix:$', 12, '$12', '$12.0'],
  ['count:rec', 12345, '12.3K rec', '12.3K rec'],
  ['celsius', 21.55, '21.6 °C', '21.6 °C'],
  ['locale', 1234567.5, '1,234,567.5', '1,234,567.5'],
  ['sci', 12345, '1.2345e+4', '1.2e+4'],
  ['sishort', 0.00012, '120 µ', '120.0 µ'],
  ['dateTimeAsIso', 1700000000000, '2023-11-14 22:13:20', '2023-11-14 22:13:20'],
  ['currencyUSD', 1234567, '$1.23M', '$1.2M'],
  ['widgets', 3, '3 widgets', '3.0 widgets'],
];

test.each(GOLDEN)('%s of %d reads %s', (unit, value, automatic, one) => {
  expect(unitText(unit, value)).toBe(automatic);
  expect(unitText(unit, value, 1)).toBe(one);
});

test('nothing to show is an empty text, infinity a sign', () => {
  expect(unitText('bytes', null)).toBe('');
  expect(unitText('bytes', Number.NaN)).toBe('');
  expect(unitText('s', Number.POSITIVE_INFINITY)).toBe('∞');
});
