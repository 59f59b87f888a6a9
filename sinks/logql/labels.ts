import { attributeText } from '../../broker/records/otlp/attribute-text.ts';
import type { Attributes, LogRecord, Resource } from '../../broker/records/otlp/model.ts';
import { replacedText } from '../../broker/records/otlp/values.ts';

/**
 * An OTLP log record as Loki sees it: a line with labels.
 *
 * - Stream labels: the resource attributes, dots and other foreign characters as `_` (`service.name` →
 *   `service_name`).
 * - Structured metadata: `level` and `detected_level` from the severity, `severity_text`, `severity_number`,
 *   `trace_id`, `span_id`, `scope_name`, and the log attributes, named likewise. Of a name in both, the fixed
 *   ones win; a stream label wins over metadata.
 * - Of several attributes with one label name the one that is spelt like the label wins, else the first in the
 *   order of bytes; `service.name` always does. One without a value is not there at all.
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
  const replaced = attribute.replace(/[^a-zA-Z0-9_]/gu, '_');
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
  const labels = resourceLabels(resource.attributes);
  streams.set(resource, labels);
  return labels;
}

/** The same of attributes that are no record's. */
export function resourceLabels(attributes: Attributes): StreamLabels {
  const labels = attributeLabels(attributes);
  const service = attributeText(attributes['service.name'] ?? null);
  if (service !== '') labels.set('service_name', service);
  return labels;
}

function attributeLabels(attributes: Attributes): Map<string, string> {
  const labels = new Map<string, string>();
  let keys: Map<string, string> | undefined;
  for (const key of Object.keys(attributes)) {
    const name = labelName(key);
    const text = attributeText(attributes[key] ?? null);
    if (text === '' || name === '') continue;
    if (name !== key) {
      // Only names that were changed can meet: most attributes never come here twice.
      const other = keys?.get(name);
      if (other === undefined ? labels.has(name) : !precedes(key, other)) continue;
      (keys ??= new Map()).set(name, key);
    } else keys?.set(name, key);
    labels.set(name, text);
  }
  return labels;
}

/** `key` wins over `other`, both of the same label name: neither is spelt like it, or `other` is. */
function precedes(key: string, other: string): boolean {
  return other !== labelName(other) && Buffer.compare(Buffer.from(key), Buffer.from(other)) < 0;
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
  const { attributes } = record;
  const direct = attributeText(attributes[name] ?? null);
  if (direct !== '') return direct;
  let found = '';
  let foundKey: string | undefined;
  for (const key of Object.keys(attributes)) {
    if (labelName(key) !== name || (foundKey !== undefined && !precedes(key, foundKey))) continue;
    const text = attributeText(attributes[key] ?? null);
    if (text === '') continue;
    found = text;
    foundKey = key;
  }
  return found;
}

/** All labels of a record, stream labels and metadata; those without a value are left out. */
export function labelsOf(record: LogRecord): Record<string, string> {
  const labels = Object.create(null) as Record<string, string>;
  for (const [name, text] of attributeLabels(record.attributes)) labels[name] = text;
  for (const [name, read] of FIXED) {
    const text = read(record);
    if (text !== '') labels[name] = text;
    else delete labels[name];
  }
  for (const [name, text] of streamLabels(record.resource)) labels[name] = text;
  return labels;
}

/** The body as text; each run of bytes that are not UTF-8 shows as one replacement character, structures as JSON. */
export function lineOf(record: LogRecord): string {
  const { body } = record;
  if (typeof body === 'string') return body;
  if (!(body instanceof Uint8Array)) return attributeText(body);
  return replacedText(body);
}

/** The length of the line as it was sent. */
export function lineBytesOf(record: LogRecord): number {
  return record.body instanceof Uint8Array ? record.body.byteLength : Buffer.byteLength(lineOf(record));
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
