import type { AnyValue, Attributes } from './model.ts';
import { Writer } from './writer.ts';

/** What a sender says about a resource or a scope; what is left out is not written. */
export interface ResourceToWrite {
  readonly attributes?: Attributes;
  readonly schemaUrl?: string;
}

export interface ScopeToWrite {
  readonly name?: string;
  readonly version?: string;
  readonly attributes?: Attributes;
  readonly schemaUrl?: string;
}

export interface LogRecordToWrite {
  readonly timeUnixNano?: bigint;
  readonly observedTimeUnixNano?: bigint;
  readonly severityNumber?: number;
  readonly severityText?: string;
  /** Bytes become `bytes_value`; use `text` for bytes that are known to be UTF-8. */
  readonly body?: AnyValue;
  /** A body that is UTF-8 already: written as `string_value` without being decoded. Wins over `body`. */
  readonly text?: Uint8Array;
  readonly attributes?: Attributes;
  readonly flags?: number;
  /** Hex. */
  readonly traceId?: string;
  readonly spanId?: string;
  readonly eventName?: string;
}

export interface LogsToWrite {
  readonly resource?: ResourceToWrite;
  readonly scope?: ScopeToWrite;
  readonly records: readonly LogRecordToWrite[];
}

/** One ExportLogsServiceRequest with a ResourceLogs for each element. */
export function encodeLogs(...groups: readonly LogsToWrite[]): Buffer {
  const writer = new Writer();
  for (const { resource, scope, records } of groups) {
    writeGroup(writer, resource, scope, () => {
      for (const record of records) writeLogRecord(writer, 2, record);
    });
  }
  return writer.finish();
}

/** A LogRecord as field `field` of the open message. */
export function writeLogRecord(writer: Writer, field: number, record: LogRecordToWrite): void {
  const start = writer.begin(field);
  if (record.timeUnixNano) writer.fixed64(1, record.timeUnixNano);
  if (record.severityNumber) writer.int64(2, record.severityNumber);
  if (record.severityText) writer.text(3, record.severityText);
  if (record.text) {
    const body = writer.begin(5);
    writer.raw(1, record.text);
    writer.end(body);
  } else if (record.body !== undefined && record.body !== null) writer.anyValue(5, record.body);
  if (record.attributes) writer.attributes(6, record.attributes);
  if (record.flags) writer.fixed32(8, record.flags);
  if (record.traceId) writer.hex(9, record.traceId);
  if (record.spanId) writer.hex(10, record.spanId);
  if (record.observedTimeUnixNano) writer.fixed64(11, record.observedTimeUnixNano);
  if (record.eventName) writer.text(12, record.eventName);
  writer.end(start);
}

/** The envelope of all signals: one resource, one scope, the records written by `records` as field 2. */
export function writeGroup(
  writer: Writer,
  resource: ResourceToWrite | undefined,
  scope: ScopeToWrite | undefined,
  records: () => void,
): void {
  const group = writer.begin(1);
  if (resource?.attributes) {
    const start = writer.begin(1);
    writer.attributes(1, resource.attributes);
    writer.end(start);
  }
  const scoped = writer.begin(2);
  if (scope) {
    const start = writer.begin(1);
    if (scope.name) writer.text(1, scope.name);
    if (scope.version) writer.text(2, scope.version);
    if (scope.attributes) writer.attributes(3, scope.attributes);
    writer.end(start);
  }
  records();
  if (scope?.schemaUrl) writer.text(3, scope.schemaUrl);
  writer.end(scoped);
  if (resource?.schemaUrl) writer.text(3, resource.schemaUrl);
  writer.end(group);
}
