import type { ComparisonOperator, RangeOperator, VectorOperator } from './ast.ts';

/** The words of LogQL: what the parser knows, and what it refuses by name. */
export const RANGE_OPERATORS: readonly RangeOperator[] = [
  'count_over_time',
  'rate',
  'bytes_over_time',
  'bytes_rate',
];

export const VECTOR_OPERATORS: readonly VectorOperator[] = ['sum', 'avg', 'min', 'max', 'count', 'topk'];

export const PARSERS = ['json', 'logfmt'] as const;

export const COMPARISONS: readonly ComparisonOperator[] = ['==', '!=', '>', '>=', '<', '<='];

/** Functions of Loki that are refused with a message that names them. */
export const MISSING_FUNCTIONS: ReadonlySet<string> = new Set([
  'rate_counter',
  'avg_over_time',
  'sum_over_time',
  'min_over_time',
  'max_over_time',
  'stddev_over_time',
  'stdvar_over_time',
  'quantile_over_time',
  'first_over_time',
  'last_over_time',
  'absent_over_time',
  'stddev',
  'stdvar',
  'bottomk',
  'approx_topk',
  'sort',
  'sort_desc',
  'label_replace',
]);

/** Pipeline stages of Loki that are refused likewise. */
export const MISSING_STAGES: ReadonlySet<string> = new Set([
  'regexp',
  'pattern',
  'unpack',
  'line_format',
  'label_format',
  'decolorize',
  'drop',
  'keep',
  'unwrap',
]);

/** Words between operands and after ranges that are refused likewise. */
export const MISSING_MODIFIERS: ReadonlySet<string> = new Set([
  'and',
  'or',
  'unless',
  'bool',
  'on',
  'ignoring',
  'group_left',
  'group_right',
  'offset',
]);

/** Binding strength of binary operators; `^` alone binds to the right. */
export const PRECEDENCE: ReadonlyMap<string, number> = new Map([
  ['==', 1],
  ['!=', 1],
  ['>', 1],
  ['>=', 1],
  ['<', 1],
  ['<=', 1],
  ['+', 2],
  ['-', 2],
  ['*', 3],
  ['/', 3],
  ['%', 3],
  ['^', 4],
]);
