import type { Captured, CapturedError } from './captured.ts';

/** OTLP/JSON: 64-bit integers are strings, ids are hexadecimal. */
export type AnyValue =
  | { stringValue: string }
  | { boolValue: boolean }
  | { intValue: string }
  | { doubleValue: number }
  | { arrayValue: { values: AnyValue[] } }
  | { kvlistValue: { values: KeyValue[] } };

export interface KeyValue {
  key: string;
  value: AnyValue;
}

export interface LogRecord {
  timeUnixNano: string;
  observedTimeUnixNano: string;
  severityNumber: number;
  severityText: string;
  body: AnyValue;
  attributes: KeyValue[];
  traceId?: string;
  spanId?: string;
  flags?: number;
}

/** OTLP's numbers: each range of four starts with the plain level. */
const SEVERITY = { trace: 1, debug: 5, info: 9, warn: 13, error: 17, fatal: 21 } as const;
type Level = keyof typeof SEVERITY;

/** pino's numbers, and whatever lies between two of them counts as the lower one. */
const PINO_LEVELS: ReadonlyArray<readonly [number, Level]> = [
  [60, 'fatal'],
  [50, 'error'],
  [40, 'warn'],
  [30, 'info'],
  [20, 'debug'],
];

/** Deeper structures are shown as JSON text. */
const DEPTH_MAX = 6;

/** Turns what was captured into an OTLP record. `timeNs` is when it was observed. Never throws. */
export function toRecord(captured: Captured, timeNs: bigint): LogRecord {
  const record = captured.kind === 'pino' ? ofPino(captured, timeNs) : ofMessage(captured, timeNs);
  if (record.traceId === undefined && captured.trace) {
    record.traceId = captured.trace.traceId;
    record.spanId = captured.trace.spanId;
    record.flags = captured.trace.flags;
  }
  return record;
}

function ofMessage({ kind, text, level = 'info', error }: Captured, timeNs: bigint): LogRecord {
  const record = blank(text, level, timeNs);
  if (kind === 'console') {
    const toStderr = level === 'warn' || level === 'error';
    record.attributes.push({ key: 'log.iostream', value: { stringValue: toStderr ? 'stderr' : 'stdout' } });
  }
  if (error) record.attributes.push(...exception(error));
  return record;
}

function ofPino({ text }: Captured, timeNs: bigint): LogRecord {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(text) as Record<string, unknown>;
  } catch {
    fields = {};
  }
  if (typeof fields !== 'object' || fields === null || Object.keys(fields).length === 0) {
    return blank(text.trimEnd(), 'info', timeNs);
  }
  const level = levelOf(fields['level']);
  const message = fields['msg'] ?? fields['message'];
  const record = blank(typeof message === 'string' ? message : '', level ?? 'info', timeNs);
  if (typeof fields['level'] === 'string') record.severityText = fields['level'].toUpperCase();
  // The application's own time to the millisecond; what the agent observed keeps the order within it.
  const loggedMs = timeOf(fields['time']);
  if (loggedMs !== undefined) {
    record.timeUnixNano = String(BigInt(loggedMs) * 1_000_000n + (timeNs % 1_000_000n));
  }
  for (const [key, value] of Object.entries(fields)) {
    if (key === 'level' || key === 'time' || key === 'pid' || key === 'hostname') continue;
    if (key === 'msg' || (key === 'message' && fields['msg'] === undefined)) {
      if (typeof value === 'string') continue;
    }
    if (key === 'err' && isError(value)) {
      record.attributes.push(...exceptionOf(value));
    } else if (key === 'trace_id' && isHex(value, 32)) {
      record.traceId = value;
    } else if (key === 'span_id' && isHex(value, 16)) {
      record.spanId = value;
    } else if (value !== null && key !== 'trace_flags') {
      record.attributes.push({ key, value: anyValue(value, 0) });
    }
  }
  return record;
}

function blank(body: string, level: Level, timeNs: bigint): LogRecord {
  return {
    timeUnixNano: String(timeNs),
    observedTimeUnixNano: String(timeNs),
    severityNumber: SEVERITY[level],
    severityText: level.toUpperCase(),
    body: { stringValue: body },
    attributes: [],
  };
}

function levelOf(level: unknown): Level | undefined {
  if (typeof level === 'number') return PINO_LEVELS.find(([number]) => level >= number)?.[1] ?? 'trace';
  if (typeof level !== 'string') return undefined;
  const name = level.toLowerCase();
  return Object.hasOwn(SEVERITY, name) ? (name as Level) : undefined;
}

/** pino's `time`: epoch ms by default, epoch seconds or ISO 8601 by option. */
function timeOf(time: unknown): number | undefined {
  const value = typeof time === 'string' ? (/^\d+$/.test(time) ? Number(time) : Date.parse(time)) : time;
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) return undefined;
  return Math.floor(value < 1e11 ? value * 1000 : value);
}

function isError(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && ('stack' in value || 'message' in value);
}

function isHex(value: unknown, length: number): value is string {
  return typeof value === 'string' && value.length === length && /^[0-9a-f]+$/i.test(value);
}

function exceptionOf({ type, message, stack, ...rest }: Record<string, unknown>): KeyValue[] {
  const error = { type: text(type, 'Error'), message: text(message, ''), stack: text(stack, '') };
  const others = Object.entries(rest).filter(([, value]) => value !== null);
  return [
    ...exception(error),
    ...others.map(([key, value]) => ({ key: `err.${key}`, value: anyValue(value, 0) })),
  ];
}

function text(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

function exception({ type, message, stack }: CapturedError): KeyValue[] {
  return [
    { key: 'exception.type', value: { stringValue: type } },
    { key: 'exception.message', value: { stringValue: message } },
    { key: 'exception.stacktrace', value: { stringValue: stack } },
  ];
}

export function anyValue(value: unknown, depth: number): AnyValue {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  }
  if (value === null || typeof value !== 'object') return { stringValue: String(value) };
  if (depth >= DEPTH_MAX) return { stringValue: JSON.stringify(value) };
  if (Array.isArray(value)) {
    return { arrayValue: { values: value.map((one) => anyValue(one, depth + 1)) } };
  }
  const values = Object.entries(value).map(([key, one]) => ({ key, value: anyValue(one, depth + 1) }));
  return { kvlistValue: { values } };
}
