import { describe, expect, test } from 'vitest';

import type { Expr } from './ast.ts';
import { LogqlError } from './error.ts';
import { formatQuery } from './format.ts';
import { parseLogs, parseMetric, parseQuery } from './parse.ts';

describe('a valid query', () => {
  const cases: Array<{ query: string; canonical?: string }> = [
    { query: '{}' },
    { query: '{a="b"}' },
    {
      query: '{ a = "b" , c != "d", e =~ "x.*", f !~ `y\\d`, }',
      canonical: '{a="b", c!="d", e=~"x.*", f!~"y\\\\d"}',
    },
    { query: '{a="b"} |= "x" != "y" |~ "z+" !~ "w"' },
    { query: '{a="b"} |= "x" or "y" or "z" != "w"' },
    { query: '{a="b"} # all of it\n|= "#1"', canonical: '{a="b"} |= "#1"' },
    { query: '{a="\\"q\\" \\u00e9 \\x41\\n"}', canonical: '{a="\\"q\\" é A\\n"}' },
    { query: '{a="b"} | json | logfmt' },
    { query: '{a="b"} | json = "x"', canonical: '{a="b"} | json="x"' },
    { query: '{a="b"} | level="error"' },
    { query: '{a="b"} | x=~"e.*" or y!="1"', canonical: '{a="b"} | (x=~"e.*" or y!="1")' },
    {
      query: '{a="b"} | status>=500 and took>1.5s, size < 20kb or (n = -1)',
      canonical: '{a="b"} | (((status >= 500 and took > 1s500ms) and size < 20000B) or n == -1)',
    },
    { query: '{a="b"} | x="1" y="2"', canonical: '{a="b"} | (x="1" and y="2")' },
    { query: 'count_over_time({a="b"}[1h30m])', canonical: 'count_over_time({a="b"} [1h30m])' },
    { query: 'rate({a="b"}[5m] |= "x")', canonical: 'rate({a="b"} |= "x" [5m])' },
    { query: 'bytes_rate(({a="b"} |= "x")[250ms])', canonical: 'bytes_rate({a="b"} |= "x" [250ms])' },
    { query: 'sum by (a, b) (rate({} [1m]))' },
    { query: 'sum(rate({}[1m])) without (a,)', canonical: 'sum without (a) (rate({} [1m]))' },
    {
      query: 'topk by (x) (3, bytes_over_time({}[1d]))',
      canonical: 'topk by (x) (3, bytes_over_time({} [1d]))',
    },
    { query: 'avg(min(max(count(rate({}[1m])))))', canonical: 'avg(min(max(count(rate({} [1m])))))' },
    { query: 'vector(1)+vector(1)', canonical: 'vector(1) + vector(1)' },
    { query: '1 - 2 - 3', canonical: '(1 - 2) - 3' },
    { query: '2 ^ 3 ^ 2', canonical: '2 ^ (3 ^ 2)' },
    { query: '1 + 2 * 3 > 6' },
    { query: '(1 + 2) * 3e-1', canonical: '(1 + 2) * 0.3' },
    {
      query: 'sum by (s) (rate({e="p"} | level="error" [5m])) / sum by (s) (rate({e="p"}[5m])) > 0.05',
      canonical: 'sum by (s) (rate({e="p"} | level="error" [5m])) / sum by (s) (rate({e="p"} [5m])) > 0.05',
    },
  ];
  test.each(cases)('$query', ({ query, canonical = query }) => {
    const tree = parseQuery(query);
    expect(formatQuery(tree)).toBe(canonical);
    expect(withoutPlaces(parseQuery(canonical))).toEqual(withoutPlaces(tree));
  });

  test('gives a tree with the places of its parts', () => {
    expect(parseQuery('sum by (level) (rate({a="b"} |= "x" [5m])) > 2')).toEqual({
      type: 'binary',
      at: 43,
      op: '>',
      left: {
        type: 'vector',
        at: 0,
        op: 'sum',
        grouping: { mode: 'by', labels: ['level'] },
        expr: {
          type: 'range',
          at: 16,
          op: 'rate',
          rangeMs: 300_000,
          query: {
            type: 'log',
            at: 21,
            matchers: [{ at: 22, name: 'a', op: '=', value: 'b' }],
            stages: [{ type: 'lineFilter', at: 29, op: '|=', values: ['x'] }],
          },
        },
      },
      right: { type: 'number', at: 45, value: 2 },
    });
  });
});

describe('an invalid query', () => {
  const functions =
    'count_over_time, rate, bytes_over_time, bytes_rate, sum, avg, min, max, count, topk, vector';
  const cases: Array<[query: string, message: string]> = [
    ['', 'got the end of the query at 1:1, want a stream selector {…}, a function or a number'],
    ['foo', `got foo at 1:1, want a stream selector {…} or one of ${functions}`],
    ['{a="b"', 'got the end of the query at 1:7, want , or }'],
    ['{a}', 'got } at 1:3, want =, !=, =~ or !~'],
    ['{a=b}', 'got b at 1:4, want a string'],
    ['{a>"b"}', 'got > at 1:3, want =, !=, =~ or !~'],
    ["{a='b'}", 'got \' at 1:4, want a string in " or `'],
    ['{a.b="x"}', 'got . at 1:3, want a label name with _ in place of dots'],
    ['{a="b}', 'got a string without an end at 1:4, want "'],
    ['{a=~"\\d"}', 'got escape \\d at 1:6, want \\n, \\", \\\\, \\u1234 … or a string in `backquotes`'],
    ['{a=~"("}', 'got "(" at 1:5, want a regular expression in RE2 syntax (missing closing ): `(`)'],
    [
      '{a="b"} |~ `(?=x)`',
      'got `(?=x)` at 1:12, want a regular expression in RE2 syntax (invalid or unsupported Perl syntax: `(?=`)',
    ],
    ['{a="b"}\n  |= 5', 'got 5 at 2:6, want a string'],
    ['{a="b"} [5m]', 'got [ at 1:9, want a stage or the end of the query'],
    ['{a="b"} | (', 'got the end of the query at 1:12, want a label name'],
    ['{a="b"} | x', 'got the end of the query at 1:12, want =, !=, =~, !~, ==, >, >=, < or <='],
    ['{a="b"} | x > "5"', 'got > at 1:13, want =, !=, =~ or !~ before a string'],
    ['{a="b"} | x =~ 5', 'got 5 at 1:16, want a string'],
    ['{a="b"} | x > 5q', 'got 5q at 1:15, want a number, a duration such as 5m or a size such as 20kb'],
    ['rate({a="b"})', 'got ) at 1:13, want a range such as [5m]'],
    ['rate({a="b"}[5])', 'got 5 at 1:14, want a duration such as 5m'],
    ['rate({a="b"}[5m]) by (x)', 'got by at 1:19, want sum by (…) (rate(…)): rate takes no grouping'],
    ['sum rate({}[1m])', 'got rate at 1:5, want (, by or without'],
    ['topk(rate({}[1m]))', 'got rate at 1:6, want a positive whole number'],
    ['topk(0.5, rate({}[1m]))', 'got 0.5 at 1:6, want a positive whole number'],
    ['sum({a="b"})', 'got a log query at 1:5, want a metric query such as count_over_time({…}[5m])'],
    ['1 + {a="b"}', 'got a log query at 1:5, want a metric query such as count_over_time({…}[5m])'],
    ['1 2', 'got 2 at 1:3, want an operator or the end of the query'],
    ['vector({a="b"})', 'got a log query at 1:8, want a number'],
    ['{a="b"} ; drop', 'got ; at 1:9, want a query'],
    ['('.repeat(65), 'got ( at 1:65, want at most 64 levels of nesting'],
    [' '.repeat(65_537), 'got 65537 characters at 1:1, want at most 65536'],
    [
      `{a=~"${'x'.repeat(5_000)}"}`,
      `got "${'x'.repeat(5_000)}" at 1:5, want at most 4096 characters in a regular expression`,
    ],
    // What Loki has and we do not, by name.
    ['{a="b"} |> "<_> x"', 'got pattern filter |> at 1:9, which is not supported yet'],
    ['{a="b"} |= ip("10.0.0.0/8")', 'got ip() at 1:12, which is not supported yet'],
    ['{a="b"} | addr = ip("::1")', 'got ip() at 1:18, which is not supported yet'],
    ['{a="b"} | json x="y"', 'got json with expressions at 1:16, which is not supported yet'],
    ['{a="b"} | logfmt --strict', 'got logfmt with flags at 1:18, which is not supported yet'],
    ['{a="b"} | line_format "{{.x}}"', 'got stage line_format at 1:11, which is not supported yet'],
    ['{a="b"} | unwrap took', 'got stage unwrap at 1:11, which is not supported yet'],
    [
      'quantile_over_time(0.9, {a="b"} | unwrap x [5m])',
      'got quantile_over_time at 1:1, which is not supported yet',
    ],
    ['rate({a="b"}[5m] offset 1m)', 'got offset at 1:18, which is not supported yet'],
    ['sum(rate({}[1m])) > bool 3', 'got bool at 1:21, which is not supported yet'],
    ['rate({}[1m]) and rate({}[1m])', 'got and at 1:14, which is not supported yet'],
    ['rate({}[1m]) / on (x) rate({}[1m])', 'got on at 1:16, which is not supported yet'],
    ['(rate({}[1m]) unless rate({}[1m]))', 'got unless at 1:15, which is not supported yet'],
  ];
  test.each(cases)('%s', (query, message) => {
    expect(messageOf(() => parseQuery(query))).toBe(`cannot parse query: ${message}`);
  });

  test('is also one of the wrong sort', () => {
    expect(() => parseLogs('rate({}[1m])')).toThrow('got a metric query at 1:1, want a log query {…}');
    expect(() => parseMetric('{}')).toThrow('got a log query at 1:1, want a metric query');
  });
});

function messageOf(run: () => unknown): string {
  try {
    run();
    return 'no error';
  } catch (error) {
    return error instanceof LogqlError ? error.message : String(error);
  }
}

/** The tree without its places, which differ between two spellings of one query. */
function withoutPlaces(tree: Expr): unknown {
  return JSON.parse(JSON.stringify(tree, (key, value: unknown) => (key === 'at' ? undefined : value)));
}
