/**
 * The syntax tree of a LogQL query, as the parser gives it: checked, with every regular expression compiled
 * once for validity, and plain data throughout (it may be cloned or stored as JSON).
 *
 * `at` is the offset of a node's first character in the query text, for messages.
 */
export type Expr = LogQuery | MetricExpr;

export type MetricExpr =
  | RangeAggregation
  | VectorAggregation
  | BinaryOperation
  | NumberLiteral
  | VectorLiteral;

/** `{service_name="checkout"} |= "declined" | json | status >= 500` */
export interface LogQuery {
  readonly type: 'log';
  readonly at: number;
  /** Empty for `{}`: every stream. All must hold. */
  readonly matchers: readonly Matcher[];
  /** Applied left to right. */
  readonly stages: readonly Stage[];
}

export type MatchOperator = '=' | '!=' | '=~' | '!~';

/** A missing label reads as the empty string. Regular expressions are anchored at both ends. */
export interface Matcher {
  readonly at: number;
  readonly name: string;
  readonly op: MatchOperator;
  readonly value: string;
}

export type Stage = LineFilter | ParserStage | LabelFilterStage;

export type LineOperator = '|=' | '!=' | '|~' | '!~';

/**
 * `|= "a" or "b"`: the line contains any of the values; `!= "a" or "b"`: none of them. Regular expressions
 * match anywhere in the line.
 */
export interface LineFilter {
  readonly type: 'lineFilter';
  readonly at: number;
  readonly op: LineOperator;
  /** At least one. */
  readonly values: readonly string[];
}

/** Extracts labels from the line; what cannot be parsed keeps its record and gets the label `__error__`. */
export interface ParserStage {
  readonly type: 'parser';
  readonly at: number;
  readonly parser: 'json' | 'logfmt';
}

export interface LabelFilterStage {
  readonly type: 'labelFilter';
  readonly at: number;
  readonly filter: LabelFilter;
}

export type LabelFilter =
  | StringFilter
  | NumberFilter
  | {
      readonly type: 'and' | 'or';
      readonly at: number;
      readonly left: LabelFilter;
      readonly right: LabelFilter;
    };

/** As a stream matcher, over stream labels, structured metadata and extracted labels. */
export interface StringFilter {
  readonly type: 'string';
  readonly at: number;
  readonly name: string;
  readonly op: MatchOperator;
  readonly value: string;
}

export type ComparisonOperator = '==' | '!=' | '>' | '>=' | '<' | '<=';

/** A record without the label, or with a value that is not of the unit, does not match. */
export interface NumberFilter {
  readonly type: 'number';
  readonly at: number;
  readonly name: string;
  readonly op: ComparisonOperator;
  /** How the label's text is read; `value` is in seconds for durations, bytes for bytes. */
  readonly unit: 'number' | 'duration' | 'bytes';
  readonly value: number;
}

export type RangeOperator = 'count_over_time' | 'rate' | 'bytes_over_time' | 'bytes_rate';

/** `count_over_time({…} [5m])`: over the window (t - range, t]. Rates are per second. */
export interface RangeAggregation {
  readonly type: 'range';
  readonly at: number;
  readonly op: RangeOperator;
  readonly query: LogQuery;
  readonly rangeMs: number;
}

export type VectorOperator = 'sum' | 'avg' | 'min' | 'max' | 'count' | 'topk';

export interface Grouping {
  readonly mode: 'by' | 'without';
  readonly labels: readonly string[];
}

/** `sum by (level) (…)`. Without a grouping everything falls into one group without labels. */
export interface VectorAggregation {
  readonly type: 'vector';
  readonly at: number;
  readonly op: VectorOperator;
  /** k of topk, a positive integer; absent otherwise. */
  readonly param?: number;
  readonly grouping?: Grouping;
  readonly expr: MetricExpr;
}

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '^';

/**
 * Arithmetic matches series with equal labels, one to one. A comparison filters: the left value stays where
 * it holds; between two literals it gives 0 or 1.
 */
export interface BinaryOperation {
  readonly type: 'binary';
  readonly at: number;
  readonly op: ArithmeticOperator | ComparisonOperator;
  readonly left: MetricExpr;
  readonly right: MetricExpr;
}

export interface NumberLiteral {
  readonly type: 'number';
  readonly at: number;
  readonly value: number;
}

/** `vector(1)`: one series without labels. */
export interface VectorLiteral {
  readonly type: 'vectorLiteral';
  readonly at: number;
  readonly value: number;
}

export function isComparison(op: BinaryOperation['op']): op is ComparisonOperator {
  return op === '==' || op === '!=' || op === '>' || op === '>=' || op === '<' || op === '<=';
}

/**
 * The labels that tell the series within an aggregation apart beside those of their streams, `around` being those
 * that matter outside of it: what is grouped by must be there to group by, also where it is metadata of records.
 */
export function namesWithin(
  { op, grouping }: VectorAggregation,
  around: readonly string[],
): readonly string[] {
  const own = grouping?.mode === 'by' ? grouping.labels : [];
  // Only topk hands on its members; what the others give has no labels but those of their grouping.
  if (op === 'topk') return [...around, ...own];
  return grouping?.mode === 'without' ? around.filter((name) => !grouping.labels.includes(name)) : own;
}

/** The range aggregations of a metric expression, left to right. */
export function rangesOf(expr: MetricExpr): RangeAggregation[] {
  switch (expr.type) {
    case 'range':
      return [expr];
    case 'vector':
      return rangesOf(expr.expr);
    case 'binary':
      return [...rangesOf(expr.left), ...rangesOf(expr.right)];
    case 'number':
    case 'vectorLiteral':
      return [];
  }
}
