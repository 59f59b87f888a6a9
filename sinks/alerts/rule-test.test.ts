import { resolve } from 'node:path';

import { describe, expect, test } from 'vitest';

import type { Files } from '../../broker/host/files.ts';
import { nodeFiles } from '../../broker/host/node-files.ts';
import { formatLintReport, formatTestReport, lintRules, testRules } from './rule-test.ts';

const EXAMPLES = resolve(import.meta.dirname, '../../deploy/examples/rules');

const RULES = `groups:
  - name: g
    rules:
      - alert: Errors
        expr: sum by (service_name) (count_over_time({} |= "boom" [1m])) > 1
        labels: {severity: page}
        annotations: {summary: '{{ $value }} errors'}
`;

/** Files in memory, by absolute path. */
function filesOf(content: Record<string, string>): Files {
  const entries = new Map(Object.entries(content));
  return {
    ...nodeFiles,
    readFile: (path) => Promise.resolve(entries.has(path) ? Buffer.from(entries.get(path)!) : undefined),
    stat: (path) =>
      Promise.resolve(
        entries.has(path) ? { size: 1, modifiedMs: 0, device: 0, inode: 0, isDirectory: false } : undefined,
      ),
    list: (path) =>
      Promise.resolve(
        [...entries.keys()]
          .filter((one) => one.startsWith(`${path}/`))
          .map((one) => one.slice(path.length + 1)),
      ),
  };
}

async function run(test: string, rules = RULES): Promise<string> {
  const report = await testRules(['/t/r_test.yaml'], filesOf({ '/t/r.yaml': rules, '/t/r_test.yaml': test }));
  return `${report.ok ? 'ok' : 'not ok'}\n${formatTestReport(report)}`;
}

test('the examples pass', async () => {
  const report = await testRules([`${EXAMPLES}/checkout_test.yaml`]);
  expect(formatTestReport(report)).toContain('3 tests: 3 passed, 0 failed');
  expect(report.ok).toBe(true);
  const lint = await lintRules([EXAMPLES, `${EXAMPLES}/checkout_test.yaml`]);
  expect(formatLintReport(lint)).toContain('checkout.yaml: ok (3 rules)');
  expect(lint.ok).toBe(true);
});

describe('a rule test', () => {
  const head = `rule_files: [r.yaml]
evaluation_interval: 1m
tests:
  - name: two
    input_logs:
      - '{service_name="a"} "boom" @ 10s repeat every 5s for 2'
    alert_rule_test:
      - eval_time: 15s
        alertname: Errors
`;

  test('that holds says so', async () => {
    const text = `${head}        exp_alerts:
          - exp_labels: {service_name: a, severity: page}
            exp_annotations: {summary: 2 errors}`;
    expect(await run(text)).toBe('ok\n/t/r_test.yaml\n  ok    two\n1 test: 1 passed, 0 failed');
  });

  test('that fails shows the difference', async () => {
    const text = `${head}        exp_alerts:
          - exp_labels: {service_name: a, severity: ticket}
            exp_annotations: {summary: 2 errors}`;
    expect(await run(text)).toBe(`not ok
/t/r_test.yaml
  FAIL  two
        Errors at 15s: want 1 firing, got 1 (- want, + got)
        - labels      {alertname="Errors", service_name="a", severity="ticket"}
          annotations {summary="2 errors"}
        + labels      {alertname="Errors", service_name="a", severity="page"}
1 test: 0 passed, 1 failed`);
  });

  test('that expects nothing fails when something fires', async () => {
    expect(await run(head)).toContain('want 0 firing, got 1');
  });

  test.each([
    ['{service_name="a"} boom @ 10s', 'got boom at 1:20, want the line as a string'],
    ['{service_name="a"} "boom" 10s', 'got 10s at 1:27, want @ and a time'],
    ['{service_name="a"} "boom" @ 10', 'got 10 at 1:29, want a time such as 10s'],
    ['{service_name="a"} "boom" @ 0 repeat 6', 'got 6 at 1:38, want every'],
    ['{service_name="a"} "boom" @ 0 repeat every 1s for 0', 'got 0 at 1:51, want how often, 1 to 100000'],
    ['{service_name="a"} "boom" @ 0 later', 'got later at 1:31, want repeat, metadata or the end'],
    ['"boom" @ 0', 'got "boom" at 1:1, want labels {…}'],
  ])('with the line %s names the mistake', async (line, message) => {
    const text = `rule_files: [r.yaml]\ntests:\n  - input_logs:\n      - '${line}'`;
    expect(await run(text)).toContain(`/t/r_test.yaml:4:9: cannot read input_logs: ${message}`);
  });

  test('with unknown keys, missing rules or bad rules fails and says where', async () => {
    expect(await run('rule_files: [r.yaml]\ntest: []')).toContain(
      '/t/r_test.yaml:2:1: unknown key test in test file',
    );
    expect(await run('rule_files: [none.yaml]')).toContain(
      '/t/none.yaml: cannot read rules: got no such file',
    );
    expect(await run(head, 'groups: 5')).toContain('/t/r.yaml:1:9: cannot read groups: got 5, want a list');
    const missing = await testRules(['/t/none_test.yaml'], filesOf({}));
    expect(missing.ok).toBe(false);
  });

  test('gives its lines metadata and levels', async () => {
    const rules = RULES.replace('{} |= "boom"', '{} | order="7" | detected_level="error"');
    const text = `rule_files: [r.yaml]
tests:
  - input_logs:
      - '{service_name="a", level="error"} "x" @ 0 metadata order="7"'
      - {labels: {service_name: a, level: err}, line: x, at: 1s, metadata: {order: '7'}}
      - '{service_name="a", level="info"} "x" @ 1s metadata order="7"'
    alert_rule_test:
      - {eval_time: 15s, alertname: Errors, exp_alerts: [{exp_labels: {service_name: a, severity: page}, exp_annotations: {summary: 2 errors}}]}`;
    expect(await run(text, rules)).toContain('1 passed, 0 failed');
  });
});

test('lint warns of what is allowed but hardly meant', async () => {
  const files = filesOf({
    '/t/a.yaml': `groups:
  - name: g
    rules:
      - {alert: A, expr: "rate({}[1m])"}
      - {alert: B, expr: "rate({}[1m]) < 5", for: 5s}`,
  });
  const report = await lintRules(['/t'], {
    ...files,
    stat: (path) =>
      path === '/t'
        ? Promise.resolve({ size: 0, modifiedMs: 0, device: 0, inode: 0, isDirectory: true })
        : files.stat(path),
  });
  expect(report.ok).toBe(true);
  expect(formatLintReport(report).trim().split('\n')).toEqual([
    '/t/a.yaml: warning: A: compares with nothing, so it fires whenever something matches',
    '/t/a.yaml: warning: B: a series without records is absent, not 0, so silence alone never fires it',
    '/t/a.yaml: warning: B: for is shorter than the interval, so it acts like one interval',
    '/t/a.yaml: ok (2 rules)',
    '1 file: 0 problems, 3 warnings',
  ]);
});
