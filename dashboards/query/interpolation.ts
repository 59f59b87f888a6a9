/**
 * Template variables in a dashboard's SQL: `$name`, `${name}`, `${name:format}`, `[[name]]`, Grafana's own
 * (`$__from`, `$__interval_ms`, …) and `$__conditionalAll`. What Grafana does in the browser is done here,
 * so that SQL never leaves the server and no value can become SQL.
 *
 * Deviations from Grafana, all towards safety: every quoting format escapes backslashes too (in ClickHouse a
 * backslash escapes the quote after it); without a format, text outside quotes becomes a literal; the other
 * formats outside quotes take only numbers and plain words; comments and heredocs are left alone; values are
 * never looked at again for variables or macros.
 */
import type { TimeContext } from './macros.ts';
import { QueryError } from './query-error.ts';
import { closingParenthesis, escapeIn, splitArguments, sqlLiteral, sqlPieces } from './sql-text.ts';

/** One value, or those of a multi-value variable; `$__all` stands for all. */
export type VariableValue = string | readonly string[];

export type Variables = Readonly<Record<string, VariableValue>>;

const ALL = '$__all';

/**
 * `allValues` has, by name, what `$__all` means where SQL uses the variable outside of `$__conditionalAll`:
 * the known options.
 */
export function interpolate(
  sql: string,
  variables: Variables,
  time: TimeContext,
  allValues: Readonly<Record<string, readonly string[]>> = {},
): string {
  const resolve = (name: string, format: string | undefined): string | readonly string[] | undefined => {
    const global = globalValue(name, format, time);
    if (global !== undefined) return global;
    if (!Object.hasOwn(variables, name)) return undefined;
    const value = variables[name]!;
    if (!isAll(value) || value.length === 0) return value;
    const all = Object.hasOwn(allValues, name) ? allValues[name] : undefined;
    if (!all) {
      throw new QueryError(
        400,
        `cannot use variable ${name}: got "All", want chosen values or $__conditionalAll in the query`,
      );
    }
    return all;
  };
  return sqlPieces(conditionalAll(sql, variables))
    .map(({ kind, text }) => {
      if (kind === 'comment' || kind === 'heredoc') return text;
      return text.replaceAll(REFERENCE, (reference, ...groups: Array<string | undefined>) => {
        const [braced, bracedFormat, bracketed, bracketedFormat, plain] = groups;
        const name = braced ?? bracketed ?? plain ?? '';
        const format = bracedFormat ?? bracketedFormat;
        const value = resolve(name, format);
        if (value === undefined) return reference;
        if (kind === 'string') return inQuotes(value, format, "'");
        if (kind === 'identifier') return inQuotes(value, format, text[0]!);
        return outsideQuotes(name, value, format);
      });
    })
    .join('');
}

const REFERENCE = /\$\{([\w.]+)(?::([^}]*))?\}|\[\[([\w.]+)(?::([^\]]*))?\]\]|\$(\w+)/g;

/** Empty, or everything chosen. */
function isAll(value: VariableValue): boolean {
  return typeof value === 'string'
    ? value === '' || value === ALL
    : value.length === 0 || value.includes(ALL) || (value.length === 1 && value[0] === '');
}

const CONDITIONAL = '$__conditionalAll(';

/** Decided on the raw value, before it is formatted; the last first, so that they may nest. */
function conditionalAll(sql: string, variables: Variables): string {
  let text = sql;
  for (let at = text.lastIndexOf(CONDITIONAL); at !== -1; at = text.lastIndexOf(CONDITIONAL)) {
    const open = at + CONDITIONAL.length - 1;
    const close = closingParenthesis(text, open);
    const args = close === -1 ? [] : splitArguments(text.slice(open + 1, close));
    const reference = args.pop();
    const name = /^(?:\$\{?|\[\[)([\w.]+)/.exec(reference ?? '')?.[1];
    if (name === undefined || args.length === 0) {
      throw new QueryError(400, 'cannot expand $__conditionalAll: want (condition, $variable)');
    }
    const value = Object.hasOwn(variables, name) ? variables[name]! : '';
    text = text.slice(0, at) + (isAll(value) ? '1=1' : args.join(', ')) + text.slice(close + 1);
  }
  return text;
}

function globalValue(name: string, format: string | undefined, time: TimeContext): string | undefined {
  const rangeMs = time.toMs - time.fromMs;
  switch (name) {
    case '__from':
      return dateFormat(time.fromMs, format);
    case '__to':
      return dateFormat(time.toMs, format);
    case '__range':
      return `${Math.round(rangeMs / 1000)}s`;
    case '__range_s':
      return String(Math.round(rangeMs / 1000));
    case '__range_ms':
      return String(rangeMs);
    case '__interval':
      return time.intervalText;
    case '__interval_ms':
      return String(time.intervalMs);
    // Four samples' worth, as Prometheus users have it, with the 15 s that Grafana assumes between samples.
    case '__rate_interval':
      return `${Math.max(Math.round(time.intervalMs / 1000) + 15, 60)}s`;
    default:
      return undefined;
  }
}

function dateFormat(ms: number, format: string | undefined): string {
  if (format === undefined) return String(ms);
  if (format === 'date' || format === 'date:iso') return new Date(ms).toISOString();
  if (format === 'date:seconds') return String(Math.floor(ms / 1000));
  throw new QueryError(400, `cannot format a time: got ${format}, want date:iso or date:seconds`);
}

const list = (value: VariableValue): readonly string[] => (typeof value === 'string' ? [value] : value);

function inQuotes(value: VariableValue, format: string | undefined, quote: string): string {
  return escapeIn(plainText(value, format), quote);
}

const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;
/** Numbers, words, intervals, dotted names and lists of them; never quotes, spaces or a comment. */
const WORDS = /^(?!.*--)[\w.,:|+-]*$/;

function outsideQuotes(name: string, value: VariableValue, format: string | undefined): string {
  switch (format) {
    case undefined:
      if (typeof value === 'string' && (NUMBER.test(value) || name.startsWith('__'))) return value;
      return list(value).map(sqlLiteral).join(',') || "''";
    case 'singlequote':
    case 'sqlstring':
      return list(value).map(sqlLiteral).join(',') || "''";
    case 'doublequote':
      return list(value)
        .map((one) => `"${escapeIn(one, '"')}"`)
        .join(',');
    default: {
      const text = plainText(value, format);
      const isDate = name.startsWith('__');
      if (!isDate && !WORDS.test(text)) {
        throw new QueryError(
          400,
          `cannot use variable ${name} with format ${format} outside quotes: got ${JSON.stringify(text)}, want a number or a plain word; use sqlstring`,
        );
      }
      return text;
    }
  }
}

function plainText(value: VariableValue, format: string | undefined): string {
  const values = list(value);
  switch (format) {
    case 'json':
      return JSON.stringify(value);
    case 'pipe':
      return values.join('|');
    case 'glob':
      return values.length > 1 ? `{${values.join(',')}}` : (values[0] ?? '');
    case 'regex': {
      const escaped = values.map((one) => one.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&'));
      return escaped.length > 1 ? `(${escaped.join('|')})` : (escaped[0] ?? '');
    }
    case 'percentencode':
      return encodeURIComponent(values.length > 1 ? `{${values.join(',')}}` : (values[0] ?? ''));
    case 'text':
      return values.join(' + ');
    // raw, csv, and what has no format of its own between quotes.
    default:
      return values.join(',');
  }
}
