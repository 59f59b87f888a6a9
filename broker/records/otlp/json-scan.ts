import { isUtf8 } from 'node:buffer';

import { OtlpError } from './error.ts';

/**
 * Brackets that may be open at once. A value of the deepest allowed nesting opens four a level; the rest is the
 * envelope. Without a bound 20 MB of `[` become a gigabyte of arrays.
 */
export const JSON_DEPTH_MAX = 320;
/** From 16 digits on a number may exceed 2^53, where JSON.parse would round it. */
const EXACT_DIGITS_MAX = 15;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The text of a JSON body, made safe for JSON.parse: nesting is bounded, and integers too long for a double are
 * put in quotes, which proto3's JSON takes for the same number. One pass over the bytes.
 * @throws OtlpError
 */
export function scanJson(body: Buffer): string {
  if (!isUtf8(body)) throw new OtlpError('bytes that are not UTF-8', 'JSON in UTF-8');
  /** Pairs of start and end. */
  const long: number[] = [];
  let depth = 0;
  let at = 0;
  while (at < body.length) {
    const byte = body[at]!;
    if (byte === QUOTE) {
      at = stringEnd(body, at);
    } else if (byte === 0x5b || byte === 0x7b) {
      depth += 1;
      if (depth > JSON_DEPTH_MAX)
        throw new OtlpError('JSON nested deeper', `at most ${JSON_DEPTH_MAX} levels`, at);
      at += 1;
    } else if (byte === 0x5d || byte === 0x7d) {
      depth -= 1;
      at += 1;
    } else if (byte === 0x2d || isDigit(byte)) {
      const start = at;
      at += 1;
      while (isDigit(body[at])) at += 1;
      const next = body[at];
      const isInteger = next !== 0x2e && next !== 0x65 && next !== 0x45;
      if (isInteger && at - start > EXACT_DIGITS_MAX) long.push(start, at);
      else while (isNumberByte(body[at])) at += 1;
    } else {
      at += 1;
    }
  }
  return long.length === 0 ? body.toString('utf8') : quoted(body, long);
}

function stringEnd(body: Buffer, start: number): number {
  let at = start + 1;
  for (;;) {
    at = body.indexOf(QUOTE, at);
    // Unfinished: JSON.parse says so better.
    if (at < 0) return body.length;
    let backslashes = 0;
    while (body[at - 1 - backslashes] === BACKSLASH) backslashes += 1;
    at += 1;
    if (backslashes % 2 === 0) return at;
  }
}

function quoted(body: Buffer, long: readonly number[]): string {
  const parts: string[] = [];
  let from = 0;
  for (let index = 0; index < long.length; index += 2) {
    const [start, end] = [long[index]!, long[index + 1]!];
    parts.push(body.toString('utf8', from, start), '"', body.toString('latin1', start, end), '"');
    from = end;
  }
  parts.push(body.toString('utf8', from));
  return parts.join('');
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isNumberByte(byte: number | undefined): boolean {
  return isDigit(byte) || byte === 0x2e || byte === 0x65 || byte === 0x45 || byte === 0x2b || byte === 0x2d;
}
