import { expect, test } from 'vitest';
import {
  isMetricQuery,
  searchTerms,
  streamSelector,
  toggleMatcher,
  volumeQuery,
  volumeStepMs,
} from './query-text.ts';

const TOGGLES: [string, string, '=' | '!=', string, string][] = [
  ['{a="1"}', 'b', '=', '2', '{a="1", b="2"}'],
  ['{a="1"} |= "}"', 'b', '!=', 'x"y', '{a="1", b!="x\\"y"} |= "}"'],
  ['{a="1", b = "2"}', 'b', '=', '2', '{a="1"}'],
  ['{a="1", b="2"}', 'b', '!=', '2', '{a="1", b!="2"}'],
  ['{a="1"}', 'a', '=', '1', '{a="1"}'],
  ['{a="x,}y"} |= "z"', 'b', '=', '2', '{a="x,}y", b="2"} |= "z"'],
  ['sum(rate({a=`}`}[1m]))', 'b', '=', '2', 'sum(rate({a=`}`, b="2"}[1m]))'],
  ['', 'b', '=', '2', '{b="2"}'],
];

test.each(TOGGLES)('%s with %s %s %s', (query, label, op, value, expected) => {
  expect(toggleMatcher(query, label, op, value)).toBe(expected);
});

test('search terms, kinds of query, volume', () => {
  expect(searchTerms('{a="b"} |= "one" != "two" |= `th\\ree` |= "a\\"b"')).toEqual(['one', 'th\\ree', 'a"b']);
  expect([
    isMetricQuery('{a="b"}'),
    isMetricQuery(' sum(rate({a="b"}[1m]))'),
    isMetricQuery('rate({}[1m])'),
  ]).toEqual([false, true, true]);
  expect(streamSelector({ a: 'x"y' })).toBe('{a="x\\"y"}');
  expect(volumeQuery('{a="b"} ', 60000)).toBe('sum by (level) (count_over_time({a="b"} [60000ms]))');
  expect(volumeStepMs(3_600_000, 100)).toBe(60_000);
});
