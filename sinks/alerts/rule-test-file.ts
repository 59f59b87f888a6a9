import type { Node } from 'yaml';

import { type InputLog, readInputLog } from './input-logs.ts';
import { type Labels, newLabels } from './labels.ts';
import type { Problem } from './rule.ts';
import { YamlReader } from './yaml-reader.ts';

/** A file of rule tests in promtool's form, with `input_logs` in place of series. */
export interface RuleTestFile {
  readonly ruleFiles: readonly string[];
  /** Overrides the interval of every group, as promtool does; undefined: each group's own. */
  readonly evaluationIntervalMs: number | undefined;
  readonly tests: readonly RuleTest[];
  readonly problems: readonly Problem[];
}

export interface RuleTest {
  readonly name: string;
  readonly externalUrl: string;
  readonly logs: readonly InputLog[];
  readonly checks: readonly AlertCheck[];
}

export interface AlertCheck {
  /** From the start of the test. */
  readonly evalTimeMs: number;
  readonly alertname: string;
  readonly expected: readonly ExpectedAlert[];
}

/** All labels but `alertname`, all annotations. */
export interface ExpectedAlert {
  readonly labels: Labels;
  readonly annotations: Labels;
}

const TOP_KEYS = ['rule_files', 'evaluation_interval', 'tests'];
const TEST_KEYS = ['name', 'interval', 'external_url', 'input_logs', 'alert_rule_test'];
const CHECK_KEYS = ['eval_time', 'alertname', 'exp_alerts'];

export function readRuleTestFile(file: string, source: string): RuleTestFile {
  const reader = new YamlReader(file, source);
  const top = reader.problems.length > 0 ? undefined : reader.fields(reader.root, 'test file', TOP_KEYS);
  const ruleFiles: string[] = [];
  for (const node of reader.items(top?.fields.get('rule_files'), 'rule_files')) {
    const { value } = node as { value?: unknown };
    if (typeof value === 'string') ruleFiles.push(value);
    else reader.problem(node, 'cannot read rule_files: want paths');
  }
  const tests = reader.items(top?.fields.get('tests'), 'tests').flatMap((node, index) => {
    const test = readTest(reader, node, index);
    return test ? [test] : [];
  });
  const evaluationIntervalMs = top && reader.durationMs(top, 'evaluation_interval');
  return {
    ruleFiles,
    evaluationIntervalMs: evaluationIntervalMs || undefined,
    tests,
    problems: reader.problems,
  };
}

function readTest(reader: YamlReader, node: Node, index: number): RuleTest | undefined {
  const fields = reader.fields(node, 'test', TEST_KEYS);
  if (!fields) return undefined;
  return {
    name: reader.text(fields, 'name') ?? `test ${index + 1}`,
    externalUrl: reader.text(fields, 'external_url') ?? '',
    logs: reader.items(fields.fields.get('input_logs'), 'input_logs').flatMap((item) => {
      const log = readInputLog(reader, item);
      return log ? [log] : [];
    }),
    checks: reader.items(fields.fields.get('alert_rule_test'), 'alert_rule_test').flatMap((item) => {
      const check = readCheck(reader, item);
      return check ? [check] : [];
    }),
  };
}

function readCheck(reader: YamlReader, node: Node): AlertCheck | undefined {
  const fields = reader.fields(node, 'alert_rule_test', CHECK_KEYS);
  if (!fields) return undefined;
  const expected = reader.items(fields.fields.get('exp_alerts'), 'exp_alerts').flatMap((item) => {
    const alert = reader.fields(item, 'exp_alerts', ['exp_labels', 'exp_annotations']);
    if (!alert) return [];
    const texts = (key: string): Labels =>
      newLabels([...reader.texts(alert, key)].map(([name, { text }]) => [name, text]));
    return [{ labels: texts('exp_labels'), annotations: texts('exp_annotations') }];
  });
  return {
    evalTimeMs: reader.durationMs(fields, 'eval_time') ?? 0,
    alertname: reader.text(fields, 'alertname', true) ?? '',
    expected,
  };
}
