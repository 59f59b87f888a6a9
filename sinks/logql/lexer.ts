import { LogqlError } from './error.ts';
import { parseBytes, parseDuration, parseNumber } from './units.ts';

/**
 * The tokens of LogQL. Keywords are identifiers: `json` is also a fine label name, so the parser decides.
 */
export type Token =
  | { readonly kind: 'identifier'; readonly text: string; readonly start: number; readonly end: number }
  | { readonly kind: 'operator'; readonly text: string; readonly start: number; readonly end: number }
  /** `value` without quotes and escapes. */
  | {
      readonly kind: 'string';
      readonly text: string;
      readonly value: string;
      readonly start: number;
      readonly end: number;
    }
  /** `value` in seconds for durations, in bytes for bytes. */
  | {
      readonly kind: 'number' | 'duration' | 'bytes';
      readonly text: string;
      readonly value: number;
      readonly start: number;
      readonly end: number;
    }
  | { readonly kind: 'end'; readonly text: ''; readonly start: number; readonly end: number };

// Longest first, since `|` is a prefix of the others.
const OPERATORS = [
  '|=',
  '|~',
  '|>',
  '!=',
  '!~',
  '!>',
  '=~',
  '==',
  '>=',
  '<=',
  '=',
  '>',
  '<',
  '|',
  '{',
  '}',
  '(',
  ')',
  '[',
  ']',
  ',',
  '+',
  '-',
  '*',
  '/',
  '%',
  '^',
  // No operator of LogQL; rule tests give the time of a line with it.
  '@',
];

/** Splits a query; the last token is `end`. Throws `LogqlError` at the first character that starts no token. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    at = skipBlank(source, at);
    if (at >= source.length) {
      tokens.push({ kind: 'end', text: '', start: at, end: at });
      return tokens;
    }
    const token = tokenAt(source, at);
    tokens.push(token);
    at = token.end;
  }
}

function skipBlank(source: string, from: number): number {
  let at = from;
  while (at < source.length) {
    const char = source[at]!;
    if (char === '#') {
      const end = source.indexOf('\n', at);
      at = end === -1 ? source.length : end;
    } else if (char === ' ' || char === '\t' || char === '\n' || char === '\r') {
      at += 1;
    } else {
      break;
    }
  }
  return at;
}

function tokenAt(source: string, start: number): Token {
  const char = source[start]!;
  if (char === '"' || char === '`') return stringAt(source, start);
  if (isDigit(char) || (char === '.' && isDigit(source[start + 1] ?? ''))) return quantityAt(source, start);
  if (isNameStart(char)) {
    let end = start + 1;
    while (end < source.length && (isNameStart(source[end]!) || isDigit(source[end]!))) end += 1;
    return { kind: 'identifier', text: source.slice(start, end), start, end };
  }
  for (const operator of OPERATORS) {
    if (source.startsWith(operator, start)) {
      return { kind: 'operator', text: operator, start, end: start + operator.length };
    }
  }
  if (char === "'") throw new LogqlError(source, start, "'", 'want a string in " or `');
  if (char === '.') throw new LogqlError(source, start, '.', 'want a label name with _ in place of dots');
  throw new LogqlError(source, start, String.fromCodePoint(source.codePointAt(start)!), 'want a query');
}

function quantityAt(source: string, start: number): Token {
  let end = start;
  while (
    end < source.length &&
    (isNameStart(source[end]!) || isDigit(source[end]!) || isQuantityRest(source, end))
  ) {
    end += 1;
  }
  const text = source.slice(start, end);
  const number = parseNumber(text);
  if (number !== undefined) return { kind: 'number', text, value: number, start, end };
  const seconds = parseDuration(text);
  if (seconds !== undefined) return { kind: 'duration', text, value: seconds, start, end };
  const bytes = parseBytes(text);
  if (bytes !== undefined) return { kind: 'bytes', text, value: bytes, start, end };
  throw new LogqlError(source, start, text, 'want a number, a duration such as 5m or a size such as 20kb');
}

function isQuantityRest(source: string, at: number): boolean {
  const char = source[at]!;
  if (char === '.' || char === 'µ' || char === 'μ') return true;
  // The sign of an exponent: 1e-3.
  const before = source[at - 1];
  return (
    (char === '-' || char === '+') &&
    (before === 'e' || before === 'E') &&
    isDigit(source[at - 2] ?? '') &&
    isDigit(source[at + 1] ?? '')
  );
}

function stringAt(source: string, start: number): Token {
  const quote = source[start]!;
  let value = '';
  let at = start + 1;
  for (;;) {
    const char = source[at];
    if (char === undefined || (char === '\n' && quote === '"')) {
      throw new LogqlError(source, start, 'a string without an end', `want ${quote}`);
    }
    if (char === quote) break;
    if (char === '\\' && quote === '"') {
      const escape = escapeAt(source, at);
      value += escape.text;
      at = escape.end;
    } else {
      value += char;
      at += 1;
    }
  }
  return { kind: 'string', text: source.slice(start, at + 1), value, start, end: at + 1 };
}

const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['a', '\u0007'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
  ['\\', '\\'],
  ['"', '"'],
  ["'", "'"],
]);

/** Go's escapes. `\d` and the like are refused, as in Go: regular expressions belong in backquotes. */
function escapeAt(source: string, at: number): { text: string; end: number } {
  const letter = source[at + 1] ?? '';
  const simple = SIMPLE_ESCAPES.get(letter);
  if (simple !== undefined) return { text: simple, end: at + 2 };
  const digits = letter === 'x' ? 2 : letter === 'u' ? 4 : letter === 'U' ? 8 : 0;
  const hex = source.slice(at + 2, at + 2 + digits);
  const code =
    digits > 0 && /^[0-9a-fA-F]+$/.test(hex) && hex.length === digits ? Number.parseInt(hex, 16) : -1;
  if (code < 0 || code > 0x10ffff) {
    throw new LogqlError(
      source,
      at,
      `escape \\${letter}`,
      'want \\n, \\", \\\\, \\u1234 … or a string in `backquotes`',
    );
  }
  return { text: String.fromCodePoint(code), end: at + 2 + digits };
}

function isDigit(char: string): boolean {
  return char >= '0' && char <= '9';
}

function isNameStart(char: string): boolean {
  return (char >= 'a' && char <= 'z') || (char >= 'A' && char <= 'Z') || char === '_';
}
