/** Found log lines in the shape of Loki's `streams` result. */
import { labelsOf, lineOf, resourceLabels, streamLabels, timestampNsOf } from '../../sinks/logql/labels.ts';
import type { FoundLog } from './log-rows.ts';

export interface LokiStream {
  readonly stream: Record<string, string>;
  /** ns as a decimal string, line, and with categorised labels what is no stream label. */
  readonly values: Array<[ns: string, line: string, categories?: Categories]>;
}

export interface Categories {
  structuredMetadata?: Record<string, string>;
  parsed?: Record<string, string>;
}

/**
 * `categorize`: as Grafana asks with `X-Loki-Response-Encoding-Flags: categorize-labels`; else every label is a
 * stream label, and lines that differ in one are streams of their own. Order within a stream is that of `found`.
 */
export function lokiStreams(found: readonly FoundLog[], categorize: boolean): LokiStream[] {
  const streams = new Map<string, LokiStream>();
  for (const { record, extracted } of found) {
    const stream = Object.fromEntries(streamLabels(record.resource));
    const metadata = labelsOf(record);
    for (const name of Object.keys(stream)) delete metadata[name];
    const parsed = Object.fromEntries(extracted);
    const labels = categorize ? stream : { ...stream, ...metadata, ...parsed };
    const key = JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
    let into = streams.get(key);
    if (!into) {
      into = { stream: labels, values: [] };
      streams.set(key, into);
    }
    const value: [string, string] = [String(timestampNsOf(record)), lineOf(record)];
    if (!categorize) into.values.push(value);
    else {
      into.values.push([
        ...value,
        {
          ...(Object.keys(metadata).length > 0 ? { structuredMetadata: metadata } : {}),
          ...(extracted.size > 0 ? { parsed } : {}),
        },
      ]);
    }
  }
  return [...streams.values()];
}

/** A resource's attributes as stream labels. */
export function streamOf(attributes: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(resourceLabels(attributes));
}
