import { expect, test } from 'vitest';

import type { Captured } from './captured.ts';
import { type LogRecord, toRecord } from './record.ts';

const pino = (fields: object): Captured => ({ kind: 'pino', text: `${JSON.stringify(fields)}\n`, timeMs: 5 });

function recordOf(captured: Captured): LogRecord {
  return toRecord(captured, 1_700_000_000_123_000_007n);
}

test("pino's message, level and time become body, severity and time; pid and hostname are the resource's", () => {
  const line = pino({ level: 40, time: 1_700_000_000_122, pid: 1, hostname: 'h', msg: 'low disk', free: 3 });
  expect(recordOf(line)).toMatchObject({
    body: { stringValue: 'low disk' },
    severityNumber: 13,
    severityText: 'WARN',
    timeUnixNano: '1700000000122000007',
    observedTimeUnixNano: '1700000000123000007',
    attributes: [{ key: 'free', value: { intValue: '3' } }],
  });
});

test('a level between two names counts as the lower one', () => {
  expect(recordOf(pino({ level: 35, msg: 'x' }))).toMatchObject({ severityNumber: 9 });
  expect(recordOf(pino({ level: 1, msg: 'x' }))).toMatchObject({ severityNumber: 1 });
  expect(recordOf(pino({ level: 99, msg: 'x' }))).toMatchObject({ severityNumber: 21 });
});

test('levels as labels, times as ISO text or seconds', () => {
  const iso = pino({ level: 'error', time: '2023-11-14T22:13:20.122Z', msg: 'x' });
  expect(recordOf(iso)).toMatchObject({
    severityNumber: 17,
    severityText: 'ERROR',
    timeUnixNano: '1700000000122000007',
  });
  expect(recordOf(pino({ level: 30, time: 1_700_000_000, msg: 'x' }))).toMatchObject({
    timeUnixNano: '1700000000000000007',
  });
});

test('an error becomes exception.* and keeps its other fields', () => {
  const err = { type: 'RangeError', message: 'too far', stack: 'RangeError: too far\n  at x', code: 'E_FAR' };
  expect(toRecord(pino({ level: 50, msg: 'too far', err }), 1n).attributes).toEqual([
    { key: 'exception.type', value: { stringValue: 'RangeError' } },
    { key: 'exception.message', value: { stringValue: 'too far' } },
    { key: 'exception.stacktrace', value: { stringValue: err.stack } },
    { key: 'err.code', value: { stringValue: 'E_FAR' } },
  ]);
});

test('trace ids come from the line, else from the active span', () => {
  const ids = { trace_id: '0af7651916cd43dd8448eb211c80319c', span_id: 'b7ad6b7169203331' };
  expect(recordOf(pino({ level: 30, msg: 'x', ...ids }))).toMatchObject({
    traceId: ids.trace_id,
    spanId: ids.span_id,
    attributes: [],
  });
  const trace = { traceId: ids.trace_id, spanId: ids.span_id, flags: 1 };
  const captured: Captured = { kind: 'console', text: 'x', timeMs: 1, level: 'info', trace };
  expect(recordOf(captured)).toMatchObject({ traceId: ids.trace_id, flags: 1 });
});

test('what is not JSON is kept as it is', () => {
  expect(recordOf({ kind: 'pino', text: 'not json\n', timeMs: 1 })).toMatchObject({
    body: { stringValue: 'not json' },
  });
});

test('nested values keep their shape, numbers their kind', () => {
  const { attributes } = toRecord(pino({ level: 30, msg: '', a: { b: [1, 1.5, null, true] } }), 1n);
  const values = [{ intValue: '1' }, { doubleValue: 1.5 }, { stringValue: 'null' }, { boolValue: true }];
  const b = { key: 'b', value: { arrayValue: { values } } };
  expect(attributes).toEqual([{ key: 'a', value: { kvlistValue: { values: [b] } } }]);
});
