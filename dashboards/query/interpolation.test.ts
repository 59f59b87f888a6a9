import fc from 'fast-check';
import { expect, test } from 'vitest';

import { type Variables, interpolate } from './interpolation.ts';
import { type TimeContext, expandMacros } from './macros.ts';
import { sqlLiteral, sqlPieces } from './sql-text.ts';

const time: TimeContext = { fromMs: 1_000_000, toMs: 4_600_000, intervalMs: 10_000, intervalText: '10s' };

function check(sql: string, variables: Variables, want: string): void {
  expect(interpolate(sql, variables, time)).toBe(want);
}

const cases: ReadonlyArray<readonly [sql: string, variables: Variables, want: string]> = [
  ['a = $v', { v: 'x' }, "a = 'x'"],
  ['a = ${v}', { v: 'x' }, "a = 'x'"],
  ['a = [[v]]', { v: 'x' }, "a = 'x'"],
  ['LIMIT $v', { v: '10' }, 'LIMIT 10'],
  ['a IN ($v)', { v: ['x', 'y'] }, "a IN ('x','y')"],
  ['a IN (${v:singlequote})', { v: ['x', "y'"] }, "a IN ('x','y\\'')"],
  ['a IN (${v:sqlstring})', { v: ['x', 'y\\'] }, "a IN ('x','y\\\\')"],
  ['a IN (${v:sqlstring})', { v: [] }, "a IN ('')"],
  ['SELECT ${v:doublequote}', { v: 'a"b' }, 'SELECT "a\\"b"'],
  ['ORDER BY ${v:raw}', { v: 'count' }, 'ORDER BY count'],
  ["match(a, '${v:regex}')", { v: ['a.b', 'c'] }, "match(a, '(a\\\\.b|c)')"],
  ["a = '$v'", { v: "it's" }, "a = 'it\\'s'"],
  ["a = '${v:csv}'", { v: ['p', 'q'] }, "a = 'p,q'"],
  ["'${v:pipe}' '${v:json}'", { v: ['p', 'q'] }, '\'p|q\' \'["p","q"]\''],
  // Globals, with and without quotes.
  ['$__from ${__to} ${__from:date:seconds}', {}, '1000000 4600000 1000'],
  ["'${__from:date:iso}'", {}, "'1970-01-01T00:16:40.000Z'"],
  ['$__range_s $__interval_ms $__interval', {}, '3600 10000 10s'],
  // Left alone: unknown names, macros, comments, names that objects have by birth.
  ['$nothing $__timeFilter(t) $toString', {}, '$nothing $__timeFilter(t) $toString'],
  ['1 -- $v', { v: 'x' }, '1 -- $v'],
  // A value is never looked at again.
  ["'$v'", { v: '$w ${w} $__from', w: 'z' }, "'$w ${w} $__from'"],
  // $__conditionalAll
  ['$__conditionalAll(a IN ($v), $v)', { v: '$__all' }, '1=1'],
  ['$__conditionalAll(a IN ($v), $v)', { v: ['$__all'] }, '1=1'],
  ['$__conditionalAll(a IN ($v), ${v})', { v: '' }, '1=1'],
  ['$__conditionalAll(a IN ($v), $v)', {}, '1=1'],
  ['$__conditionalAll(a IN ($v), $v)', { v: ['x', 'y'] }, "a IN ('x','y')"],
  [
    '$__conditionalAll(f(a, b) AND $__conditionalAll(c = $w, $w), $v)',
    { v: 'x', w: '$__all' },
    'f(a, b) AND 1=1',
  ],
];

test.each(cases)('%s with %j', check);

test('All without a condition stands for the known options', () => {
  const sql = interpolate('a IN ($v)', { v: ['$__all'] }, time, { v: ['x', 'y'] });
  expect(sql).toBe("a IN ('x','y')");
  expect(() => interpolate('a IN ($v)', { v: '$__all' }, time)).toThrow('got "All"');
});

const attacks = [
  "' OR 1=1 --",
  "\\' OR 1=1 --",
  "\\\\' OR 1=1 --",
  "'') UNION ALL SELECT * FROM system.users --",
  '$__timeFilter(x)',
  '"; DROP TABLE otel_logs; --',
  '`',
  '*/ 1 /*',
  '\0',
  'x\ny',
];

const contexts = [
  'SELECT 1 WHERE a = $v AND b = 1',
  'SELECT 1 WHERE a IN (${v:sqlstring}) AND b = 1',
  'SELECT 1 WHERE a IN (${v:singlequote}) AND b = 1',
  "SELECT 1 WHERE a LIKE '%$v%' AND b = 1",
  "SELECT 1 WHERE match(a, '${v:regex}') AND b = 1",
  "SELECT 1 WHERE a = '${v:raw}' AND b = 1",
  'SELECT "${v}" WHERE b = 1',
  'SELECT `${v:raw}` WHERE b = 1',
];

/** The statement without what stands in quotes: no value may change it. */
function skeleton(sql: string): string {
  return sqlPieces(sql)
    .map(({ kind, text }) => (kind === 'code' ? text : `<${kind}>`))
    .join('');
}

test.each(contexts)('no value becomes SQL: %s', (sql) => {
  const harmless = skeleton(expandMacros(interpolate(sql, { v: 'x' }, time), time));
  const attack = fc.oneof(
    fc.constantFrom(...attacks),
    fc.string({
      unit: fc.constantFrom("'", '\\', '"', '`', '-', '$', '{', '}', '_', 'a', ' ', '\n', '*', '/'),
    }),
  );
  fc.assert(
    fc.property(attack, (v) => {
      fc.pre(!/^-?\d/.test(v));
      expect(skeleton(expandMacros(interpolate(sql, { v }, time), time))).toBe(harmless);
    }),
    { numRuns: 300 },
  );
});

test.each(['raw', 'csv', 'pipe', 'text', 'glob', 'json', 'percentencode'])(
  'outside quotes, format %s takes no SQL',
  (format) => {
    for (const v of ["a' OR 1=1", 'a OR 1=1', 'a;b', 'a--b', 'sleep(3)']) {
      const expand = () => interpolate(`SELECT \${v:${format}}`, { v }, time);
      expect(expand).toThrow(/cannot use variable v/);
    }
  },
);

test('a literal holds every string', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      expect(sqlPieces(sqlLiteral(value))).toEqual([{ kind: 'string', text: sqlLiteral(value) }]);
    }),
  );
});
