import { formatDuration } from '../logql/units.ts';
import type { Labels } from './labels.ts';

/**
 * The part of Go's templates that alert annotations use: `{{ $labels.x }}`, `{{ .Labels.x }}`, `{{ $value }}`,
 * `{{ $externalURL }}`, pipes, and the functions below. Control structures are refused when the rule is loaded.
 */
export interface TemplateData {
  readonly labels: Labels;
  readonly value: number;
  readonly externalUrl: string;
}

export type Template = (data: TemplateData) => string;

type Value = string | number | Labels;
type Term = (data: TemplateData) => Value;

const FUNCTIONS: ReadonlyMap<string, { arity: number; run: (values: readonly Value[]) => Value }> = new Map([
  ['humanize', { arity: 1, run: ([value]) => humanize(Number(value)) }],
  ['humanize1024', { arity: 1, run: ([value]) => humanize1024(Number(value)) }],
  ['humanizePercentage', { arity: 1, run: ([value]) => `${significant(Number(value) * 100)}%` }],
  ['humanizeDuration', { arity: 1, run: ([value]) => humanizeDuration(Number(value)) }],
  ['toUpper', { arity: 1, run: ([value]) => text(value!).toUpperCase() }],
  ['toLower', { arity: 1, run: ([value]) => text(value!).toLowerCase() }],
  ['title', { arity: 1, run: ([value]) => text(value!).replace(/\b[a-z]/g, (char) => char.toUpperCase()) }],
  ['printf', { arity: -1, run: ([format, ...values]) => printf(text(format ?? ''), values) }],
]);

/** Throws with what is wrong; the caller knows where the template stands. */
export function compileTemplate(source: string): Template {
  const parts: Array<string | Term> = [];
  let at = 0;
  for (;;) {
    const open = source.indexOf('{{', at);
    if (open === -1) break;
    const close = source.indexOf('}}', open);
    if (close === -1) throw new Error('cannot read template: got {{ without an end, want }}');
    let before = source.slice(at, open);
    let inner = source.slice(open + 2, close);
    at = close + 2;
    if (inner.startsWith('- ')) {
      before = before.trimEnd();
      inner = inner.slice(1);
    }
    if (inner.endsWith(' -')) {
      inner = inner.slice(0, -1);
      while (at < source.length && source.charCodeAt(at) <= 32) at += 1;
    }
    parts.push(before, compileAction(inner.trim()));
  }
  parts.push(source.slice(at));
  return (data) => parts.map((part) => (typeof part === 'string' ? part : text(part(data)))).join('');
}

function compileAction(action: string): Term {
  const words = wordsOf(action);
  if (words.length === 0) throw new Error('cannot read template: got {{}}, want a value');
  let piped: Term | undefined;
  let from = 0;
  for (let at = 0; at <= words.length; at += 1) {
    if (at < words.length && words[at] !== '|') continue;
    piped = compileCommand(words.slice(from, at), piped);
    from = at + 1;
  }
  return piped!;
}

function compileCommand(words: readonly string[], piped: Term | undefined): Term {
  const [name = '', ...rest] = words;
  const found = FUNCTIONS.get(name);
  if (!found) {
    if (rest.length > 0 || piped) throw new Error(`cannot read template: got ${name}, want ${known()}`);
    return compileOperand(name);
  }
  const terms = [...rest.map(compileOperand), ...(piped ? [piped] : [])];
  if (found.arity >= 0 && terms.length !== found.arity) {
    throw new Error(`cannot read template: got ${terms.length} values for ${name}, want ${found.arity}`);
  }
  return (data) => found.run(terms.map((term) => term(data)));
}

function compileOperand(word: string): Term {
  if (word === '$value' || word === '.Value') return ({ value }) => value;
  if (word === '$externalURL' || word === '.ExternalURL') return ({ externalUrl }) => externalUrl;
  if (word === '$labels' || word === '.Labels') return ({ labels }) => labels;
  const label = /^(?:\$labels|\.Labels)\.([a-zA-Z_][a-zA-Z0-9_]*)$/.exec(word)?.[1];
  if (label !== undefined) return ({ labels }) => labels[label] ?? '';
  if (word.startsWith('"') || word.startsWith('`')) {
    const literal = word.startsWith('"') ? (JSON.parse(word) as string) : word.slice(1, -1);
    return () => literal;
  }
  if (/^-?\d+(\.\d+)?$/.test(word)) return () => Number(word);
  throw new Error(`cannot read template: got ${word || 'nothing'}, want ${known()}`);
}

function wordsOf(action: string): string[] {
  const words: string[] = [];
  const pattern = /\s*("(?:[^"\\]|\\.)*"|`[^`]*`|\||[^\s|"`]+)/y;
  while (pattern.lastIndex < action.length) {
    const at = pattern.lastIndex;
    const match = pattern.exec(action);
    if (!match) {
      throw new Error(`cannot read template: got ${action.slice(at).trim()}, want a value or a function`);
    }
    words.push(match[1]!);
  }
  return words;
}

function known(): string {
  return `$labels.<name>, $value or one of ${[...FUNCTIONS.keys()].join(', ')}`;
}

function text(value: Value): string {
  if (typeof value === 'object') {
    // Go prints a map like this, keys sorted.
    return `map[${Object.keys(value)
      .sort()
      .map((name) => `${name}:${value[name]}`)
      .join(' ')}]`;
  }
  return typeof value === 'number' ? numberText(value) : value;
}

export function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

/** Four significant digits, without trailing zeros. */
function significant(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : numberText(value);
}

function humanize(value: number): string {
  return scaled(value, 1_000, ['', 'k', 'M', 'G', 'T', 'P', 'E'], ['', 'm', 'u', 'n', 'p']);
}

function humanize1024(value: number): string {
  return scaled(value, 1_024, ['', 'ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'], ['']);
}

function scaled(value: number, base: number, up: readonly string[], down: readonly string[]): string {
  if (value === 0 || !Number.isFinite(value)) return numberText(value);
  let rest = value;
  let step = 0;
  while (Math.abs(rest) >= base && step < up.length - 1) {
    rest /= base;
    step += 1;
  }
  while (Math.abs(rest) < 1 && -step < down.length - 1) {
    rest *= base;
    step -= 1;
  }
  return `${significant(rest)}${step >= 0 ? up[step] : down[-step]}`;
}

function humanizeDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return numberText(seconds);
  if (Math.abs(seconds) < 1) return formatDuration(seconds);
  const rounded = Math.abs(seconds) >= 60 ? Math.trunc(seconds) : Number(seconds.toPrecision(4));
  // `1h 30m 0s`, as Prometheus writes it.
  const parts = [];
  let rest = Math.abs(rounded);
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
  ] as const) {
    if (rest >= size || parts.length > 0) parts.push(`${Math.floor(rest / size)}${unit}`);
    rest %= size;
  }
  parts.push(`${Number(rest.toPrecision(4))}s`);
  return `${rounded < 0 ? '-' : ''}${parts.join(' ')}`;
}

/** `%s %v %q %d %f %.2f %g %e %%`, with width and zero padding. */
function printf(format: string, values: readonly Value[]): string {
  let next = 0;
  return format.replace(
    /%(0?)(\d*)(?:\.(\d+))?([a-zA-Z%])/g,
    (whole, zero: string, width: string, digits, verb) => {
      if (verb === '%') return '%';
      const value = values[next];
      next += 1;
      if (value === undefined) return `%!${verb as string}(MISSING)`;
      const formatted = formatVerb(verb as string, value, digits === undefined ? undefined : Number(digits));
      return formatted === undefined ? whole : formatted.padStart(Math.min(Number(width), 100), zero || ' ');
    },
  );
}

function formatVerb(verb: string, value: Value, digits: number | undefined): string | undefined {
  const fraction = Math.min(digits ?? 6, 100);
  switch (verb) {
    case 's':
    case 'v':
      return text(value);
    case 'q':
      return JSON.stringify(text(value));
    case 'd':
      return String(Math.trunc(Number(value)));
    case 'f':
      return Number(value).toFixed(fraction);
    case 'e':
      return Number(value)
        .toExponential(fraction)
        .replace(/e([+-])(\d)$/, 'e$10$2');
    case 'g':
      return digits === undefined
        ? text(value)
        : String(Number(Number(value).toPrecision(Math.max(1, fraction))));
    default:
      return undefined;
  }
}
