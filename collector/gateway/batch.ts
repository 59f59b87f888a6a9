import { RECORD_BYTES_MAX, RECORD_HEADERS } from '../../broker/records/headers.ts';
import { type Walk, type WalkedGroup, eachField } from '../../broker/records/otlp/walk.ts';
import type { Signal } from '../../broker/records/topics.ts';
import { splitGroup } from './split.ts';

/** Who sent a request, when it is one of our agents. */
export interface Sender {
  readonly source: string;
  readonly sequence: string;
}

/** One Kafka record to be. */
export interface BatchRecord {
  readonly key: Buffer | null;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  readonly count: number;
}

export interface Batch {
  readonly records: readonly BatchRecord[];
  readonly truncated: number;
  readonly rejected: number;
}

/**
 * An accepted request as Kafka records: its Resource* submessages as received, put together by key, at most
 * `bytesMax` a record.
 *
 * The key decides the partition and so what stays in order. A batch of one of our agents has one key, its source,
 * since readers drop repeats by the last sequence of a source in a partition. Others are keyed by service and
 * instance, or by service, host and file where the resource names no instance. A resource that names neither
 * service nor host has no key: such records spread over all partitions.
 */
export function batchOf(
  signal: Signal,
  bytes: Buffer,
  walk: Walk,
  sender: Sender | undefined,
  bytesMax = RECORD_BYTES_MAX,
): Batch {
  const values: Value[] = [];
  const open = new Map<string, Value>();
  let truncated = 0;
  let rejected = 0;
  for (const group of walk.groups) {
    if (group.count === 0) continue;
    const key = sender ? sender.source : keyOf(group);
    const length = group.end - group.start;
    if (length > bytesMax) {
      const [contentStart, contentEnd] = contentOf(bytes, group);
      const split = splitGroup(signal, bytes, contentStart, contentEnd, bytesMax);
      truncated += split.truncated;
      rejected += split.rejected;
      for (const { value, count } of split.parts) {
        values.push({ key, pieces: [value], length: value.length, count });
      }
      // What follows with this key must come after the parts.
      open.delete(key);
      continue;
    }
    let value = open.get(key);
    if (!value || value.length + length > bytesMax) {
      value = { key, pieces: [], length: 0, count: 0 };
      values.push(value);
      open.set(key, value);
    }
    value.pieces.push(bytes.subarray(group.start, group.end));
    value.length += length;
    value.count += group.count;
  }
  const records = values.map((value, index) => recordOf(value, sender, index, values.length));
  return { records, truncated, rejected };
}

interface Value {
  readonly key: string;
  readonly pieces: Buffer[];
  length: number;
  count: number;
}

function recordOf(value: Value, sender: Sender | undefined, index: number, total: number): BatchRecord {
  const { key, pieces, count } = value;
  return {
    key: key === '' ? null : Buffer.from(key),
    value: pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, value.length),
    headers: {
      [RECORD_HEADERS.count]: String(count),
      ...(sender && {
        [RECORD_HEADERS.source]: sender.source,
        [RECORD_HEADERS.sequence]: sender.sequence,
        [RECORD_HEADERS.part]: `${index}/${total}`,
      }),
    },
    count,
  };
}

function keyOf({ serviceName, serviceInstanceId, hostName, logFilePath }: WalkedGroup): string {
  if (serviceInstanceId !== '') return `${serviceName}/${serviceInstanceId}`;
  if (serviceName === '' && hostName === '') return '';
  return [serviceName, hostName, logFilePath].filter((part) => part !== '').join('/');
}

function contentOf(bytes: Buffer, group: WalkedGroup): [number, number] {
  let content: [number, number] = [group.end, group.end];
  eachField(bytes, group.start, group.end, (_tag, start, end) => (content = [start, end]));
  return content;
}
