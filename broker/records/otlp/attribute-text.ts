import type { AnyValue, Attributes } from './model.ts';

/**
 * A value as text, as the OpenTelemetry Collector's ClickHouse exporter writes it into a map: strings as they
 * are, numbers in their shortest form, bytes in base64, arrays and maps as JSON (keys sorted; `<`, `>`, `&`
 * escaped, as Go's encoder does), nothing for an empty value.
 */
export function attributeText(value: AnyValue): string {
  if (typeof value === 'string') return value;
  if (value === null) return '';
  if (typeof value === 'number') return numberText(value);
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return base64(value);
  try {
    return json(value);
  } catch (error) {
    // The exporter's encoder refuses infinities and NaN inside a structure, and it then writes nothing.
    if (error === UNSUPPORTED) return '';
    throw error;
  }
}

const UNSUPPORTED = Symbol('a number that JSON cannot hold');

/** A number in its shortest form. */
export function numberText(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value);
  const name = Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  return `json: unsupported value: ${name}`;
}

function json(value: AnyValue): string {
  if (typeof value === 'string') return jsonString(value);
  if (value === null) return 'null';
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw UNSUPPORTED;
    return numberText(value);
  }
  if (value instanceof Uint8Array) return `"${base64(value)}"`;
  if (Array.isArray(value)) return `[${value.map(json).join(',')}]`;
  return jsonMap(value);
}

function jsonMap(map: Attributes): string {
  const members = Object.keys(map)
    .sort(byBytes)
    .map((key) => `${jsonString(key)}:${json(map[key] ?? null)}`);
  return `{${members.join(',')}}`;
}

// Order of UTF-8 bytes is the order of code points; JavaScript compares UTF-16 units, which differ above U+FFFF.
function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

const ESCAPES: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

function jsonString(text: string): string {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, (char) => ESCAPES[char]!);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
