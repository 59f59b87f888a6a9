import type { Node } from 'yaml';

import type { MetricExpr } from '../logql/ast.ts';
import { LogqlError } from '../logql/error.ts';
import { parseMetric } from '../logql/parse.ts';
import { newLabels } from './labels.ts';
import { planExpression } from './plan.ts';
import { type Problem, type Rule, ruleId } from './rule.ts';
import { compileTemplate, type Template } from './template.ts';
import { type Fields, YamlReader } from './yaml-reader.ts';

/** Judged this often unless the group says otherwise. */
export const INTERVAL_DEFAULT_MS = 15_000;
/** A shorter interval would cost more than it tells: what cannot wait fires on the record itself. */
const INTERVAL_MIN_MS = 1_000;
/** Alerts of one rule where the group sets no limit: beyond it a label with too many values is to blame. */
const LIMIT_DEFAULT = 1_000;
/** Windows are kept in memory and in the stored state. */
const RANGE_MAX_MS = 7 * 86_400_000;

export interface RuleFile {
  readonly rules: readonly Rule[];
  readonly problems: readonly Problem[];
}

/** Reads a Prometheus or Loki rule file with LogQL expressions. A rule with a problem is not among `rules`. */
export function readRuleFile(
  file: string,
  source: string,
  intervalDefaultMs = INTERVAL_DEFAULT_MS,
): RuleFile {
  const reader = new YamlReader(file, source);
  const rules: Rule[] = [];
  // An empty file is a file without rules.
  if (reader.problems.length > 0 || !reader.root) return { rules, problems: reader.problems };
  const top = reader.fields(reader.root, 'rule file', ['groups']);
  const names = new Set<string>();
  for (const node of reader.items(top?.fields.get('groups'), 'groups')) {
    const group = readGroup(reader, file, node, intervalDefaultMs);
    if (!group) continue;
    if (names.has(group.name))
      reader.problem(node, `cannot use group ${group.name}: got the name twice in this file`);
    names.add(group.name);
    rules.push(...group.rules);
  }
  return { rules, problems: reader.problems };
}

const GROUP_KEYS = ['name', 'interval', 'limit', 'query_offset', 'labels', 'rules'];
const RULE_KEYS = ['alert', 'record', 'expr', 'for', 'keep_firing_for', 'labels', 'annotations'];

function readGroup(
  reader: YamlReader,
  file: string,
  node: Node,
  intervalDefaultMs: number,
): { name: string; rules: Rule[] } | undefined {
  const fields = reader.fields(node, 'group', GROUP_KEYS);
  if (!fields) return undefined;
  const name = reader.text(fields, 'name', true) ?? '';
  if (fields.fields.has('query_offset')) {
    reader.problem(
      fields.fields.get('query_offset'),
      'query_offset is not supported: late records are waited for by event time',
    );
  }
  let intervalMs = reader.durationMs(fields, 'interval') || intervalDefaultMs;
  if (intervalMs < INTERVAL_MIN_MS) {
    reader.problem(fields.fields.get('interval'), 'cannot use interval: got less than 1s, want 1s or more');
    intervalMs = INTERVAL_MIN_MS;
  }
  const shared = {
    file,
    group: name,
    intervalMs,
    limit: reader.whole(fields, 'limit') || LIMIT_DEFAULT,
    groupLabels: reader.texts(fields, 'labels'),
  };
  const ids = new Set<string>();
  const rules: Rule[] = [];
  for (const item of reader.items(fields.fields.get('rules'), 'rules')) {
    const before = reader.problems.length;
    const rule = readRule(reader, item, shared);
    if (!rule || reader.problems.length > before) continue;
    if (ids.has(rule.id))
      reader.problem(item, `cannot use alert ${rule.name}: got the same rule twice in its group`);
    else rules.push(rule);
    ids.add(rule.id);
  }
  return { name, rules };
}

interface GroupSettings {
  readonly file: string;
  readonly group: string;
  readonly intervalMs: number;
  readonly limit: number;
  readonly groupLabels: ReturnType<YamlReader['texts']>;
}

function readRule(reader: YamlReader, node: Node, shared: GroupSettings): Rule | undefined {
  const fields = reader.fields(node, 'rule', RULE_KEYS);
  if (!fields) return undefined;
  if (fields.fields.has('record')) {
    reader.problem(fields.fields.get('record'), 'recording rules are not supported yet: want alert');
    return undefined;
  }
  const { groupLabels, ...group } = shared;
  const name = reader.text(fields, 'alert', true) ?? '';
  const expr = reader.text(fields, 'expr', true) ?? '';
  const tree = readExpression(reader, fields, expr, group.intervalMs);
  const labels = new Map([...groupLabels, ...reader.texts(fields, 'labels')]);
  const annotations = reader.texts(fields, 'annotations');
  const reserved = labels.get('alertname');
  if (reserved)
    reader.problem(reserved.node, 'cannot use label alertname: the name of the rule is put there');
  const templates = {
    labels: compileTexts(reader, labels),
    annotations: compileTexts(reader, annotations),
  };
  if (!tree) return undefined;
  const rule = {
    ...group,
    name,
    expr,
    tree,
    forMs: reader.durationMs(fields, 'for') ?? 0,
    keepFiringForMs: reader.durationMs(fields, 'keep_firing_for') ?? 0,
    labels: plain(labels),
    annotations: plain(annotations),
    templates,
  };
  return { ...rule, id: ruleId(rule) };
}

function readExpression(
  reader: YamlReader,
  fields: Fields,
  expr: string,
  intervalMs: number,
): MetricExpr | undefined {
  const node = fields.fields.get('expr');
  if (expr.trim() === '') {
    if (node) reader.problem(node, 'cannot read expr of rule: got nothing, want LogQL');
    return undefined;
  }
  try {
    const tree = parseMetric(expr);
    const { windows } = planExpression(tree, intervalMs);
    if (windows.some((window) => window.rangeMs > RANGE_MAX_MS)) {
      reader.problem(node, 'cannot use expr: got a range over 7d, want at most that');
      return undefined;
    }
    return tree;
  } catch (error) {
    reader.problem(node, messageOf(error), error instanceof LogqlError ? error.offset : 0);
    return undefined;
  }
}

function compileTexts(
  reader: YamlReader,
  texts: ReturnType<YamlReader['texts']>,
): ReadonlyMap<string, Template> {
  const compiled = new Map<string, Template>();
  for (const [name, { text, node }] of texts) {
    try {
      compiled.set(name, compileTemplate(text));
    } catch (error) {
      reader.problem(node, `${name}: ${messageOf(error)}`);
    }
  }
  return compiled;
}

function plain(texts: ReturnType<YamlReader['texts']>): Record<string, string> {
  return newLabels([...texts].map(([name, { text }]) => [name, text]));
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
