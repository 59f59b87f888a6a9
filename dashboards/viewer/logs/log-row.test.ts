import { expect, test } from 'vitest';
import { compareNs, levelOf, levelOfLabels, mergeRows, nsToMs, rowsOf, subSecond } from './log-row.ts';

const line = (timeNs: string, text: string, labels: Record<string, string> = { app: 'a' }) => ({
  timeNs,
  line: text,
  labels,
});

test('rows come newest first, exact repeats keep keys of their own', () => {
  const rows = rowsOf([line('1', 'old'), line('20', 'new'), line('20', 'new'), line('3', 'mid')]);
  expect(rows.map((row) => row.line)).toEqual(['new', 'new', 'mid', 'old']);
  expect(new Set(rows.map((row) => row.key)).size).toBe(4);
});

test('merging keeps order, drops what is known, keeps the newest', () => {
  const a = rowsOf([line('5', 'e'), line('3', 'c'), line('1', 'a')]);
  const b = rowsOf([line('6', 'f'), line('3', 'c'), line('2', 'b')]);
  expect(mergeRows(a, b, 10).map((row) => row.line)).toEqual(['f', 'e', 'c', 'b', 'a']);
  expect(mergeRows(a, b, 2).map((row) => row.line)).toEqual(['f', 'e']);
  expect(mergeRows([], a, 10)).toEqual(a);
});

test('a line is the same from the query and from the tail, whatever labels were made of it', () => {
  const stored = rowsOf([line('5', 'e', { service_name: 'a', level: 'info', detected_level: 'info' })]);
  const tailed = rowsOf([line('5', 'e', { level: 'info', service_name: 'a' })]);
  expect(mergeRows(stored, tailed, 10)).toHaveLength(1);
  expect(mergeRows(stored, rowsOf([line('5', 'e', { service_name: 'b' })]), 10)).toHaveLength(2);
});

test('nanoseconds keep all digits', () => {
  expect(compareNs('999', '1000')).toBeLessThan(0);
  expect(compareNs('1700000000000000002', '1700000000000000001')).toBeGreaterThan(0);
  expect(nsToMs('1700000000123456789')).toBe(1700000000123);
  expect(subSecond('1700000000123456789')).toBe('123456789');
});

test('levels in any spelling', () => {
  expect(['ERROR', 'Warning', 'INFO2', 'err', 'critical', 'constructor', ''].map(levelOf)).toEqual([
    'error',
    'warn',
    'info',
    'error',
    'fatal',
    'unknown',
    'unknown',
  ]);
  expect(levelOfLabels({ severity_text: 'WARN' })).toBe('warn');
});
