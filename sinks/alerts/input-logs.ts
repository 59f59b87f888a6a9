import { isMap, isScalar, type Node } from 'yaml';

import type { LogRecord } from '../../broker/records/otlp/model.ts';
import { Cursor } from '../logql/cursor.ts';
import { LogqlError } from '../logql/error.ts';
import type { YamlReader } from './yaml-reader.ts';

/** Lines of a rule test: one record, or one repeated. Times in ms from the test's start. */
export interface InputLog {
  readonly labels: ReadonlyMap<string, string>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly line: string;
  readonly atMs: number;
  readonly everyMs: number;
  readonly count: number;
}

/** More is no test of a rule any more. */
const COUNT_MAX = 100_000;

/**
 * Reads one element of `input_logs`: `{service_name="x"} "line" @ 10s [repeat every 10s for 6]
 * [metadata k="v"]`, or the same as a map `{labels, line, at, every, for, metadata}`.
 */
export function readInputLog(reader: YamlReader, node: Node): InputLog | undefined {
  if (isMap(node)) return readMap(reader, node);
  if (!isScalar(node) || typeof node.value !== 'string') {
    reader.problem(node, 'cannot read input_logs: got neither a text nor a map');
    return undefined;
  }
  try {
    return parseLine(node.value);
  } catch (error) {
    if (!(error instanceof LogqlError)) throw error;
    reader.problem(node, error.message.replace('parse query', 'read input_logs'), error.offset);
    return undefined;
  }
}

const MAP_KEYS = ['labels', 'line', 'at', 'every', 'for', 'metadata'];

function readMap(reader: YamlReader, node: Node): InputLog | undefined {
  const before = reader.problems.length;
  const fields = reader.fields(node, 'input_logs', MAP_KEYS);
  if (!fields) return undefined;
  const texts = (key: string) =>
    new Map([...reader.texts(fields, key)].map(([name, { text }]) => [name, text]));
  const log = {
    labels: texts('labels'),
    metadata: texts('metadata'),
    line: reader.text(fields, 'line', true) ?? '',
    atMs: reader.durationMs(fields, 'at') ?? 0,
    everyMs: reader.durationMs(fields, 'every') ?? 0,
    count: reader.whole(fields, 'for') ?? 1,
  };
  if (log.count > COUNT_MAX)
    reader.problem(node, `cannot read input_logs: got ${log.count} lines, want at most ${COUNT_MAX}`);
  return reader.problems.length > before ? undefined : log;
}

function parseLine(source: string): InputLog {
  const cursor = new Cursor(source);
  cursor.expect('{', 'labels {…}');
  const labels = parsePairs(cursor, '}');
  cursor.expect('}');
  const line = cursor.string('the line as a string').value;
  cursor.expect('@', '@ and a time');
  const atMs = parseTime(cursor);
  let everyMs = 0;
  let count = 1;
  if (cursor.isWord('repeat')) {
    cursor.next();
    word(cursor, 'every');
    everyMs = parseTime(cursor);
    word(cursor, 'for');
    const times = cursor.next();
    if (
      times.kind !== 'number' ||
      !Number.isInteger(times.value) ||
      times.value < 1 ||
      times.value > COUNT_MAX
    ) {
      cursor.fail(`how often, 1 to ${COUNT_MAX}`, times);
    }
    count = (times as { value: number }).value;
  }
  let metadata = new Map<string, string>();
  if (cursor.isWord('metadata')) {
    cursor.next();
    metadata = parsePairs(cursor, '');
  }
  if (cursor.token.kind !== 'end') cursor.fail('repeat, metadata or the end');
  return { labels, metadata, line, atMs, everyMs, count };
}

/** `a="b", c="d"`; commas may be left out. */
function parsePairs(cursor: Cursor, end: string): Map<string, string> {
  const pairs = new Map<string, string>();
  while (cursor.token.kind !== 'end' && !(end !== '' && cursor.is(end))) {
    const name = cursor.identifier('a name').text;
    cursor.expect('=');
    pairs.set(name, cursor.string('a string').value);
    cursor.accept(',');
  }
  return pairs;
}

function parseTime(cursor: Cursor): number {
  const token = cursor.next();
  if (token.kind === 'duration') return Math.round(token.value * 1_000);
  if (token.kind === 'number' && token.value === 0) return 0;
  return cursor.fail('a time such as 10s', token);
}

function word(cursor: Cursor, want: string): void {
  if (!cursor.isWord(want)) cursor.fail(want);
  cursor.next();
}

/** A label `level` sets the severity, as a sender would. Everything else in `labels` is of the resource. */
export function recordOf({ labels, metadata, line }: InputLog, atMs: number): LogRecord {
  const resource = Object.create(null) as Record<string, string>;
  let severityText = '';
  for (const [name, value] of labels) {
    if (name === 'level' || name === 'detected_level') severityText = value;
    else resource[name] = value;
  }
  return {
    timeUnixNano: BigInt(atMs) * 1_000_000n,
    observedTimeUnixNano: 0n,
    severityNumber: 0,
    severityText,
    body: line,
    attributes: Object.assign(Object.create(null), Object.fromEntries(metadata)) as Record<string, string>,
    droppedAttributesCount: 0,
    flags: 0,
    traceId: '',
    spanId: '',
    eventName: '',
    resource: { attributes: resource, schemaUrl: '' },
    scope: { name: '', version: '', attributes: {}, droppedAttributesCount: 0, schemaUrl: '' },
  };
}
