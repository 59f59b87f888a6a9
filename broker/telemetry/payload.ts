/** A client's metrics as the pipeline reads them: OTLP, with who pushed them among the resource's attributes. */
import { codecOf } from '../records/codecs.ts';
import { Cursor } from '../records/otlp/cursor.ts';
import { walkRequest } from '../records/otlp/walk.ts';
import { Writer } from '../records/otlp/writer.ts';

export interface Payload {
  readonly value: Buffer;
  /** Data points. */
  readonly count: number;
}

/** `resource_metrics` and `resource`, both field 1 with a length. */
const FIRST_FIELD = (1 << 3) | 2;

/** MetricsData has the wire form of ExportMetricsServiceRequest. @throws Error on what is no OTLP or too large */
export function decoratedPayload(
  packed: Buffer,
  compressionType: number,
  attributes: Readonly<Record<string, string>>,
  bytesMax: number,
): Payload {
  const bytes = codecOf(compressionType).decompress(packed, bytesMax);
  const count = walkRequest('metrics', bytes).groups.reduce((sum, group) => sum + group.count, 0);
  const writer = new Writer();
  const cursor = new Cursor(bytes);
  while (cursor.at < cursor.end) {
    const start = cursor.at;
    const tag = cursor.tag();
    if (tag === FIRST_FIELD) writeGroup(writer, cursor.view(), attributes);
    else {
      cursor.skip(tag);
      writer.appendFrom(bytes, start, cursor.at);
    }
  }
  const value = writer.finish();
  if (value.length > bytesMax) throw new Error(`got ${value.length} bytes of metrics, want ${bytesMax}`);
  return { value, count };
}

function writeGroup(writer: Writer, group: Buffer, attributes: Readonly<Record<string, string>>): void {
  const cursor = new Cursor(group);
  const rest: Buffer[] = [];
  const resources: Buffer[] = [];
  while (cursor.at < cursor.end) {
    const start = cursor.at;
    const tag = cursor.tag();
    if (tag === FIRST_FIELD) resources.push(cursor.view());
    else {
      cursor.skip(tag);
      rest.push(group.subarray(start, cursor.at));
    }
  }
  const outer = writer.begin(1);
  const resource = writer.begin(1);
  for (const one of resources) writer.append(one);
  writer.attributes(1, attributes);
  writer.end(resource);
  for (const one of rest) writer.append(one);
  writer.end(outer);
}
