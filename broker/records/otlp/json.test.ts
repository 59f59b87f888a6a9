import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { logsRequest, metricsRequest, spansRequest } from '../../../test/support/otlp-arbitrary.ts';
import { oracleDecode, oracleEncode } from '../../../test/support/otlp-oracle.ts';
import type { Signal } from '../topics.ts';
import { OtlpError } from './error.ts';
import { requestFromJson } from './json.ts';
import { readLogs } from './read-logs.ts';
import { walkRequest } from './walk.ts';

const SIGNALS = [
  ['logs', logsRequest, 'ExportLogs'],
  ['metrics', metricsRequest, 'ExportMetrics'],
  ['spans', spansRequest, 'ExportTrace'],
] as const;

test.each(SIGNALS)('%s: the same request as protobufjs makes of the object', (signal, request, type) => {
  fc.assert(
    fc.property(request, (message) => {
      const bytes = requestFromJson(signal, Buffer.from(JSON.stringify(jsonForm(message))));
      walkRequest(signal, bytes);
      expect(oracleDecode(type, bytes)).toEqual(oracleDecode(type, oracleEncode(type, message)));
    }),
    { numRuns: 200 },
  );
});

test('the example of the specification, as people write it', () => {
  const body = {
    resourceLogs: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'my.service' } }] },
        scopeLogs: [
          {
            scope: { name: 'my.library', version: '1.0.0' },
            logRecords: [
              {
                timeUnixNano: '1544712660300000000',
                observedTimeUnixNano: '1544712660300000000',
                severityNumber: 10,
                severityText: 'Information',
                traceId: '5B8EFFF798038103D269B633813FC60C',
                spanId: 'EEE19B7EC3C1B174',
                body: { stringValue: 'Example log record' },
                attributes: [
                  { key: 'boolean.attribute', value: { boolValue: true } },
                  { key: 'int.attribute', value: { intValue: '10' } },
                  { key: 'array', value: { arrayValue: { values: [{ stringValue: 'many' }] } } },
                  {
                    key: 'map',
                    value: { kvlistValue: { values: [{ key: 'k', value: { doubleValue: 0.5 } }] } },
                  },
                ],
                somethingNewer: { a: [1] },
              },
            ],
          },
        ],
      },
    ],
  };
  const [record] = readLogs(requestFromJson('logs', Buffer.from(JSON.stringify(body))));
  expect(record).toMatchObject({
    timeUnixNano: 1_544_712_660_300_000_000n,
    severityNumber: 10,
    traceId: '5b8efff798038103d269b633813fc60c',
    spanId: 'eee19b7ec3c1b174',
    body: 'Example log record',
    attributes: { 'boolean.attribute': true, 'int.attribute': 10, array: ['many'], map: { k: 0.5 } },
    scope: { name: 'my.library' },
    resource: { attributes: { 'service.name': 'my.service' } },
  });
});

describe('numbers', () => {
  const cases: ReadonlyArray<[string, bigint]> = [
    ['1544712660300000001', 1_544_712_660_300_000_001n],
    ['"1544712660300000001"', 1_544_712_660_300_000_001n],
    ['18446744073709551615', 18_446_744_073_709_551_615n],
    ['5', 5n],
    ['1e3', 1_000n],
    ['"1e3"', 1_000n],
  ];
  test.each(cases)('time %s keeps every digit', (written, expected) => {
    const [record] = readLogs(requestFromJson('logs', oneRecord(`"timeUnixNano":${written}`)));
    expect(record?.timeUnixNano).toBe(expected);
  });

  test('digits inside of strings stay as they are', () => {
    const body = '12345678901234567890 \\" 12345678901234567890 \\\\';
    const [record] = readLogs(requestFromJson('logs', oneRecord(`"body":{"stringValue":"${body}"}`)));
    expect(record?.body).toBe('12345678901234567890 " 12345678901234567890 \\');
  });

  test('snake_case is understood', () => {
    const [record] = readLogs(
      requestFromJson(
        'logs',
        Buffer.from('{"resource_logs":[{"scope_logs":[{"log_records":[{"event_name":"e"}]}]}]}'),
      ),
    );
    expect(record?.eventName).toBe('e');
  });
});

const refused: ReadonlyArray<[string, string, string]> = [
  ['no JSON', '{"resourceLogs":[', 'cannot read OTLP'],
  ['nothing', '', 'cannot read OTLP'],
  ['an array', '[]', 'got [] for the request, want an object'],
  ['a wrong list', '{"resourceLogs":{}}', 'got {} for resourceLogs, want an array'],
  ['a wrong element', '{"resourceLogs":[3]}', 'got 3 for resourceLogs[0], want an object'],
  ['a negative time', '"timeUnixNano":"-1"', 'logRecords[0].timeUnixNano, want an integer from 0'],
  ['a time that is no number', '"timeUnixNano":"soon"', 'got "soon"'],
  ['a fraction', '"timeUnixNano":1.5', 'got 1.5'],
  ['a level by name', '"severityNumber":"SEVERITY_NUMBER_INFO"', 'SEVERITY_NUMBER_INFO'],
  ['an id in base64', '"traceId":"W47/95gDgQPSabYzgT/GDA=="', 'want hex digits'],
  ['a number for text', '"severityText":3', 'want a string'],
  ['text for a truth value', '"body":{"boolValue":"yes"}', 'want true or false'],
  ['bad base64', '"body":{"bytesValue":"%%%"}', 'want base64'],
];

test.each(refused)('refuses %s', (_, json, message) => {
  const body = json.startsWith('"') ? oneRecord(json) : Buffer.from(json);
  expect(() => requestFromJson('logs', body)).toThrow(OtlpError);
  expect(() => requestFromJson('logs', body)).toThrow(message);
});

test('refuses bytes that are not UTF-8', () => {
  expect(() => requestFromJson('logs', Buffer.from([0x22, 0xff, 0x22]))).toThrow('not UTF-8');
});

test.each([200, 10_000, 1_000_000])('refuses %d levels before any of them is an object', (levels) => {
  const body = oneRecord(`"body":${'{"arrayValue":{"values":['.repeat(levels)}`);
  expect(() => requestFromJson('logs', body)).toThrow('JSON nested deeper');
});

test('values nested too deep for the readers are refused too', () => {
  const levels = 70;
  const value = `${'{"arrayValue":{"values":['.repeat(levels)}{}${']}}'.repeat(levels)}`;
  expect(() => requestFromJson('logs', oneRecord(`"body":${value}`))).toThrow('a value nested deeper');
});

test('names of JavaScript objects are only names', () => {
  const body = Buffer.from('{"__proto__":{"resourceLogs":[1]},"constructor":1,"resourceLogs":[]}');
  expect(requestFromJson('logs', body)).toHaveLength(0);
});

test('random text gives an OtlpError or a request that the walker accepts', () => {
  const signals: Signal[] = ['logs', 'metrics', 'spans'];
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), fc.constantFrom(...signals), (text, signal) => {
      let bytes: Buffer;
      try {
        bytes = requestFromJson(signal, Buffer.from(text));
      } catch (error) {
        if (error instanceof OtlpError) return;
        throw error;
      }
      expect(() => walkRequest(signal, bytes)).not.toThrow();
    }),
    { numRuns: 1_000 },
  );
});

function oneRecord(members: string): Buffer {
  return Buffer.from(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{${members}}]}]}]}`);
}

/** OTLP/JSON writes ids in hex, other bytes in base64, and infinities as strings. */
function jsonForm(value: unknown, key = ''): unknown {
  if (Buffer.isBuffer(value)) return value.toString(key === 'bytesValue' ? 'base64' : 'hex');
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (Object.is(value, -0)) return '-0';
  if (Array.isArray(value)) return value.map((one) => jsonForm(one));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, jsonForm(one, name)]));
}
