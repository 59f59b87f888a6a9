/** Samples of Prometheus' text format, and what the status tables take from them. */
import type { PlainRecord } from './record-table.tsx';

export interface Sample {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

/** Lines of other names, comments and what cannot be read are passed over. */
export function parseSamples(text: string, names: ReadonlySet<string>): Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    const match = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line);
    if (!match || !names.has(match[1] ?? '')) continue;
    const labels = Object.create(null) as Record<string, string>;
    for (const [, label = '', quoted = ''] of (match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      labels[label] = quoted.replaceAll(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter));
    }
    samples.push({ name: match[1] ?? '', labels, value: Number(match[3]) });
  }
  return samples;
}

/** Metric name to column. */
export type Columns = Readonly<Record<string, string>>;

export const TOPIC_COLUMNS: Columns = {
  kafka_topic_size_bytes: 'sizeBytes',
  kafka_topic_retention_used_ratio: 'retentionUsedRatio',
};

export const GROUP_COLUMNS: Columns = {
  // Records; what the wire tells is a distance of offsets.
  kafka_consumergroup_lag_sum: 'lag',
  kafka_consumergroup_lag_bytes: 'lagBytes',
  kafka_consumergroup_lag_seconds: 'lagSeconds',
  kafka_consumergroup_unread_expiry_seconds: 'unreadExpirySeconds',
};

/** In the place of what the record says itself. */
const BETTER = 'kafka_consumergroup_lag_sum';

export const PART_COLUMNS: Columns = { process_resident_memory_bytes: 'residentBytes' };

export const STATUS_METRICS: ReadonlySet<string> = new Set(
  [TOPIC_COLUMNS, GROUP_COLUMNS, PART_COLUMNS].flatMap((columns) => Object.keys(columns)),
);

/**
 * Adds the columns to each record from the samples whose labels say the same as it.
 * @param identity column of the record to label of the sample
 */
export function withColumns(
  records: readonly PlainRecord[],
  samples: readonly Sample[],
  columns: Columns,
  identity: Readonly<Record<string, string>>,
): PlainRecord[] {
  return records.map((record) => {
    const added: Record<string, number> = {};
    for (const { name, labels, value } of samples) {
      const column = Object.hasOwn(columns, name) ? columns[name] : undefined;
      if (column === undefined || !Number.isFinite(value)) continue;
      if (record[column] !== undefined && name !== BETTER) continue;
      if (Object.entries(identity).every(([own, label]) => record[own] === labels[label]))
        added[column] = value;
    }
    return { ...record, ...added };
  });
}
