/** LogQL's metric queries over stored logs: windows from ClickHouse, everything around them here, step by step. */
import { labelsKey } from '../../sinks/alerts/labels.ts';
import {
  type BinaryOperation,
  type Grouping,
  type MetricExpr,
  type VectorAggregation,
  isComparison,
  namesWithin,
} from '../../sinks/logql/ast.ts';
import { calculate, compare } from '../../sinks/logql/operators.ts';
import type { ClickHouseReader } from './clickhouse-reader.ts';
import { type Series, type Steps, emptyValues, rangeSeries, rated } from './log-windows.ts';

/** A number is the same at every step. */
export type MetricResult = Series[] | number;

export function evaluateMetric(
  clickhouse: ClickHouseReader,
  expr: MetricExpr,
  steps: Steps,
  signal?: AbortSignal,
): Promise<MetricResult> {
  return evaluate(clickhouse, expr, [], steps, signal);
}

/** `names`: labels that the aggregations around this expression group by. */
async function evaluate(
  clickhouse: ClickHouseReader,
  expr: MetricExpr,
  names: readonly string[],
  steps: Steps,
  signal: AbortSignal | undefined,
): Promise<MetricResult> {
  switch (expr.type) {
    case 'number':
      return expr.value;
    case 'vectorLiteral':
      return [{ labels: {}, values: emptyValues(steps).fill(expr.value) }];
    case 'range':
      return rated(expr, await rangeSeries(clickhouse, expr, { streamsAnd: names }, steps, signal));
    case 'vector': {
      if (expr.op === 'sum' && expr.expr.type === 'range') {
        // Added up before a rate is made of it, as rules do it: equal to the last digit.
        const isWithout = expr.grouping?.mode === 'without';
        const partition = isWithout
          ? { streamsAnd: namesWithin(expr, names) }
          : { by: expr.grouping?.labels ?? [] };
        const series = await rangeSeries(clickhouse, expr.expr, partition, steps, signal);
        return rated(expr.expr, isWithout ? aggregate(expr, series, steps) : series);
      }
      const inner = await evaluate(clickhouse, expr.expr, namesWithin(expr, names), steps, signal);
      if (typeof inner === 'number') return [];
      return expr.op === 'topk' ? topk(expr, inner, steps) : aggregate(expr, inner, steps);
    }
    case 'binary': {
      const [left, right] = await Promise.all([
        evaluate(clickhouse, expr.left, names, steps, signal),
        evaluate(clickhouse, expr.right, names, steps, signal),
      ]);
      return combine(expr.op, left, right, steps);
    }
  }
}

interface Group {
  readonly labels: Series['labels'];
  readonly members: Series[];
}

function groups(grouping: Grouping | undefined, series: readonly Series[]): Group[] {
  const found = new Map<string, Group>();
  for (const one of series) {
    const labels = groupLabels(grouping, one.labels);
    const key = labelsKey(labels);
    const group = found.get(key);
    if (group) group.members.push(one);
    else found.set(key, { labels, members: [one] });
  }
  return [...found.values()];
}

function groupLabels(grouping: Grouping | undefined, labels: Series['labels']): Series['labels'] {
  if (!grouping) return {};
  const by = grouping.mode === 'by';
  return Object.fromEntries(Object.entries(labels).filter(([name]) => grouping.labels.includes(name) === by));
}

function aggregate(expr: VectorAggregation, series: readonly Series[], steps: Steps): Series[] {
  return groups(expr.grouping, series).map(({ labels, members }) => {
    const values = emptyValues(steps);
    for (let i = 0; i < steps.count; i += 1) {
      let count = 0;
      let sum = 0;
      let least = Number.POSITIVE_INFINITY;
      let most = Number.NEGATIVE_INFINITY;
      for (const member of members) {
        const value = member.values[i]!;
        if (Number.isNaN(value)) continue;
        count += 1;
        sum += value;
        least = Math.min(least, value);
        most = Math.max(most, value);
      }
      if (count === 0) continue;
      if (expr.op === 'sum') values[i] = sum;
      else if (expr.op === 'avg') values[i] = sum / count;
      else if (expr.op === 'min') values[i] = least;
      else if (expr.op === 'max') values[i] = most;
      else values[i] = count;
    }
    return { labels, values };
  });
}

/** Per group and step the k largest; of equal ones that whose labels come first. */
function topk(expr: VectorAggregation, series: readonly Series[], steps: Steps): Series[] {
  const kept = new Map<Series, Float64Array>();
  for (const { members } of groups(expr.grouping, series)) {
    const ranked = members
      .map((member) => ({ member, key: labelsKey(member.labels) }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    for (let i = 0; i < steps.count; i += 1) {
      ranked
        .filter(({ member }) => !Number.isNaN(member.values[i]!))
        .sort((a, b) => b.member.values[i]! - a.member.values[i]!)
        .slice(0, expr.param)
        .forEach(({ member }) => {
          const values = kept.get(member) ?? emptyValues(steps);
          values[i] = member.values[i]!;
          kept.set(member, values);
        });
    }
  }
  return [...kept].map(([{ labels }, values]) => ({ labels, values }));
}

function combine(
  op: BinaryOperation['op'],
  left: MetricResult,
  right: MetricResult,
  steps: Steps,
): MetricResult {
  if (typeof left === 'number') {
    if (typeof right === 'number') {
      return isComparison(op) ? Number(compare(op, left, right)) : calculate(op, left, right);
    }
    return right.map(({ labels, values }) => {
      return { labels, values: values.map((value) => operate(op, left, value, value)) };
    });
  }
  if (typeof right === 'number') {
    return left.map(({ labels, values }) => {
      return { labels, values: values.map((value) => operate(op, value, right, value)) };
    });
  }
  const others = new Map(right.map((one) => [labelsKey(one.labels), one]));
  return left.flatMap(({ labels, values }) => {
    const other = others.get(labelsKey(labels));
    if (!other) return [];
    const combined = emptyValues(steps);
    for (let i = 0; i < steps.count; i += 1)
      combined[i] = operate(op, values[i]!, other.values[i]!, values[i]!);
    return [{ labels, values: combined }];
  });
}

/** A comparison keeps `kept` where it holds. */
function operate(op: BinaryOperation['op'], a: number, b: number, kept: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.NaN;
  if (!isComparison(op)) return calculate(op, a, b);
  return compare(op, a, b) ? kept : Number.NaN;
}
