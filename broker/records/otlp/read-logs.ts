import type { Cursor } from './cursor.ts';
import type { AnyValue, LogRecord, Resource, Scope } from './model.ts';
import { readEnvelope } from './read-envelope.ts';
import { internedText, newAttributes, readKeyValue, readValue } from './values.ts';

/**
 * The records of an ExportLogsServiceRequest (or LogsData), in the order of the wire: a record's place in the
 * array is its index in the Kafka record.
 * @throws OtlpError when the bytes are not one; what the gateway accepted always is
 */
export function readLogs(value: Buffer): LogRecord[] {
  const records: LogRecord[] = [];
  readEnvelope(value, (cursor, resource, scope) => records.push(readLogRecord(cursor, resource, scope)));
  return records;
}

function readLogRecord(cursor: Cursor, resource: Resource, scope: Scope): LogRecord {
  const outer = cursor.enter();
  let timeUnixNano = 0n;
  let observedTimeUnixNano = 0n;
  let severityNumber = 0;
  let severityText = '';
  let body: AnyValue = null;
  const attributes = newAttributes();
  let droppedAttributesCount = 0;
  let flags = 0;
  let traceId = '';
  let spanId = '';
  let eventName = '';
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    switch (tag) {
      case (1 << 3) | 1:
        timeUnixNano = cursor.fixed64();
        break;
      case 2 << 3:
        severityNumber = cursor.int32();
        break;
      case (3 << 3) | 2:
        severityText = internedText(cursor);
        break;
      case (5 << 3) | 2:
        body = readValue(cursor);
        break;
      case (6 << 3) | 2:
        readKeyValue(cursor, attributes);
        break;
      case 7 << 3:
        droppedAttributesCount = cursor.uint32();
        break;
      case (8 << 3) | 5:
        flags = cursor.fixed32();
        break;
      case (9 << 3) | 2:
        traceId = cursor.hex();
        break;
      case (10 << 3) | 2:
        spanId = cursor.hex();
        break;
      case (11 << 3) | 1:
        observedTimeUnixNano = cursor.fixed64();
        break;
      case (12 << 3) | 2:
        eventName = internedText(cursor);
        break;
      default:
        cursor.skip(tag);
    }
  }
  cursor.leave(outer);
  return {
    timeUnixNano,
    observedTimeUnixNano,
    severityNumber,
    severityText,
    body,
    attributes,
    droppedAttributesCount,
    flags,
    traceId,
    spanId,
    eventName,
    resource,
    scope,
  };
}
