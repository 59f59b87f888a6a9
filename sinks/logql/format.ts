import type { Expr, Grouping, LabelFilter, Matcher, Stage } from './ast.ts';
import { formatDuration } from './units.ts';
import { PRECEDENCE } from './vocabulary.ts';

/** The query as text in one canonical form: parsing it again gives the same tree. */
export function formatQuery(expr: Expr): string {
  switch (expr.type) {
    case 'log':
      return [formatSelector(expr.matchers), ...expr.stages.map(formatStage)].join(' ');
    case 'range':
      return `${expr.op}(${formatQuery(expr.query)} [${formatDuration(expr.rangeMs / 1_000)}])`;
    case 'vector': {
      const param = expr.param === undefined ? '' : `${expr.param}, `;
      return `${expr.op}${formatGrouping(expr.grouping)}(${param}${formatQuery(expr.expr)})`;
    }
    case 'binary':
      return `${formatOperand(expr.left, expr.op)} ${expr.op} ${formatOperand(expr.right, expr.op)}`;
    case 'number':
      return String(expr.value);
    case 'vectorLiteral':
      return `vector(${expr.value})`;
  }
}

/** `{service_name="checkout", level!="debug"}` */
export function formatSelector(matchers: readonly Matcher[]): string {
  return `{${matchers.map(({ name, op, value }) => `${name}${op}${quote(value)}`).join(', ')}}`;
}

/** Nested operations always get parentheses where they are not plainly stronger. */
function formatOperand(operand: Expr, op: string): string {
  const text = formatQuery(operand);
  if (operand.type !== 'binary') return text;
  return PRECEDENCE.get(operand.op)! > PRECEDENCE.get(op)! ? text : `(${text})`;
}

function formatStage(stage: Stage): string {
  switch (stage.type) {
    case 'lineFilter':
      return `${stage.op} ${stage.values.map(quote).join(' or ')}`;
    case 'parser':
      return `| ${stage.parser}`;
    case 'labelFilter':
      return `| ${formatFilter(stage.filter)}`;
  }
}

function formatFilter(filter: LabelFilter): string {
  switch (filter.type) {
    case 'string':
      return `${filter.name}${filter.op}${quote(filter.value)}`;
    case 'number': {
      const sign = filter.value < 0 ? '-' : '';
      const size = Math.abs(filter.value);
      const text =
        filter.unit === 'duration'
          ? formatDuration(size)
          : filter.unit === 'bytes'
            ? `${size}B`
            : String(size);
      return `${filter.name} ${filter.op} ${sign}${text}`;
    }
    case 'and':
    case 'or':
      return `(${formatFilter(filter.left)} ${filter.type} ${formatFilter(filter.right)})`;
  }
}

function formatGrouping(grouping: Grouping | undefined): string {
  return grouping ? ` ${grouping.mode} (${grouping.labels.join(', ')}) ` : '';
}

// JSON's escapes are a subset of Go's, except for the surrogates that neither needs.
function quote(value: string): string {
  return JSON.stringify(value).replaceAll('\u007f', '\\u007f');
}
