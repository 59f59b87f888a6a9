import { expect, test } from 'vitest';

import { type TimeContext, expandMacros } from './macros.ts';
import { QueryError } from './query-error.ts';

const time: TimeContext = {
  fromMs: 1_700_000_000_123,
  toMs: 1_700_003_600_456,
  intervalMs: 10_000,
  intervalText: '10s',
};

const F = 'toDateTime(1700000000)';
const T = 'toDateTime(1700003600)';

const cases: ReadonlyArray<readonly [sql: string, want: string]> = [
  ['$__timeFilter(ts)', `ts >= ${F} AND ts <= ${T}`],
  [
    '$__timeFilter_ms(ts)',
    'ts >= fromUnixTimestamp64Milli(1700000000123) AND ts <= fromUnixTimestamp64Milli(1700003600456)',
  ],
  ['$__dateFilter(d)', "d >= toDate('2023-11-14') AND d <= toDate('2023-11-14')"],
  [
    '$__dateTimeFilter(d, ts)',
    `(d >= toDate('2023-11-14') AND d <= toDate('2023-11-14') AND ts >= ${F} AND ts <= ${T})`,
  ],
  ['$__dt(d,ts)', `(d >= toDate('2023-11-14') AND d <= toDate('2023-11-14') AND ts >= ${F} AND ts <= ${T})`],
  ['$__fromTime, $__toTime', `${F}, ${T}`],
  [
    '$__fromTime_ms - $__toTime_ms',
    'fromUnixTimestamp64Milli(1700000000123) - fromUnixTimestamp64Milli(1700003600456)',
  ],
  ['$__timeFrom(ts) AND $__timeTo(ts)', `ts >= ${F} AND ts <= ${T}`],
  ['$__timeInterval(ts)', 'toStartOfInterval(toDateTime(ts), INTERVAL 10 second)'],
  ['$__timeInterval_ms(ts)', 'toStartOfInterval(toDateTime64(ts, 3), INTERVAL 10000 millisecond)'],
  ['$__timeGroup(ts, 5m)', 'toStartOfInterval(toDateTime(ts), INTERVAL 300 second)'],
  ["$__timeGroup(ts, '1h')", 'toStartOfInterval(toDateTime(ts), INTERVAL 3600 second)'],
  ['count() / $__interval_s', 'count() / 10'],
  ['$__interval_ms', '10000'],
  // Nested, and with commas, quotes and parentheses in the argument.
  [
    "$__timeFilter(coalesce(a, toDateTime(')')))",
    `coalesce(a, toDateTime(')')) >= ${F} AND coalesce(a, toDateTime(')')) <= ${T}`,
  ],
  ['$__timeInterval($__fromTime)', `toStartOfInterval(toDateTime(${F}), INTERVAL 10 second)`],
  // Quotes, comments and heredocs.
  ["SELECT '$__fromTime'", "SELECT '$__fromTime'"],
  ["SELECT 'it''s $__fromTime', $__fromTime", `SELECT 'it''s $__fromTime', ${F}`],
  ["SELECT 'a\\'$__fromTime', $__fromTime", `SELECT 'a\\'$__fromTime', ${F}`],
  ['SELECT `$__fromTime`, "$__toTime"', 'SELECT `$__fromTime`, "$__toTime"'],
  ['SELECT 1 -- $__fromTime\n, $__fromTime', `SELECT 1 \n, ${F}`],
  ['SELECT /* $__timeFilter(x */ $__fromTime', `SELECT  ${F}`],
  ['SELECT $tag$ $__fromTime $tag$', 'SELECT $tag$ $__fromTime $tag$'],
  // Unknown ones stay, also those that objects have by birth.
  ['$__unknown(1) $__constructor', '$__unknown(1) $__constructor'],
];

test.each(cases)('%s', (sql, want) => {
  expect(expandMacros(sql, time)).toBe(want);
});

test.each([
  ['$__timeFilter', 'got 0 arguments, want 1'],
  ['$__timeFilter(a, b)', 'got 2 arguments, want 1'],
  ['$__timeFilter(a', 'never closes'],
  ['$__timeGroup(ts, soon)', 'got interval soon'],
  ['$__rateColumns(a, b)', 'not supported'],
])('%s is refused: %s', (sql, message) => {
  expect(() => expandMacros(sql, time)).toThrow(QueryError);
  expect(() => expandMacros(sql, time)).toThrow(message);
});

test('an interval below a second counts as one second', () => {
  const fine = { ...time, intervalMs: 200, intervalText: '200ms' };
  expect(expandMacros('$__timeInterval(ts) $__interval_s', fine)).toBe(
    'toStartOfInterval(toDateTime(ts), INTERVAL 1 second) 1',
  );
});
