import { attributeText } from '../../broker/records/otlp/attribute-text.ts';
import type { LogRecord, Resource } from '../../broker/records/otlp/model.ts';

/**
 * An OTLP log record as Loki sees it: a line with labels.
 *
 * - Stream labels: the resource attributes, dots and other foreign characters as `_` (`service.name` →
 *   `service_name`).
 * - Structured metadata: `level` and `detected_level` from the severity, `severity_text`, `severity_number`,
 *   `trace_id`, `span_id`, `scope_name`, and the log attributes, named likewise. Of a name in both, the fixed
 *   ones win; a stream label wins over metadata.
 *
 * Departure from Loki: a stream selector may name metadata too, since nothing here is indexed by stream.
 */
export type StreamLabels = ReadonlyMap<string, string>;

/** Names that senders choose: the table must not grow with their imagination. */
const NAMES_MAX = 10_000;
const names = new Map<string, string>();

/** `log.file.path` → `log_file_path`; a leading digit gets `key_` in front. Empty stays empty. */
export function labelName(attribute: string): string {
  const known = names.get(attribute);
  if (known !== undefined) return known;
  const replaced = attribute.replace(/[^a-zA-Z0-9_]/g, '_');
  const name = /^[0-9]/.test(replaced) ? `key_${replaced}` : replaced;
  if (names.size >= NAMES_MAX) names.clear();
  names.set(attribute, name);
  return name;
}

// Resources are shared by their records, so the labels are made once a submessage.
const streams = new WeakMap<Resource, StreamLabels>();

export function streamLabels(resource: Resource): StreamLabels {
  const known = streams.get(resource);
  if (known) return known;
  const labels = new Map<string, string>();
  for (const key of Object.keys(resource.attributes)) {
    const text = attributeText(resource.attributes[key] ?? null);
    if (text !== '') labels.set(labelName(key), text);
  }
  streams.set(resource, labels);
  return labels;
}

const FIXED: ReadonlyMap<string, (record: LogRecord) => string> = new Map([
  ['level', levelOf],
  ['detected_level', levelOf],
  ['severity_text', (record: LogRecord) => record.severityText],
  ['severity_number', (record: LogRecord) => (record.severityNumber ? String(record.severityNumber) : '')],
  ['trace_id', (record: LogRecord) => record.traceId],
  ['span_id', (record: LogRecord) => record.spanId],
  ['scope_name', (record: LogRecord) => record.scope.name],
]);

/** One label of a record; the empty string when it has none. */
export function labelOf(record: LogRecord, name: string): string {
  return streamLabels(record.resource).get(name) ?? metadataOf(record, name);
}

export function metadataOf(record: LogRecord, name: string): string {
  const fixed = FIXED.get(name);
  if (fixed) return fixed(record);
  const direct = record.attributes[name];
  if (direct !== undefined) return attributeText(direct);
  for (const key of Object.keys(record.attributes)) {
    if (labelName(key) === name) return attributeText(record.attributes[key] ?? null);
  }
  return '';
}

/** All labels of a record, stream labels and metadata; those without a value are left out. */
export function labelsOf(record: LogRecord): Record<string, string> {
  const labels = Object.create(null) as Record<string, string>;
  for (const key of Object.keys(record.attributes)) {
    const text = attributeText(record.attributes[key] ?? null);
    if (text !== '') labels[labelName(key)] = text;
  }
  for (const [name, read] of FIXED) {
    const text = read(record);
    if (text !== '') labels[name] = text;
    else delete labels[name];
  }
  for (const [name, text] of streamLabels(record.resource)) labels[name] = text;
  return labels;
}

/** The body as text; bytes that are not UTF-8 show as replacement characters, structures as JSON. */
export function lineOf(record: LogRecord): string {
  const { body } = record;
  if (typeof body === 'string') return body;
  return body instanceof Uint8Array
    ? Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()
    : attributeText(body);
}

/** Event time in ns; the time of observation where the sender gave none, 0 where it gave neither. */
export function timestampNsOf(record: LogRecord): bigint {
  return record.timeUnixNano || record.observedTimeUnixNano;
}

const LEVEL_BY_TEXT: ReadonlyMap<string, string> = new Map([
  ['trace', 'trace'],
  ['trc', 'trace'],
  ['debug', 'debug'],
  ['dbg', 'debug'],
  ['info', 'info'],
  ['inf', 'info'],
  ['information', 'info'],
  ['notice', 'info'],
  ['warn', 'warn'],
  ['warning', 'warn'],
  ['wrn', 'warn'],
  ['error', 'error'],
  ['err', 'error'],
  ['critical', 'critical'],
  ['crit', 'critical'],
  ['fatal', 'fatal'],
  ['panic', 'fatal'],
  ['emerg', 'fatal'],
]);

const LEVEL_BY_NUMBER = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/** trace, debug, info, warn, error, critical, fatal or unknown: by the severity's number, else by its text. */
export function levelOf(record: LogRecord): string {
  const { severityNumber, severityText } = record;
  if (severityNumber >= 1 && severityNumber <= 24) return LEVEL_BY_NUMBER[(severityNumber - 1) >> 2]!;
  return LEVEL_BY_TEXT.get(severityText.toLowerCase()) ?? 'unknown';
}
