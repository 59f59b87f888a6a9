/** Durations (`1h30m`, `250ms`) and byte sizes (`20kb`, `1.5MiB`) as LogQL, rule files and labels write them. */

const DURATION_SECONDS: ReadonlyMap<string, number> = new Map([
  ['ns', 1e-9],
  ['us', 1e-6],
  ['µs', 1e-6],
  ['μs', 1e-6],
  ['ms', 1e-3],
  ['s', 1],
  ['m', 60],
  ['h', 3_600],
  ['d', 86_400],
  ['w', 604_800],
  ['y', 31_536_000],
]);

const BYTES: ReadonlyMap<string, number> = new Map([
  ['b', 1],
  ['kb', 1e3],
  ['mb', 1e6],
  ['gb', 1e9],
  ['tb', 1e12],
  ['pb', 1e15],
  ['kib', 2 ** 10],
  ['mib', 2 ** 20],
  ['gib', 2 ** 30],
  ['tib', 2 ** 40],
  ['pib', 2 ** 50],
]);

/** Seconds, or undefined where the text is no duration. Units may follow each other in any order; `0` is one. */
export function parseDuration(text: string): number | undefined {
  let at = text[0] === '-' || text[0] === '+' ? 1 : 0;
  const sign = text[0] === '-' ? -1 : 1;
  if (text.slice(at) === '0') return 0;
  let total = 0;
  let parts = 0;
  while (at < text.length) {
    const number = numberAt(text, at);
    if (number === undefined) return undefined;
    let end = number.end;
    while (end < text.length && !isDigit(text.charCodeAt(end)) && text[end] !== '.') end += 1;
    const unit = DURATION_SECONDS.get(text.slice(number.end, end));
    if (unit === undefined) return undefined;
    // Division keeps 250ms at exactly 0.25 where a multiplication by 1e-3 would not.
    total += unit < 1 ? number.value / Math.round(1 / unit) : number.value * unit;
    parts += 1;
    at = end;
  }
  return parts === 0 ? undefined : sign * total;
}

/** Bytes, or undefined where the text is no size. A bare number is not one: units tell sizes from numbers. */
export function parseBytes(text: string): number | undefined {
  const number = numberAt(text, 0);
  if (number === undefined) return undefined;
  const unit = BYTES.get(text.slice(number.end).trim().toLowerCase());
  return unit === undefined ? undefined : number.value * unit;
}

/** A decimal number with optional sign, fraction and exponent, spanning the whole text. */
export function parseNumber(text: string): number | undefined {
  const unsigned = text[0] === '-' || text[0] === '+' ? text.slice(1) : text;
  if (unsigned === 'Inf' || unsigned === 'inf') return text[0] === '-' ? -Infinity : Infinity;
  if (!/^(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(unsigned) && !/^0[xX][0-9a-fA-F]+$/.test(unsigned)) {
    return undefined;
  }
  return text[0] === '-' ? -Number(unsigned) : Number(unsigned);
}

/** The shortest form with whole units: 5400 → `1h30m`, 0.25 → `250ms`, 0 → `0s`. */
export function formatDuration(seconds: number): string {
  if (seconds < 0) return `-${formatDuration(-seconds)}`;
  let restMs = Math.round(seconds * 1e6) / 1e3;
  let text = '';
  for (const [unit, unitMs] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1_000],
  ] as const) {
    const count = Math.floor(restMs / unitMs);
    if (count > 0) text += `${count}${unit}`;
    restMs -= count * unitMs;
  }
  if (restMs > 0) text += `${Math.round(restMs * 1e3) / 1e3}ms`;
  return text === '' ? '0s' : text;
}

function numberAt(text: string, from: number): { value: number; end: number } | undefined {
  let end = from;
  while (end < text.length && isDigit(text.charCodeAt(end))) end += 1;
  let digits = end - from;
  if (text[end] === '.') {
    const fraction = end + 1;
    end = fraction;
    while (end < text.length && isDigit(text.charCodeAt(end))) end += 1;
    digits += end - fraction;
  }
  return digits === 0 ? undefined : { value: Number(text.slice(from, end)), end };
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}
