import { describe, expect, test } from 'vitest';

import type { AnyValue, Attributes, LogRecord } from '../../broker/records/otlp/model.ts';
import { labelName, labelsOf, levelOf } from './labels.ts';
import { compileFilter, compilePipeline, labelIn } from './match.ts';
import { parseLogs } from './parse.ts';

function record(body: AnyValue, fields: Partial<LogRecord> = {}, resource: Attributes = {}): LogRecord {
  return {
    timeUnixNano: 0n,
    observedTimeUnixNano: 0n,
    severityNumber: 0,
    severityText: '',
    body,
    attributes: {},
    droppedAttributesCount: 0,
    flags: 0,
    traceId: '',
    spanId: '',
    eventName: '',
    resource: { attributes: { 'service.name': 'checkout', 'host.name': 'h1', ...resource }, schemaUrl: '' },
    scope: { name: '', version: '', attributes: {}, droppedAttributesCount: 0, schemaUrl: '' },
    ...fields,
  };
}

describe('a record', () => {
  const line = record('card declined for 4711', {
    severityNumber: 17,
    attributes: { 'log.file.path': '/var/log/app.log', retries: 3, empty: '' },
  });
  test.each([
    ['{}', true],
    ['{service_name="checkout"}', true],
    ['{service_name="check"}', false],
    ['{service_name!="checkout"}', false],
    ['{service_name=~"check.*|other"}', true],
    ['{service_name=~"check"}', false],
    ['{service_name=~"(?i)CHECKOUT"}', true],
    ['{service_name!~"check.*"}', false],
    ['{missing=""}', true],
    ['{missing!=""}', false],
    ['{missing=~".+"}', false],
    ['{service_name="checkout", host_name="h2"}', false],
    ['{level="error"}', true],
    ['{log_file_path="/var/log/app.log"}', true],
    ['{} |= "declined"', true],
    ['{} |= "Declined"', false],
    ['{} != "declined"', false],
    ['{} |= "nothing" or "declined"', true],
    ['{} != "nothing" or "declined"', false],
    ['{} |~ "for [0-9]{4}$"', true],
    ['{} |~ "(?i)CARD"', true],
    ['{} !~ "card|cash"', false],
    ['{} |= "card" |= "4711" != "cash"', true],
    ['{} | detected_level="error"', true],
    ['{} | retries > 2', true],
    ['{} | retries > 3', false],
    ['{} | service_name > 3', false],
    ['{} | retries=3 and (level="info" or host_name="h1")', true],
  ])('against %s: %s', (query, matches) => {
    expect(compileFilter(parseLogs(query))(line)).toBe(matches);
  });

  test.each([
    [
      '{"status":503,"took":"1.5s","size":"2MiB","user":{"id":9007199254740993},"tags":["x"],"ok":false}',
      true,
    ],
    ['{"status":200}', false],
    ['not json', false],
  ])('with the JSON line %s: %s', (body, matches) => {
    const query =
      '{} | json | status >= 500 and took > 1s, size >= 2MiB, user_id="9007199254740993", ok="false", tags=""';
    expect(compileFilter(parseLogs(query))(record(body))).toBe(matches);
  });

  test.each([
    ['ts=1 level=warn msg="card \\"x\\" declined" took=250ms bare =lost', true],
    ['msg="no end', false],
    ['', false],
  ])('with the logfmt line %s: %s', (body, matches) => {
    const query = '{} | logfmt | msg=`card "x" declined` | took < 1s | level_extracted="warn"';
    expect(compileFilter(parseLogs(query))(record(body, { severityNumber: 9 }))).toBe(matches);
  });

  test('that cannot be parsed keeps its place and says so', () => {
    const extracted = compilePipeline(parseLogs('{} | json'))(record('plain'));
    expect(extracted && labelIn(record('plain'), extracted, '__error__')).toBe('JSONParserErr');
  });

  test('is matched in linear time by a pattern that ends other engines', () => {
    const filter = compileFilter(parseLogs('{} |~ "^(a+)+$"'));
    const started = performance.now();
    expect(filter(record(`${'a'.repeat(60_000)}!`))).toBe(false);
    // 28 characters cost a backtracking engine 15 s; this bound only tells linear from exponential.
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test('names what it has', () => {
    const labels = labelsOf(
      record(new Uint8Array([0xff]), {
        severityText: 'WARNING',
        traceId: 'ab',
        attributes: { 'service.name': 'own', level: '30', __proto__: 'x', '9x': true },
      }),
    );
    expect({ ...labels }).toEqual({
      service_name: 'checkout',
      host_name: 'h1',
      level: 'warn',
      detected_level: 'warn',
      severity_text: 'WARNING',
      trace_id: 'ab',
      key_9x: 'true',
    });
  });

  test.each([
    [1, '', 'trace'],
    [8, '', 'debug'],
    [12, 'error', 'info'],
    [13, '', 'warn'],
    [20, '', 'error'],
    [24, '', 'fatal'],
    [0, 'Err', 'error'],
    [0, 'CRITICAL', 'critical'],
    [0, 'odd', 'unknown'],
    [99, '', 'unknown'],
  ])('of severity %d %s is %s', (severityNumber, severityText, level) => {
    expect(levelOf(record('', { severityNumber, severityText }))).toBe(level);
  });

  test.each([
    ['k8s.pod.name', 'k8s_pod_name'],
    ['3x-y', 'key_3x_y'],
    ['ok', 'ok'],
  ])('names %s %s', (attribute, name) => {
    expect(labelName(attribute)).toBe(name);
  });
});
