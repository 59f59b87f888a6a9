import type { LogRecord } from '../../broker/records/otlp/model.ts';
import type { RangeAggregation } from '../logql/ast.ts';
import { lineBytesOf, lineOf, streamLabels } from '../logql/labels.ts';
import { compilePipeline, type Extracted, labelIn, type Pipeline } from '../logql/match.ts';
import { type Labels, labelsKey, newLabels } from './labels.ts';

/** What makes a series of its own: the labels of a `sum` directly around the range, which is done with it … */
export type Partition =
  | { readonly by: readonly string[] }
  /** … or stream labels, what parsers extracted and those of these names, less those that `without` takes away. */
  | { readonly streamsAnd: readonly string[]; readonly without?: readonly string[] };

/**
 * A range aggregation kept up to date by the records themselves: counters by key in buckets of event time.
 *
 * Bucket b covers ((b-1)·width, b·width]. The width divides both the rule's interval and its range, and rules
 * are judged at multiples of the interval, so that the window (t - range, t] is exactly a run of buckets.
 */
export class Window {
  readonly rangeMs: number;
  readonly bucketMs: number;
  readonly series = new Map<string, Series>();
  /** Of all series: what memory and the stored state grow with. */
  bucketCount = 0;
  private readonly pipeline: Pipeline;
  private readonly ofBytes: boolean;
  private readonly isRate: boolean;
  private readonly partition: Partition;
  private readonly names: readonly string[];

  constructor(range: RangeAggregation, partition: Partition, intervalMs: number) {
    this.rangeMs = range.rangeMs;
    this.bucketMs = greatestCommonDivisor(range.rangeMs, intervalMs);
    this.pipeline = compilePipeline(range.query);
    this.ofBytes = range.op === 'bytes_over_time' || range.op === 'bytes_rate';
    this.isRate = range.op === 'rate' || range.op === 'bytes_rate';
    this.partition = partition;
    this.names = [...new Set('by' in partition ? partition.by : partition.streamsAnd)].sort();
  }

  /** Undefined when the record does not match; else the labels it counts under. */
  match(record: LogRecord): Labels | undefined {
    const extracted = this.pipeline(record);
    return extracted ? this.labelsFor(record, extracted) : undefined;
  }

  /** Counts a record under its labels. Returns false when that needs a series or bucket beyond the limits. */
  add(key: string, labels: Labels, record: LogRecord, eventMs: number, limits: WindowLimits): boolean {
    let series = this.series.get(key);
    const bucket = Math.ceil(eventMs / this.bucketMs);
    if (!series?.buckets.has(bucket)) {
      if (this.bucketCount >= limits.bucketsMax) return false;
      if (!series) {
        if (this.series.size >= limits.seriesMax) return false;
        series = { labels, buckets: new Map(), samples: [] };
        this.series.set(key, series);
      }
      this.bucketCount += 1;
    }
    const line = lineOf(record);
    const amount = this.ofBytes ? lineBytesOf(record) : 1;
    series.buckets.set(bucket, (series.buckets.get(bucket) ?? 0) + amount);
    if (series.samples.length >= limits.samplesMax) series.samples.shift();
    if (limits.samplesMax > 0) series.samples.push(line.slice(0, SAMPLE_LENGTH_MAX));
    return true;
  }

  /** The aggregation at `atMs`, a multiple of the interval; undefined when nothing is in the window. */
  valueAt(series: Series, atMs: number): number | undefined {
    const last = Math.ceil(atMs / this.bucketMs);
    const first = last - this.rangeMs / this.bucketMs;
    let sum = 0;
    let found = false;
    for (const [bucket, amount] of series.buckets) {
      if (bucket > first && bucket <= last) {
        sum += amount;
        found = true;
      }
    }
    if (!found) return undefined;
    return this.isRate ? (sum * 1_000) / this.rangeMs : sum;
  }

  /** Forgets what no window that ends at `atMs` or later can see. */
  prune(atMs: number): void {
    const first = Math.ceil(atMs / this.bucketMs) - this.rangeMs / this.bucketMs;
    for (const [key, series] of this.series) {
      for (const bucket of series.buckets.keys()) {
        if (bucket > first) continue;
        series.buckets.delete(bucket);
        this.bucketCount -= 1;
      }
      if (series.buckets.size === 0) this.series.delete(key);
    }
  }

  /** As JSON: each series as its labels and bucket, amount, distance to the next bucket, amount, … */
  snapshot(): StoredWindow {
    const series = [...this.series.values()].map(({ labels, buckets }): StoredSeries => {
      const flat: number[] = [];
      let before = 0;
      for (const bucket of [...buckets.keys()].sort((a, b) => a - b)) {
        flat.push(bucket - before, buckets.get(bucket)!);
        before = bucket;
      }
      return [{ ...labels }, flat];
    });
    return { bucketMs: this.bucketMs, series };
  }

  /** Takes over a snapshot; one with another bucket width (a changed interval) is left aside. */
  restore(stored: StoredWindow): boolean {
    if (stored.bucketMs !== this.bucketMs) return false;
    for (const [plain, flat] of stored.series) {
      const labels = newLabels(Object.entries(plain));
      const buckets = new Map<number, number>();
      let bucket = 0;
      for (let at = 0; at + 1 < flat.length; at += 2) {
        bucket += flat[at]!;
        buckets.set(bucket, flat[at + 1]!);
      }
      this.bucketCount += buckets.size;
      this.series.set(labelsKey(labels), { labels, buckets, samples: [] });
    }
    return true;
  }

  private labelsFor(record: LogRecord, extracted: Extracted): Labels {
    const { partition, names } = this;
    // Metadata that nobody names is left out, unlike in Loki: an offset or a trace id would make every record a series.
    const labels = newLabels('by' in partition ? [] : streamLabels(record.resource));
    if (!('by' in partition)) for (const [name, value] of extracted) if (value !== '') labels[name] = value;
    for (const name of names) {
      const value = labelIn(record, extracted, name);
      if (value !== '') labels[name] = value;
    }
    if (!('by' in partition)) for (const name of partition.without ?? []) delete labels[name];
    return labels;
  }
}

export interface Series {
  readonly labels: Labels;
  readonly buckets: Map<number, number>;
  /** The last lines that counted, oldest first. Not kept over a restart. */
  readonly samples: string[];
}

export interface WindowLimits {
  readonly seriesMax: number;
  readonly bucketsMax: number;
  readonly samplesMax: number;
}

export interface StoredWindow {
  readonly bucketMs: number;
  readonly series: readonly StoredSeries[];
}

type StoredSeries = readonly [labels: Labels, buckets: readonly number[]];

/** A sample is a hint in a message, not the record. */
const SAMPLE_LENGTH_MAX = 500;

function greatestCommonDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestCommonDivisor(right, left % right);
}
