// What Prometheus takes as a rule file we take, and what it refuses we refuse: `vector(1) > 0` is a query in both
// languages, so promtool judges the same files where it is installed.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { formatProblem } from './rule.ts';
import { readRuleFile } from './rule-file.ts';

const PROMTOOL = process.env['PROMTOOL'] ?? 'promtool';

const RULE = 'alert: A\n        expr: vector(1) > 0';
const group = (rule: string): string => `groups:\n  - name: g\n    rules:\n      - ${rule}`;
const inGroup = (line: string): string => `groups:\n  - name: g\n    ${line}\n    rules:\n      - ${RULE}`;
const inRule = (lines: string): string => group(`${RULE}\n        ${lines}`);

const CASES: Array<[what: string, source: string, accepted: boolean]> = [
  ['one rule', group(RULE), true],
  ['nothing', '', true],
  ['a comment', '# nothing yet', true],
  ['no groups', 'groups: []', true],
  ['groups without a value', 'groups:', true],
  ['a group without rules', 'groups:\n  - name: g\n    rules: []', true],
  ['a group whose rules are left out', 'groups:\n  - name: g', true],
  ['flow style', '{groups: [{name: g, rules: [{alert: A, expr: "vector(1) > 0"}]}]}', true],
  ['JSON', '{"groups": [{"name": "g", "rules": [{"alert": "A", "expr": "vector(1) > 0"}]}]}', true],
  ['Windows line ends', group(RULE).replaceAll('\n', '\r\n'), true],
  ['a document start', `---\n${group(RULE)}\n`, true],
  ['a literal block', group('alert: A\n        expr: |\n          vector(1)\n            > 0\n'), true],
  ['a folded block', group('alert: A\n        expr: >-\n          vector(1)\n          > 0\n'), true],
  [
    'a comment in the query',
    group('alert: A\n        expr: |\n          vector(1) # one\n          > 0\n'),
    true,
  ],
  ['two groups', `${group(RULE)}\n  - name: h\n    rules:\n      - ${RULE}`, true],
  ['two groups of one name', `${group(RULE)}\n  - name: g\n    rules:\n      - ${RULE}`, false],
  ['a group without a name', `groups:\n  - rules:\n      - ${RULE}`, false],
  ['an unknown key at the top', `${group(RULE)}\nextra: 1`, false],
  ['an unknown key in a group', inGroup('intervall: 1m'), false],
  ['an unknown key in a rule', inRule('summary: x'), false],
  ['a key twice', inRule('for: 1m\n        for: 2m'), false],
  ['interval', inGroup('interval: 1m30s'), true],
  ['interval of zero', inGroup('interval: 0s'), true],
  ['an interval without a unit', inGroup('interval: 60'), false],
  ['limit', inGroup('limit: 10'), true],
  ['limit of zero', inGroup('limit: 0'), true],
  ['a limit that is no number', inGroup('limit: many'), false],
  ['for', inRule('for: 5m'), true],
  ['for of zero', inRule('for: 0'), true],
  ['for with every unit', inRule('for: 1y2w3d4h5m6s7ms'), true],
  ['for in the wrong order', inRule('for: 1s5m'), false],
  ['for with a fraction', inRule('for: 1.5m'), false],
  ['for of less than nothing', inRule('for: -5m'), false],
  ['for that is no duration', inRule('for: soon'), false],
  ['for without a value', inRule('for:'), true],
  ['keep_firing_for', inRule('keep_firing_for: 10m'), true],
  ['labels', inRule('labels: {severity: page, _x9: y}'), true],
  ['labels without a value', inRule('labels:'), true],
  ['labels that are numbers and truths', inRule('labels: {tier: 1, canary: true, share: 0.5}'), true],
  ['an empty label', inRule('labels: {severity: ""}'), true],
  ['a label name with a dash', inRule('labels: {a-b: x}'), false],
  ['a label name that starts with a digit', inRule('labels: {9a: x}'), false],
  ['a list as a label', inRule('labels: {a: [x]}'), false],
  ['labels that are a list', inRule('labels: [a]'), false],
  ['a label of many letters', inRule('labels: {team: "größer ✓"}'), true],
  ['annotations', inRule('annotations: {summary: s, __panelId__: "12"}'), true],
  ['an annotation name with a dot', inRule('annotations: {a.b: x}'), false],
  ['templates', inRule(`annotations: {s: '{{ $value }} of {{ $labels.a }}: {{ $value | humanize }}'}`), true],
  ['a template in a label', inRule(`labels: {s: '{{ $labels.a }}'}`), true],
  ['a template without an end', inRule(`annotations: {s: '{{ $value '}`), false],
  ['a template with an unknown function', inRule(`annotations: {s: '{{ $value | shout }}'}`), false],
  [
    'anchors and aliases',
    `groups:\n  - name: g\n    rules:\n      - ${RULE}\n        labels: &page {severity: page}\n        for: &for 5m\n      - alert: B\n        expr: vector(2) > 0\n        labels: *page\n        for: *for`,
    true,
  ],
  [
    'merged keys',
    `groups:\n  - name: g\n    rules:\n      - ${RULE}\n        labels: &page {severity: page}\n      - alert: B\n        expr: vector(2) > 0\n        labels:\n          <<: *page\n          team: a`,
    true,
  ],
  ['no expression', group('alert: A'), false],
  ['an empty expression', group('alert: A\n        expr: ""'), false],
  ['an expression that is none', group('alert: A\n        expr: vector('), false],
  ['neither alert nor record', group('expr: vector(1) > 0'), false],
  ['alert and record', group('alert: A\n        record: a:b\n        expr: vector(1) > 0'), false],
  ['for of a recording rule', group('record: a:b\n        expr: vector(1) > 0\n        for: 5m'), false],
  ['a name with blanks', group('alert: Too many errors!\n        expr: vector(1) > 0'), true],
  ['a list at the top', `- ${RULE}`, false],
  ['a map of groups', 'groups: {g: []}', false],
  ['a rule that is a text', group('A'), false],
  ['broken YAML', 'groups: [', false],
  ['tabs', 'groups:\n\t- name: g', false],
];

describe('a rule file with', () => {
  test.each(CASES)('%s', (_what, source, accepted) => {
    const problems = readRuleFile('r.yaml', source).problems.map(formatProblem);
    expect({ problems, accepted: problems.length === 0 }).toEqual({ problems, accepted });
  });
});

describe('promtool', async () => {
  const version = await run(['--version']);
  if (version === undefined)
    console.log(`skipped: no ${PROMTOOL} here (Debian has it in the package prometheus)`);
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-promtool-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  test.skipIf(version === undefined)('says the same of every file', async () => {
    const said = await Promise.all(
      CASES.map(async ([what, source], index) => {
        const file = join(directory, `${index}.yaml`);
        await writeFile(file, source);
        return [what, await run(['check', 'rules', file])] as const;
      }),
    );
    expect(said.map(([what, code]) => [what, code === 0])).toEqual(
      CASES.map(([what, , accepted]) => [what, accepted]),
    );
  });
});

/** The exit code; undefined where there is no such program. */
function run(args: readonly string[]): Promise<number | undefined> {
  return new Promise((resolve) => {
    const child = execFile(PROMTOOL, args, (error) => {
      resolve(error === null ? 0 : typeof error.code === 'number' ? error.code : undefined);
    });
    child.stdin?.end();
  });
}
