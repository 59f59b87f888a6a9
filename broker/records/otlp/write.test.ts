import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { anyValue } from '../../../test/support/otlp-arbitrary.ts';
import { oracleDecode, oracleEncode } from '../../../test/support/otlp-oracle.ts';
import { readLogs } from './read-logs.ts';
import { encodeLogs } from './write-logs.ts';
import { encodeMetrics } from './write-metrics.ts';
import { Writer } from './writer.ts';

test('logs, as protobufjs reads them', () => {
  const bytes = encodeLogs(
    {
      resource: { attributes: { 'service.name': 'shop', replicas: 3 }, schemaUrl: 'https://resource' },
      scope: { name: 'tail', version: '1', attributes: { a: true }, schemaUrl: 'https://scope' },
      records: [
        {
          timeUnixNano: 1_763_000_000_123_456_789n,
          observedTimeUnixNano: 1_763_000_000_123_456_790n,
          severityNumber: 17,
          severityText: 'ERROR',
          body: 'größer',
          attributes: { 'log.file.record_offset': 4_294_967_296, ratio: 0.5, raw: Buffer.from([0xff]) },
          flags: 1,
          traceId: '0102030405060708090a0b0c0d0e0f10',
          spanId: '0102030405060708',
          eventName: 'failed',
        },
        { text: Buffer.from('already encoded') },
      ],
    },
    { records: [] },
  );
  expect(oracleDecode('ExportLogs', bytes)).toEqual({
    resourceLogs: [
      {
        resource: {
          attributes: [
            { key: 'service.name', value: { stringValue: 'shop' } },
            { key: 'replicas', value: { intValue: '3' } },
          ],
        },
        scopeLogs: [
          {
            scope: { name: 'tail', version: '1', attributes: [{ key: 'a', value: { boolValue: true } }] },
            schemaUrl: 'https://scope',
            logRecords: [
              {
                timeUnixNano: '1763000000123456789',
                observedTimeUnixNano: '1763000000123456790',
                severityNumber: 17,
                severityText: 'ERROR',
                body: { stringValue: 'größer' },
                attributes: [
                  { key: 'log.file.record_offset', value: { intValue: '4294967296' } },
                  { key: 'ratio', value: { doubleValue: 0.5 } },
                  { key: 'raw', value: { bytesValue: Buffer.from([0xff]) } },
                ],
                flags: 1,
                traceId: Buffer.from('0102030405060708090a0b0c0d0e0f10', 'hex'),
                spanId: Buffer.from('0102030405060708', 'hex'),
                eventName: 'failed',
              },
              { attributes: [], body: { stringValue: 'already encoded' } },
            ],
          },
        ],
        schemaUrl: 'https://resource',
      },
      { scopeLogs: [{ logRecords: [] }] },
    ],
  });
});

test('metrics, as protobufjs reads them', () => {
  const at = { timeUnixNano: 20n, startTimeUnixNano: 10n };
  const bytes = encodeMetrics({
    resource: { attributes: { 'host.name': 'h' } },
    metrics: [
      { type: 'gauge', name: 'load', unit: '1', points: [{ ...at, value: 3, attributes: { cpu: '0' } }] },
      { type: 'sum', name: 'read', description: 'd', isMonotonic: true, points: [{ ...at, value: -7n }] },
      {
        type: 'histogram',
        name: 'took',
        points: [{ ...at, sum: 4.5, bucketCounts: [1, 0, 2], explicitBounds: [0.1, 1] }],
      },
    ],
  });
  const times = { startTimeUnixNano: '10', timeUnixNano: '20' };
  expect(oracleDecode('ExportMetrics', bytes)).toEqual({
    resourceMetrics: [
      {
        resource: { attributes: [{ key: 'host.name', value: { stringValue: 'h' } }] },
        scopeMetrics: [
          {
            metrics: [
              {
                name: 'load',
                unit: '1',
                metadata: [],
                gauge: {
                  dataPoints: [
                    {
                      ...times,
                      asDouble: 3,
                      exemplars: [],
                      attributes: [{ key: 'cpu', value: { stringValue: '0' } }],
                    },
                  ],
                },
              },
              {
                name: 'read',
                description: 'd',
                metadata: [],
                sum: {
                  aggregationTemporality: 2,
                  isMonotonic: true,
                  dataPoints: [{ ...times, asInt: '-7', exemplars: [], attributes: [] }],
                },
              },
              {
                name: 'took',
                metadata: [],
                histogram: {
                  aggregationTemporality: 2,
                  dataPoints: [
                    {
                      ...times,
                      count: '3',
                      sum: 4.5,
                      bucketCounts: ['1', '0', '2'],
                      explicitBounds: [0.1, 1],
                      exemplars: [],
                      attributes: [],
                    },
                  ],
                },
              },
            ],
          },
        ],
      },
    ],
  });
});

describe('values', () => {
  test('any value read from a peer is written with the same meaning', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const request = { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: value }] }] }] };
        const [record] = readLogs(oracleEncode('ExportLogs', request));
        const [again] = readLogs(encodeLogs({ records: [{ body: record!.body }] }));
        expect(again!.body).toEqual(record!.body);
      }),
      { numRuns: 500 },
    );
  });

  const integers = [0, 1, 127, 128, 2 ** 28, 2 ** 31, 2 ** 53 - 1, -1, -(2 ** 40)];
  test.each(integers)('integer %d', (value) => {
    expect(body(value)).toEqual({ intValue: String(value) });
  });

  test('extremes of int64', () => {
    expect(body(2n ** 63n - 1n)).toEqual({ intValue: '9223372036854775807' });
    expect(body(-(2n ** 63n))).toEqual({ intValue: '-9223372036854775808' });
  });

  test('numbers that no integer can hold', () => {
    for (const value of [-0, 2 ** 53, 0.1, Infinity]) expect(body(value)).toEqual({ doubleValue: value });
  });
});

test('lengths around every width of a varint', () => {
  for (const length of [0, 1, 126, 127, 128, 129, 16_382, 16_383, 16_384, 2_097_151, 2_097_152]) {
    const text = 'x'.repeat(length);
    const [record] = readLogs(encodeLogs({ records: [{ body: text, eventName: 'after' }] }));
    expect(record!.body).toBe(text);
    expect(record!.eventName).toBe('after');
  }
});

test('numbers in packed lists', () => {
  const writer = new Writer();
  const values = [0n, 1n, 127n, 128n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 35n, 2n ** 63n, 2n ** 64n - 1n];
  for (const value of values) writer.varint64(value);
  const bytes = writer.finish();
  const point = Buffer.concat([Buffer.from([0x12, bytes.length]), bytes]);
  const request = {
    resourceMetrics: [
      {
        scopeMetrics: [
          {
            metrics: [
              { exponentialHistogram: { dataPoints: [{ positive: { bucketCounts: values.map(String) } }] } },
            ],
          },
        ],
      },
    ],
  };
  expect(oracleEncode('ExportMetrics', request).includes(point)).toBe(true);
});

function body(value: number | bigint): unknown {
  const request = oracleDecode('ExportLogs', encodeLogs({ records: [{ body: value }] }));
  const [group] = request['resourceLogs'] as Array<{
    scopeLogs: Array<{ logRecords: Array<{ body: unknown }> }>;
  }>;
  return group!.scopeLogs[0]!.logRecords[0]!.body;
}
