// Alert rules on their own: `millrace rules test` and `millrace rules lint`, what they print and how they end.
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { millrace } from '../support/millrace.ts';

const EXAMPLES = join(import.meta.dirname, '..', '..', 'deploy', 'examples', 'rules');

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-rules-'));
  for (const name of ['checkout.yaml', 'checkout_test.yaml'])
    await copyFile(join(EXAMPLES, name), join(directory, name));
  const passing = await readFile(join(EXAMPLES, 'checkout_test.yaml'), 'utf8');
  await writeFile(
    join(directory, 'failing_test.yaml'),
    passing.replace('checkout: 11 errors', 'checkout: 12 errors'),
  );
  await writeFile(
    join(directory, 'bad.yaml'),
    'groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: rate({a="b"}[1m]) >\n      - alert: B\n        fro: 1m\n',
  );
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

const run = (...args: string[]) => millrace(['rules', ...args], {}, directory);

test('every example passes its tests', async () => {
  const { code, stdout } = await millrace(['rules', 'test', EXAMPLES]);
  const tests = (await readdir(EXAMPLES)).filter((name) => name.endsWith('_test.yaml'));
  expect(tests.map((name) => stdout.includes(name))).toEqual(tests.map(() => true));
  expect(stdout).toContain('  ok    a burst of errors fires at once and resolves when it is over\n');
  expect(stdout).not.toContain('FAIL');
  expect(code).toBe(0);
  const lint = await millrace(['rules', 'lint', EXAMPLES]);
  expect(lint.stdout).toContain(': 0 problems, 0 warnings\n');
  expect(lint.code).toBe(0);
}, 30_000);

test('a failing test ends with 1 and shows the difference', async () => {
  const { code, stdout } = await run('test', '*_test.yaml');
  expect(stdout).toBe(`checkout_test.yaml
  ok    a burst of errors fires at once and resolves when it is over
  ok    a ratio must hold for two minutes
  ok    declines wait for a minute
failing_test.yaml
  FAIL  a burst of errors fires at once and resolves when it is over
        ErrorBurst at 21s: want 1 firing, got 1 (- want, + got)
          labels      {alertname="ErrorBurst", service_name="checkout", severity="page"}
        - annotations {summary="checkout: 12 errors within a minute"}
        + annotations {summary="checkout: 11 errors within a minute"}
  ok    a ratio must hold for two minutes
  ok    declines wait for a minute
6 tests: 5 passed, 1 failed
`);
  expect(code).toBe(1);
}, 30_000);

test('bad rules are named with their place, and end with 1', async () => {
  const { code, stdout } = await run('lint', 'bad.yaml', 'checkout.yaml');
  expect(stdout.split('\n')).toEqual([
    'bad.yaml:5:34: cannot parse query: got the end of the query at 1:20, want a stream selector {…}, a function or a number',
    'bad.yaml:6:9: cannot read rule: got no expr, want one',
    'bad.yaml:7:9: unknown key fro in rule: want one of alert, record, expr, for, keep_firing_for, labels, annotations',
    'checkout.yaml: ok (3 rules)',
    '2 files: 3 problems, 0 warnings',
    '',
  ]);
  expect(code).toBe(1);
}, 30_000);

test.each([
  [['test', 'none_test.yaml'], 1, /none_test\.yaml: cannot read rules: got no such file/],
  [['test', '.'], 1, /6 tests/],
  [['test', 'nothing*'], 1, /got no file named \*_test\.yaml there/],
  [['lint', 'none.yaml'], 1, /none\.yaml: cannot read rules: got no such file/],
  [['lint', 'checkout.yaml'], 0, /1 file: 0 problems, 0 warnings/],
] as const)(
  'rules %j ends with %i',
  async (args, code, output) => {
    const ended = await run(...args);
    expect(ended.stdout + ended.stderr).toMatch(output);
    expect(ended.code).toBe(code);
  },
  30_000,
);
