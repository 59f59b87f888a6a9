import {
  type BinaryOperation,
  isComparison,
  type MetricExpr,
  namesWithin,
  type VectorAggregation,
} from '../logql/ast.ts';
import { calculate, compare } from '../logql/operators.ts';
import { type Labels, labelsKey, newLabels } from './labels.ts';
import { Window } from './window.ts';

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** By `labelsKey`. */
export type Vector = Map<string, Sample>;

/**
 * A rule's expression, ready to run: windows that records flow into, and their evaluation at a time.
 */
export interface Plan {
  readonly windows: readonly Window[];
  /** The result at a multiple of the rule's interval. */
  readonly evaluate: (atMs: number) => Vector;
  /**
   * For `window > threshold`, where more records can only raise the left side: once it holds for a window that
   * is still open it holds when that window is judged, so there is nothing to wait for.
   */
  readonly early: { readonly holds: (value: number) => number | undefined } | undefined;
}

type Result = Vector | number;
type Node = (atMs: number) => Result;

/** Throws where the expression has no series to alert on. */
export function planExpression(expr: MetricExpr, intervalMs: number): Plan {
  const windows: Window[] = [];
  const run = compile(expr, intervalMs, windows, []);
  if (isScalar(expr)) {
    throw new Error(
      'cannot alert on a number: got an expression without series, want one with a range aggregation',
    );
  }
  return {
    windows,
    evaluate: (atMs) => {
      const result = run(atMs);
      return typeof result === 'number' ? new Map() : result;
    },
    early: earlyCondition(expr),
  };
}

/** `names`: labels that the aggregations around this expression group by. */
function compile(expr: MetricExpr, intervalMs: number, windows: Window[], names: readonly string[]): Node {
  switch (expr.type) {
    case 'number':
      return () => expr.value;
    case 'vectorLiteral':
      return () => new Map([['', { labels: newLabels(), value: expr.value }]]);
    case 'range':
      return compileWindow(new Window(expr, { streamsAnd: names }, intervalMs), windows);
    case 'vector':
      if (expr.op === 'sum' && expr.expr.type === 'range') {
        const without = expr.grouping?.mode === 'without' ? expr.grouping.labels : undefined;
        const partition = without
          ? { streamsAnd: namesWithin(expr, names), without }
          : { by: expr.grouping?.labels ?? [] };
        return compileWindow(new Window(expr.expr, partition, intervalMs), windows);
      }
      return compileAggregation(expr, compile(expr.expr, intervalMs, windows, namesWithin(expr, names)));
    case 'binary': {
      const left = compile(expr.left, intervalMs, windows, names);
      const right = compile(expr.right, intervalMs, windows, names);
      return (atMs) => combine(expr.op, left(atMs), right(atMs));
    }
  }
}

function compileWindow(window: Window, windows: Window[]): Node {
  windows.push(window);
  return (atMs) => {
    const vector: Vector = new Map();
    for (const [key, series] of window.series) {
      const value = window.valueAt(series, atMs);
      if (value !== undefined) vector.set(key, { labels: series.labels, value });
    }
    return vector;
  };
}

function compileAggregation(expr: VectorAggregation, inner: Node): Node {
  return (atMs) => {
    const result = inner(atMs);
    if (typeof result === 'number') return new Map();
    const groups = new Map<string, { labels: Labels; samples: Sample[] }>();
    for (const sample of result.values()) {
      const labels = groupLabels(expr, sample.labels);
      const key = labelsKey(labels);
      const group = groups.get(key);
      if (group) group.samples.push(sample);
      else groups.set(key, { labels, samples: [sample] });
    }
    const vector: Vector = new Map();
    for (const [key, { labels, samples }] of groups) {
      if (expr.op === 'topk') {
        // Of equal values the one whose labels come first, so that a run can be repeated.
        const ranked = samples.map((sample) => ({ key: labelsKey(sample.labels), sample }));
        ranked.sort((a, b) => b.sample.value - a.sample.value || (a.key < b.key ? -1 : 1));
        for (const one of ranked.slice(0, expr.param)) vector.set(one.key, one.sample);
      } else {
        vector.set(key, { labels, value: aggregate(expr.op, samples) });
      }
    }
    return vector;
  };
}

function groupLabels({ grouping }: VectorAggregation, labels: Labels): Labels {
  if (!grouping) return newLabels();
  if (grouping.mode === 'by') return newLabels(grouping.labels.map((name) => [name, labels[name] ?? '']));
  return newLabels(Object.entries(labels).filter(([name]) => !grouping.labels.includes(name)));
}

function aggregate(op: Exclude<VectorAggregation['op'], 'topk'>, samples: readonly Sample[]): number {
  const values = samples.map(({ value }) => value);
  const sum = (): number => values.reduce((total, value) => total + value, 0);
  switch (op) {
    case 'sum':
      return sum();
    case 'avg':
      return sum() / values.length;
    case 'min':
      return Math.min(...values);
    case 'max':
      return Math.max(...values);
    case 'count':
      return values.length;
  }
}

function combine(op: BinaryOperation['op'], left: Result, right: Result): Result {
  if (typeof left === 'number' && typeof right === 'number') {
    return isComparison(op) ? Number(compare(op, left, right)) : calculate(op, left, right);
  }
  const vector: Vector = new Map();
  const put = (key: string, labels: Labels, a: number, b: number, kept: number): void => {
    if (!isComparison(op)) {
      const value = calculate(op, a, b);
      // Nothing by nothing is no sample, here as in queries.
      if (!Number.isNaN(value)) vector.set(key, { labels, value });
    } else if (compare(op, a, b)) vector.set(key, { labels, value: kept });
  };
  if (typeof left === 'number') {
    for (const [key, { labels, value }] of right as Vector) put(key, labels, left, value, value);
  } else if (typeof right === 'number') {
    for (const [key, { labels, value }] of left) put(key, labels, value, right, value);
  } else {
    for (const [key, { labels, value }] of left) {
      const other = right.get(key);
      if (other) put(key, labels, value, other.value, value);
    }
  }
  return vector;
}

function isScalar(expr: MetricExpr): boolean {
  return expr.type === 'number' || (expr.type === 'binary' && isScalar(expr.left) && isScalar(expr.right));
}

// Only `window > number` and `window >= number`: there the labels of the window are those of the alert.
function earlyCondition(expr: MetricExpr): Plan['early'] {
  if (expr.type !== 'binary' || (expr.op !== '>' && expr.op !== '>=')) return undefined;
  const { op, left, right } = expr;
  const isWindow =
    left.type === 'range' || (left.type === 'vector' && left.op === 'sum' && left.expr.type === 'range');
  if (!isWindow || right.type !== 'number') return undefined;
  return { holds: (value) => (compare(op, value, right.value) ? value : undefined) };
}
