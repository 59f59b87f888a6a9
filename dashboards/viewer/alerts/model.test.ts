import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { latencyMs, newestFirst, ruleSource, ruleState, ruleSummary, sortedRules } from './model.ts';

test('firing rules come first', () => {
  const rules = [
    { name: 'b', state: 'inactive' },
    { name: 'a', state: 'inactive' },
    { name: 'c', alerts: [{ state: 'pending' }, { state: 'firing' }] },
    { name: 'd', state: 'pending' },
  ];
  expect(sortedRules(rules).map(({ name }) => name)).toEqual(['c', 'd', 'a', 'b']);
  expect(ruleState({ name: 'x' })).toBe('inactive');
});

test('latency counts from the append of the deciding record', () => {
  const base = { id: '1', status: 'firing' as const };
  expect(latencyMs({ ...base, timings: { appendMs: 100, evalMs: 120, notifyMs: 150 } })).toBe(50);
  expect(latencyMs({ ...base, timings: { evalMs: 120, notifyMs: 150 } })).toBe(30);
  expect(latencyMs({ ...base, timings: { evalMs: 120 } })).toBeUndefined();
  expect(
    newestFirst([
      { ...base, timings: { evalMs: 1 } },
      { ...base, id: '2', timings: { evalMs: 2 } },
    ])[0]?.id,
  ).toBe('2');
});

test('the source of a rule is YAML that says the same', () => {
  const rule = {
    name: 'ErrorBurst',
    query: 'sum by (service) (rate({a=~".+"} |= "x: #y"\n [1m])) > 10',
    duration: 60,
    labels: { severity: 'page', quoted: 'no', number: '7' },
    annotations: { summary: '{{ $labels.service }}: "{{ $value }}" # errors' },
  };
  expect(parse(ruleSource(rule))).toEqual([
    { alert: rule.name, expr: rule.query, for: '60s', labels: rule.labels, annotations: rule.annotations },
  ]);
  expect(parse(ruleSource({ name: 'x', query: 'up' }))).toEqual([{ alert: 'x', expr: 'up' }]);
});

test('a summary with templates is shown filled in or not at all', () => {
  const annotations = { summary: '{{ $value }} errors' };
  const alert = { annotations: { summary: '12 errors' } };
  expect(ruleSummary({ name: 'x', query: 'q', annotations })).toBe('q');
  expect(ruleSummary({ name: 'x', query: 'q', annotations, alerts: [alert] })).toBe('12 errors');
  expect(ruleSummary({ name: 'x', query: 'q', annotations, alerts: [alert, alert] })).toBe('q');
  expect(ruleSummary({ name: 'x', query: 'q', annotations: { summary: 'too many' } })).toBe('too many');
});
