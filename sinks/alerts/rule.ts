import type { MetricExpr } from '../logql/ast.ts';
import { fingerprint, type Labels } from './labels.ts';
import type { Template } from './template.ts';

/** One alerting rule, checked and compiled. */
export interface Rule {
  /** The same over restarts while group, name, expression, interval and labels stay; see `ruleId`. */
  readonly id: string;
  readonly file: string;
  readonly group: string;
  readonly name: string;
  /** As written. */
  readonly expr: string;
  readonly tree: MetricExpr;
  readonly intervalMs: number;
  readonly forMs: number;
  readonly keepFiringForMs: number;
  /** Most alerts at a time; more are an error of the rule. */
  readonly limit: number;
  /** As written, and compiled. */
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly templates: {
    readonly labels: ReadonlyMap<string, Template>;
    readonly annotations: ReadonlyMap<string, Template>;
  };
}

/**
 * What state belongs to. A rule whose meaning changes is another rule: its windows start anew and the alerts of
 * the old one resolve. `for` and annotations may change in place.
 */
export function ruleId(rule: Pick<Rule, 'group' | 'name' | 'expr' | 'intervalMs' | 'labels'>): string {
  const labels = Object.keys(rule.labels)
    .sort()
    .flatMap((name) => [name, rule.labels[name]!]);
  return fingerprint(rule.group, rule.name, rule.expr.trim(), String(rule.intervalMs), ...labels);
}

/** A mistake in a rule file or a rule test, with its place. */
export interface Problem {
  readonly file: string;
  /** 1-based; 0 where the mistake has no place, as for a file that cannot be read. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export function formatProblem({ file, line, column, message }: Problem): string {
  return line === 0 ? `${file}: ${message}` : `${file}:${line}:${column}: ${message}`;
}
