import type {
  BinaryOperation,
  Expr,
  Grouping,
  LogQuery,
  MetricExpr,
  RangeAggregation,
  RangeOperator,
  VectorAggregation,
  VectorOperator,
} from './ast.ts';
import { Cursor } from './cursor.ts';
import { LogqlError } from './error.ts';
import { parseLogQuery, parseStages } from './parse-pipeline.ts';
import {
  MISSING_FUNCTIONS,
  MISSING_MODIFIERS,
  PRECEDENCE,
  RANGE_OPERATORS,
  VECTOR_OPERATORS,
} from './vocabulary.ts';

/** Longer queries are refused before anything looks at them. */
export const QUERY_LENGTH_MAX = 65_536;

/**
 * Parses a LogQL query: a log query or a metric query over one. Throws `LogqlError` with the place of the
 * mistake; what Loki has and we do not is refused by name. Departure from Loki: a selector that names no
 * stream, `{}`, means all of them.
 */
export function parseQuery(source: string): Expr {
  if (source.length > QUERY_LENGTH_MAX) {
    const want = `want at most ${QUERY_LENGTH_MAX}`;
    throw new LogqlError(source, 0, `${source.length} characters`, want);
  }
  const cursor = new Cursor(source);
  const expr = parseExpr(cursor, 0);
  if (cursor.token.kind !== 'end') {
    refuseModifier(cursor);
    cursor.fail(
      expr.type === 'log' ? 'a stage or the end of the query' : 'an operator or the end of the query',
    );
  }
  return expr;
}

/** A query for lines: live tail, `millrace logs`. */
export function parseLogs(source: string): LogQuery {
  const expr = parseQuery(source);
  if (expr.type === 'log') return expr;
  throw new LogqlError(source, expr.at, 'a metric query', 'want a log query {…}');
}

/** A query for numbers: alert rules, graphs. */
export function parseMetric(source: string): MetricExpr {
  const expr = parseQuery(source);
  if (expr.type !== 'log') return expr;
  throw new LogqlError(
    source,
    expr.at,
    'a log query',
    'want a metric query such as count_over_time({…}[5m])',
  );
}

function parseExpr(cursor: Cursor, strength: number): Expr {
  return cursor.nested(() => {
    let left = parseOperand(cursor);
    for (;;) {
      const { kind, text, start } = cursor.token;
      const own = kind === 'operator' ? PRECEDENCE.get(text) : undefined;
      if (own === undefined || own <= strength) return left;
      cursor.next();
      refuseModifier(cursor);
      const right = parseExpr(cursor, text === '^' ? own - 1 : own);
      const op = text as BinaryOperation['op'];
      left = { type: 'binary', at: start, op, left: metric(cursor, left), right: metric(cursor, right) };
    }
  });
}

function parseOperand(cursor: Cursor): Expr {
  const token = cursor.token;
  if (token.kind === 'number') {
    cursor.next();
    return { type: 'number', at: token.start, value: token.value };
  }
  if (token.kind === 'identifier') return parseCall(cursor, token.text);
  if (cursor.is('{')) return parseLogQuery(cursor);
  if (cursor.accept('(')) {
    const inner = parseExpr(cursor, 0);
    if (!cursor.is(')')) refuseModifier(cursor);
    cursor.expect(')');
    return inner.type === 'log' ? { ...inner, stages: [...inner.stages, ...parseStages(cursor)] } : inner;
  }
  if (cursor.is('-') || cursor.is('+')) {
    const sign = cursor.next().text === '-' ? -1 : 1;
    const number = cursor.token;
    if (number.kind !== 'number') return cursor.fail('a number');
    cursor.next();
    return { type: 'number', at: token.start, value: sign * number.value };
  }
  return cursor.fail('a stream selector {…}, a function or a number');
}

function parseCall(cursor: Cursor, name: string): MetricExpr {
  const range = RANGE_OPERATORS.find((one) => one === name);
  if (range) return parseRange(cursor, range);
  const vector = VECTOR_OPERATORS.find((one) => one === name);
  if (vector) return parseVector(cursor, vector);
  if (MISSING_FUNCTIONS.has(name)) cursor.refuse(name);
  if (name !== 'vector') {
    const known = [...RANGE_OPERATORS, ...VECTOR_OPERATORS, 'vector'].join(', ');
    return cursor.fail(`a stream selector {…} or one of ${known}`);
  }
  const at = cursor.next().start;
  cursor.expect('(');
  const value = parseOperand(cursor);
  if (value.type !== 'number') {
    throw new LogqlError(cursor.source, value.at, nameOf(value), 'want a number');
  }
  cursor.expect(')');
  return { type: 'vectorLiteral', at, value: value.value };
}

function parseRange(cursor: Cursor, op: RangeOperator): RangeAggregation {
  const at = cursor.next().start;
  cursor.expect('(');
  const { query, rangeMs } = parseLogRange(cursor);
  if (rangeMs === undefined) return cursor.fail('a range such as [5m]');
  cursor.expect(')');
  if (cursor.isWord('by') || cursor.isWord('without')) {
    cursor.fail(`sum ${cursor.token.text} (…) (${op}(…)): ${op} takes no grouping`);
  }
  return { type: 'range', at, op, query, rangeMs };
}

// The range may stand behind the selector, behind its stages, or behind parentheses around both.
function parseLogRange(cursor: Cursor): { query: LogQuery; rangeMs: number | undefined } {
  return cursor.nested(() => {
    let query: LogQuery;
    let rangeMs: number | undefined;
    if (cursor.accept('(')) {
      ({ query, rangeMs } = parseLogRange(cursor));
      cursor.expect(')');
    } else {
      query = parseLogQuery(cursor);
    }
    if (rangeMs === undefined && cursor.is('[')) {
      rangeMs = parseBrackets(cursor);
      query = { ...query, stages: [...query.stages, ...parseStages(cursor)] };
    }
    if (cursor.isWord('offset')) cursor.refuse('offset');
    return { query, rangeMs };
  });
}

function parseBrackets(cursor: Cursor): number {
  cursor.expect('[');
  const token = cursor.token;
  if (token.kind !== 'duration' || token.value < 0.001) return cursor.fail('a duration such as 5m');
  cursor.next();
  cursor.expect(']');
  return Math.round(token.value * 1_000);
}

function parseVector(cursor: Cursor, op: VectorOperator): VectorAggregation {
  const at = cursor.next().start;
  const before = parseGrouping(cursor);
  cursor.expect('(', before ? '(' : '(, by or without');
  let param: number | undefined;
  if (op === 'topk') {
    const token = cursor.token;
    if (token.kind !== 'number' || !Number.isInteger(token.value) || token.value < 1) {
      return cursor.fail('a positive whole number');
    }
    param = token.value;
    cursor.next();
    cursor.expect(',');
  }
  const expr = metric(cursor, parseExpr(cursor, 0));
  refuseModifier(cursor);
  cursor.expect(')');
  const grouping = before ?? parseGrouping(cursor);
  return {
    type: 'vector',
    at,
    op,
    ...(param === undefined ? {} : { param }),
    ...(grouping ? { grouping } : {}),
    expr,
  };
}

function parseGrouping(cursor: Cursor): Grouping | undefined {
  const mode = cursor.isWord('by') ? 'by' : cursor.isWord('without') ? 'without' : undefined;
  if (!mode) return undefined;
  cursor.next();
  cursor.expect('(');
  const labels: string[] = [];
  while (!cursor.is(')')) {
    labels.push(cursor.identifier('a label name or )').text);
    if (!cursor.accept(',') && !cursor.is(')')) cursor.fail(', or )');
  }
  cursor.expect(')');
  return { mode, labels };
}

function metric(cursor: Cursor, expr: Expr): MetricExpr {
  if (expr.type !== 'log') return expr;
  throw new LogqlError(
    cursor.source,
    expr.at,
    'a log query',
    'want a metric query such as count_over_time({…}[5m])',
  );
}

function refuseModifier(cursor: Cursor): void {
  const { kind, text } = cursor.token;
  if (kind === 'identifier' && MISSING_MODIFIERS.has(text)) cursor.refuse(text);
}

function nameOf(expr: Expr): string {
  return expr.type === 'log' ? 'a log query' : expr.type === 'number' ? 'a number' : 'an expression';
}
