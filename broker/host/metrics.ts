/**
 * Counters, gauges and histograms of one process, in Prometheus' terms.
 *
 * Names carry the unit and `_total` for counters (`millrace_collector_accepted_records_total`). Label sets are
 * small and bounded: never a value that a sender chooses. Recording is a field update; reading is a snapshot,
 * which crosses process borders as plain JSON.
 */
export type Labels = Readonly<Record<string, string>>;

export interface Metrics {
  counter(name: string, help: string): Counter;
  gauge(name: string, help: string): Gauge;
  /** `bounds` are the upper bounds of the buckets, ascending, without +Inf. */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram;
  /** Called before every snapshot, to set gauges that are computed rather than kept. */
  onCollect(fn: () => void): void;
  snapshot(): MetricFamily[];
}

export interface Counter {
  add(value: number, labels?: Labels): void;
}

export interface Gauge {
  set(value: number, labels?: Labels): void;
  /** Forgets all series, so that those not set again disappear. */
  reset(): void;
  /** A set of series to be filled over several turns; nobody sees it before it takes the place of all others. */
  draft(): GaugeDraft;
}

export interface GaugeDraft {
  set(value: number, labels?: Labels): void;
  publish(): void;
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly series: readonly MetricSeries[];
}

export interface MetricSeries {
  readonly labels: Labels;
  /** Counter and gauge: the value. Histogram: the sum. */
  readonly value: number;
  /** Histogram only: bounds, counts per bucket (one more than bounds, not cumulative) and their total. */
  readonly buckets?: {
    readonly bounds: readonly number[];
    readonly counts: readonly number[];
    readonly count: number;
  };
}

/** Series a family may have; more are refused and counted in `millrace_metrics_dropped_series_total`. */
const SERIES_MAX = 5_000;

interface Series {
  labels: Labels;
  value: number;
  counts?: number[];
  count: number;
}

class Family {
  series = new Map<string, Series>();
  readonly name: string;
  readonly help: string;
  readonly type: MetricFamily['type'];
  readonly bounds: readonly number[];
  readonly onDrop: () => void;

  constructor(
    name: string,
    help: string,
    type: MetricFamily['type'],
    bounds: readonly number[],
    onDrop: () => void,
  ) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.bounds = bounds;
    this.onDrop = onDrop;
  }

  add(value: number, labels: Labels = {}): void {
    const series = this.of(labels);
    if (series) series.value += value;
  }

  set(value: number, labels: Labels = {}): void {
    const series = this.of(labels);
    if (series) series.value = value;
  }

  reset(): void {
    this.series.clear();
  }

  observe(value: number, labels: Labels = {}): void {
    const series = this.of(labels);
    if (!series) return;
    series.counts ??= Array.from({ length: this.bounds.length + 1 }, () => 0);
    let bucket = this.bounds.findIndex((bound) => value <= bound);
    if (bucket === -1) bucket = this.bounds.length;
    series.counts[bucket]! += 1;
    series.count += 1;
    series.value += value;
  }

  draft(): GaugeDraft {
    const drafted = new Map<string, Series>();
    return {
      set: (value, labels = {}) => {
        const series = this.of(labels, drafted);
        if (series) series.value = value;
      },
      publish: () => {
        this.series = drafted;
      },
    };
  }

  private of(labels: Labels, all = this.series): Series | undefined {
    const key = keyOf(labels);
    const found = all.get(key);
    if (found) return found;
    if (all.size >= SERIES_MAX) {
      this.onDrop();
      return undefined;
    }
    const made: Series = { labels, value: 0, count: 0 };
    all.set(key, made);
    return made;
  }

  snapshot(): MetricFamily {
    const series = [...this.series.values()].map(({ labels, value, counts, count }) =>
      counts
        ? { labels, value, buckets: { bounds: this.bounds, counts: [...counts], count } }
        : { labels, value },
    );
    return { name: this.name, help: this.help, type: this.type, series };
  }
}

function keyOf(labels: Labels): string {
  let key = '';
  for (const name of Object.keys(labels).sort()) key += `${name}\u0001${labels[name]}\u0002`;
  return key;
}

/** A registry; asking twice for one name gives the same family, asking with another type is a bug. */
export function createMetrics(): Metrics {
  const families = new Map<string, Family>();
  const collectors: Array<() => void> = [];
  let dropped = 0;
  const family = (
    name: string,
    help: string,
    type: MetricFamily['type'],
    bounds: readonly number[] = [],
  ): Family => {
    const found = families.get(name);
    if (found && found.type !== type) {
      throw new Error(`cannot register metric ${name}: got type ${type}, want ${found.type} as before`);
    }
    if (found) return found;
    const made = new Family(name, help, type, bounds, () => {
      dropped += 1;
    });
    families.set(name, made);
    return made;
  };
  return {
    counter: (name, help) => family(name, help, 'counter'),
    gauge: (name, help) => family(name, help, 'gauge'),
    histogram: (name, help, bounds) => family(name, help, 'histogram', bounds),
    onCollect: (fn) => void collectors.push(fn),
    snapshot() {
      for (const collect of collectors) collect();
      const all = [...families.values()].map((one) => one.snapshot());
      if (dropped > 0) {
        all.push({
          name: 'millrace_metrics_dropped_series_total',
          help: 'Updates refused because a metric had too many label sets.',
          type: 'counter',
          series: [{ labels: {}, value: dropped }],
        });
      }
      return all;
    },
  };
}
