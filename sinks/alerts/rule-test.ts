import { dirname, relative, resolve } from 'node:path';

import type { Files } from '../../broker/host/files.ts';
import { nodeFiles } from '../../broker/host/node-files.ts';
import { formatDuration } from '../logql/units.ts';
import { Engine, ENGINE_DEFAULTS } from './engine.ts';
import { recordOf } from './input-logs.ts';
import { formatLabels, type Labels, newLabels } from './labels.ts';
import { formatProblem, type Problem, type Rule } from './rule.ts';
import { INTERVAL_DEFAULT_MS, messageOf } from './rule-file.ts';
import { findRuleFiles, isRuleTest, loadRuleFiles } from './rule-files.ts';
import { type AlertCheck, type ExpectedAlert, readRuleTestFile, type RuleTest } from './rule-test-file.ts';

/** What `millrace rules test` found. */
export interface RuleTestReport {
  readonly ok: boolean;
  readonly files: ReadonlyArray<{
    readonly file: string;
    readonly problems: readonly Problem[];
    readonly tests: ReadonlyArray<{ readonly name: string; readonly failures: readonly CheckFailure[] }>;
  }>;
}

export interface CheckFailure {
  readonly alertname: string;
  readonly evalTimeMs: number;
  readonly expected: readonly ExpectedAlert[];
  readonly got: readonly ExpectedAlert[];
}

/** When the tests take place: a midnight, so that every usual interval has an evaluation at the start. */
const START_MS = 1_767_225_600_000;

/**
 * Runs rule tests: the engine of production over the lines in the file, in virtual time, without a server. A path may
 * be a directory or have `*` and `?` in its last part: then its `*_test.yaml`.
 */
export async function testRules(paths: readonly string[], files: Files = nodeFiles): Promise<RuleTestReport> {
  const reports: Array<RuleTestReport['files'][number]> = [];
  for (const path of paths) {
    const found = await findRuleFiles(files, [resolve(path)], isRuleTest);
    for (const file of found.paths) reports.push(await testFile(file, shown(file), files));
    if (found.paths.length > 0) continue;
    const [problem = problemOf(path, 'got no file named *_test.yaml there')] = found.problems;
    reports.push({ file: shown(resolve(path)), problems: [problem], tests: [] });
  }
  return {
    ok: reports.every(
      ({ problems, tests }) => problems.length === 0 && tests.every((one) => one.failures.length === 0),
    ),
    files: reports,
  };
}

function problemOf(path: string, reason: string): Problem {
  return { file: resolve(path), line: 0, column: 0, message: `cannot read rule tests: ${reason}` };
}

/** As one would type it here. */
function shown(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere === '' || fromHere.startsWith('..') ? path : fromHere;
}

async function testFile(path: string, file: string, files: Files): Promise<RuleTestReport['files'][number]> {
  const source = await files.readFile(path).catch((error: unknown) => messageOf(error));
  if (source === undefined || typeof source === 'string') {
    return { file, problems: [problemOf(path, source ?? 'got no such file')], tests: [] };
  }
  const read = readRuleTestFile(path, source.toString());
  const patterns = read.ruleFiles.map((rules) => resolve(dirname(path), rules));
  const loaded = await loadRuleFiles(files, patterns, new Map(), INTERVAL_DEFAULT_MS);
  const problems = [...read.problems, ...[...loaded.values()].flatMap((file) => file.problems)];
  if (problems.length > 0) return { file, problems, tests: [] };
  const rules = [...loaded.values()].flatMap((file) => [...file.rules]);
  const intervalMs = read.evaluationIntervalMs;
  const judged = intervalMs === undefined ? rules : rules.map((rule) => ({ ...rule, intervalMs }));
  return {
    file,
    problems,
    tests: read.tests.map((test) => ({ name: test.name, failures: runTest(test, judged) })),
  };
}

/** Records in order of time; at each check everything up to its time has been read and judged. */
function runTest(test: RuleTest, rules: readonly Rule[]): CheckFailure[] {
  const engine = new Engine({ ...ENGINE_DEFAULTS, samplesMax: 0, externalUrl: test.externalUrl });
  engine.setRules(rules, -Infinity);
  engine.advance(START_MS - 1);
  const records = test.logs
    .flatMap((log) =>
      Array.from({ length: log.count }, (_one, index) => ({ log, atMs: log.atMs + index * log.everyMs })),
    )
    .sort((a, b) => a.atMs - b.atMs);
  const failures: CheckFailure[] = [];
  let next = 0;
  for (const check of [...test.checks].sort((a, b) => a.evalTimeMs - b.evalTimeMs)) {
    for (; next < records.length && records[next]!.atMs <= check.evalTimeMs; next += 1) {
      const { log, atMs } = records[next]!;
      // An evaluation at the very time of a record includes it.
      engine.advance(START_MS + atMs - 1);
      engine.consume(0, next, START_MS + atMs, [recordOf(log, START_MS + atMs)]);
    }
    engine.advance(START_MS + check.evalTimeMs);
    const got = firing(engine, check);
    const expected = sorted(
      check.expected.map((one) => ({ ...one, labels: named(one.labels, check.alertname) })),
    );
    if (JSON.stringify(got) !== JSON.stringify(expected)) {
      failures.push({ alertname: check.alertname, evalTimeMs: check.evalTimeMs, expected, got });
    }
  }
  return failures;
}

/** As promtool: alerts that are pending do not count. */
function firing(engine: Engine, { alertname }: AlertCheck): ExpectedAlert[] {
  const alerts = [...engine.rules.values()]
    .filter(({ rule }) => rule.name === alertname)
    .flatMap((state) => [...state.alerts.values()])
    .filter(({ instance }) => instance.phase === 'firing');
  return sorted(alerts);
}

function named(labels: Labels, alertname: string): Labels {
  return newLabels([...Object.entries(labels), ['alertname', alertname]]);
}

function sorted(alerts: readonly ExpectedAlert[]): ExpectedAlert[] {
  const byName = (labels: Labels): Labels =>
    newLabels(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
  return alerts
    .map(({ labels, annotations }) => ({ labels: byName(labels), annotations: byName(annotations) }))
    .sort((a, b) => (formatLabels(a.labels) < formatLabels(b.labels) ? -1 : 1));
}

/** For a terminal: a line a test, with the difference where one failed, and the count at the end. */
export function formatTestReport(report: RuleTestReport): string {
  const lines: string[] = [];
  let passed = 0;
  let failed = 0;
  let unread = 0;
  for (const { file, problems, tests } of report.files) {
    lines.push(file);
    for (const problem of problems) lines.push(`  FAIL  ${formatProblem(here(problem))}`);
    if (problems.length > 0) unread += 1;
    for (const { name, failures } of tests) {
      lines.push(`  ${failures.length === 0 ? 'ok  ' : 'FAIL'}  ${name === '' ? '(without a name)' : name}`);
      for (const failure of failures) lines.push(...failureLines(failure));
      if (failures.length === 0) passed += 1;
      else failed += 1;
    }
  }
  const told = [`${passed} passed`, `${failed} failed`];
  if (unread > 0) told.push(`${counted(unread, 'file')} not run`);
  return [...lines, `${counted(passed + failed, 'test')}: ${told.join(', ')}`].join('\n');
}

function here(problem: Problem): Problem {
  return { ...problem, file: shown(problem.file) };
}

function failureLines({ alertname, evalTimeMs, expected, got }: CheckFailure): string[] {
  const linesOf = (alerts: readonly ExpectedAlert[]): string[] =>
    alerts.flatMap(({ labels, annotations }) => [
      `labels      ${formatLabels(labels)}`,
      `annotations ${formatLabels(annotations)}`,
    ]);
  const want = linesOf(expected);
  const have = linesOf(got);
  return [
    `${alertname} at ${formatDuration(evalTimeMs / 1_000)}: want ${expected.length} firing, got ${got.length} (- want, + got)`,
    ...want.map((line) => `${have.includes(line) ? ' ' : '-'} ${line}`),
    ...have.filter((line) => !want.includes(line)).map((line) => `+ ${line}`),
  ].map((line) => `        ${line}`);
}

/** What `millrace rules lint` found. Warnings do not make a rule bad. */
export interface LintReport {
  readonly ok: boolean;
  readonly files: ReadonlyArray<{
    readonly file: string;
    readonly rules: number;
    /** In a file of rule tests. */
    readonly tests: number;
    readonly problems: readonly Problem[];
    readonly warnings: readonly string[];
  }>;
}

/** Checks rule files, and rule test files for their form. */
export async function lintRules(paths: readonly string[], files: Files = nodeFiles): Promise<LintReport> {
  const { problems: missing } = await findRuleFiles(
    files,
    paths.map((path) => resolve(path)),
  );
  const loaded = await loadRuleFiles(
    files,
    paths.map((path) => resolve(path)),
    new Map(),
    INTERVAL_DEFAULT_MS,
  );
  const reports = [...loaded.values()].map(({ file, source, rules, problems }) => {
    const isTest = /_test\.ya?ml$/.test(file) && source !== '';
    if (isTest) {
      const { tests, problems: inTest } = readRuleTestFile(file, source);
      return { file, rules: 0, tests: tests.length, problems: inTest, warnings: [] };
    }
    return { file, rules: rules.length, tests: 0, problems, warnings: rules.flatMap(warningsOf) };
  });
  if (paths.length > 0 && reports.length === 0 && missing.length === 0) {
    const problem = {
      file: paths.join(' '),
      line: 0,
      column: 0,
      message: 'cannot lint: got no rule file there',
    };
    return {
      ok: false,
      files: [{ file: problem.file, rules: 0, tests: 0, problems: [problem], warnings: [] }],
    };
  }
  return { ok: reports.every(({ problems }) => problems.length === 0), files: reports };
}

function warningsOf(rule: Rule): string[] {
  const warnings: string[] = [];
  const { tree } = rule;
  const compares = tree.type === 'binary' && ['==', '!=', '>', '>=', '<', '<='].includes(tree.op);
  if (!compares) warnings.push(`${rule.name}: compares with nothing, so it fires whenever something matches`);
  if (tree.type === 'binary' && (tree.op === '<' || tree.op === '<=')) {
    warnings.push(`${rule.name}: a series without records is absent, not 0, so silence alone never fires it`);
  }
  if (rule.forMs > 0 && rule.forMs < rule.intervalMs) {
    warnings.push(`${rule.name}: for is shorter than the interval, so it acts like one interval`);
  }
  return warnings;
}

/** For a terminal and for editors: `file:line:column: problem`, and a line a file that is fine. */
export function formatLintReport(report: LintReport): string {
  const lines: string[] = [];
  let problemCount = 0;
  let warningCount = 0;
  for (const { file, rules, tests, problems, warnings } of report.files) {
    problemCount += problems.length;
    warningCount += warnings.length;
    const inOrder = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
    for (const problem of inOrder) lines.push(formatProblem(here(problem)));
    for (const warning of warnings) lines.push(`${shown(file)}: warning: ${warning}`);
    if (problems.length === 0) {
      lines.push(`${shown(file)}: ok (${tests > 0 ? counted(tests, 'test') : counted(rules, 'rule')})`);
    }
  }
  const { length } = report.files;
  const told = [counted(problemCount, 'problem'), counted(warningCount, 'warning')].join(', ');
  return [...lines, `${counted(length, 'file')}: ${told}`].join('\n');
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
