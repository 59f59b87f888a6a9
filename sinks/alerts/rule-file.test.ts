import { describe, expect, test } from 'vitest';

import { formatProblem } from './rule.ts';
import { readRuleFile } from './rule-file.ts';

test('reads a rule file as Prometheus and Loki write it', () => {
  const { rules, problems } = readRuleFile(
    'a.yaml',
    `groups:
  - name: checkout
    interval: 30s
    limit: 5
    labels: {team: a, tier: '1'}
    rules:
      - alert: Errors
        expr: |
          sum by (service_name) (
            count_over_time({env="prod"} |= "error" [5m])
          ) > 10
        for: 1m30s
        keep_firing_for: 5m
        labels: {severity: page, team: b}
        annotations:
          summary: '{{ $labels.service_name }}'
          __panelId__: 12
`,
  );
  expect(problems).toEqual([]);
  expect(rules).toMatchObject([
    {
      file: 'a.yaml',
      group: 'checkout',
      name: 'Errors',
      intervalMs: 30_000,
      limit: 5,
      forMs: 90_000,
      keepFiringForMs: 300_000,
    },
  ]);
  expect({ ...rules[0]!.labels }).toEqual({ team: 'b', tier: '1', severity: 'page' });
  expect({ ...rules[0]!.annotations }).toEqual({ summary: '{{ $labels.service_name }}', __panelId__: '12' });
});

describe('a mistake is named with its place', () => {
  const rule = (text: string): string => `groups:\n  - name: g\n    rules:\n      - ${text}`;
  const cases: Array<[name: string, source: string, problems: string[]]> = [
    [
      'an unknown key',
      rule('{alert: A, expr: "rate({}[1m]) > 0", fro: 5m}'),
      [
        'r.yaml:4:46: unknown key fro in rule: want one of alert, record, expr, for, keep_firing_for, labels, annotations',
      ],
    ],
    [
      'an unknown key at the top',
      'gruops: []',
      ['r.yaml:1:1: unknown key gruops in rule file: want one of groups'],
    ],
    [
      'no YAML',
      'groups: [',
      [expect.stringMatching(/^r\.yaml:1:\d+: cannot read YAML: /) as unknown as string],
    ],
    ['no map', '- x', ['r.yaml:1:1: cannot read rule file: got a list, want a map']],
    [
      'a rule without an expression',
      rule('alert: A'),
      ['r.yaml:4:9: cannot read rule: got no expr, want one'],
    ],
    [
      'a mistake in the query, with its place in the file',
      rule('alert: A\n        expr: count_over_time({a="b"}) > 1'),
      ['r.yaml:5:38: cannot parse query: got ) at 1:24, want a range such as [5m]'],
    ],
    [
      'a log query',
      rule('{alert: A, expr: "{}"}'),
      [
        'r.yaml:4:26: cannot parse query: got a log query at 1:1, want a metric query such as count_over_time({…}[5m])',
      ],
    ],
    [
      'a number',
      rule('{alert: A, expr: 1 > 0}'),
      [
        'r.yaml:4:26: cannot alert on a number: got an expression without series, want one with a range aggregation',
      ],
    ],
    [
      'a recording rule',
      rule('{record: a, expr: "rate({}[1m])"}'),
      ['r.yaml:4:18: recording rules are not supported yet: want alert'],
    ],
    [
      'a duration',
      rule('{alert: A, expr: "rate({}[1m]) > 0", for: soon}'),
      ['r.yaml:4:51: cannot read for of rule: got soon, want a duration such as 5m'],
    ],
    [
      'an annotation name with a dot',
      rule('{alert: A, expr: "rate({}[1m]) > 0", annotations: {a.b: x}}'),
      ['r.yaml:4:60: cannot use a.b in annotations: want a name of letters, digits and _'],
    ],
    [
      'a template',
      rule(`{alert: A, expr: "rate({}[1m]) > 0", annotations: {a: '{{ if true }}'}}`),
      [
        'r.yaml:4:63: a: cannot read template: got if, want $labels.<name>, $value or one of humanize, ' +
          'humanize1024, humanizePercentage, humanizeDuration, toUpper, toLower, title, printf',
      ],
    ],
    [
      'a rule written twice',
      rule('{alert: A, expr: "rate({}[1m]) > 0"}\n      - {alert: A, expr: "rate({}[1m]) > 0"}'),
      ['r.yaml:5:9: cannot use alert A: got the same rule twice in its group'],
    ],
    [
      'a range that is too long',
      rule('{alert: A, expr: "rate({}[8d]) > 0"}'),
      ['r.yaml:4:26: cannot use expr: got a range over 7d, want at most that'],
    ],
    [
      'two mistakes at once',
      'groups:\n  - name: g\n    query_offset: 1m\n    interval: 10ms\n    rules: []',
      [
        'r.yaml:3:19: query_offset is not supported: late records are waited for by event time',
        'r.yaml:4:15: cannot use interval: got less than 1s, want 1s or more',
      ],
    ],
  ];
  test.each(cases)('%s', (_name, source, problems) => {
    expect(readRuleFile('r.yaml', source).problems.map(formatProblem)).toEqual(problems);
  });

  test('and costs only its own rule', () => {
    const { rules } = readRuleFile(
      'r.yaml',
      'groups:\n  - name: g\n    rules:\n      - {alert: A, expr: "rate("}\n      - {alert: B, expr: "rate({}[1m]) > 0"}',
    );
    expect(rules.map(({ name }) => name)).toEqual(['B']);
  });
});

test('a rule is the same rule while its meaning is', () => {
  const idOf = (rule: string): string =>
    readRuleFile('r.yaml', `groups:\n  - name: g\n    rules:\n      - ${rule}`).rules[0]!.id;
  const id = idOf('{alert: A, expr: "rate({}[1m]) > 0"}');
  expect(idOf('{alert: A, expr: "rate({}[1m]) > 0", for: 5m, annotations: {a: b}}')).toBe(id);
  expect(idOf('{alert: A, expr: "rate({}[1m]) > 1"}')).not.toBe(id);
  expect(idOf('{alert: A, expr: "rate({}[1m]) > 0", labels: {a: b}}')).not.toBe(id);
});
