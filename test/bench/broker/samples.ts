/** What was measured of one cell, and what it comes to: pure. */
import { median } from '../statistics.ts';
import { type Measure, MEASURES, type MeasureName } from './cell.ts';
import type { SideName } from './side.ts';

/** One line of the report. */
export interface Summary {
  readonly cell: string;
  readonly measure: MeasureName;
  readonly unit: string;
  readonly better: Measure['better'];
  /** Medians. */
  readonly ours: number | undefined;
  readonly kafka: number | undefined;
  /** Ours by Kafka's, of the runs that stood next to each other; undefined where neither is better. */
  readonly ratio: { readonly median: number; readonly min: number; readonly max: number } | undefined;
  /** All values, in the order of the pairs. */
  readonly values: Readonly<Partial<Record<SideName, readonly number[]>>>;
}

/** Tools tell whole milliseconds, cut off; 0 means anything below 1. */
const BELOW_ONE_MS = 0.5;

export class Samples {
  private readonly cell: string;
  private readonly values = new Map<MeasureName, Map<SideName, number[]>>();

  constructor(cell: string) {
    this.cell = cell;
  }

  /** Of two values of the same run the larger one stands: peaks of its phases. */
  add(side: SideName, measure: MeasureName, pair: number, value: number): void {
    const bySide = this.values.get(measure) ?? new Map<SideName, number[]>();
    this.values.set(measure, bySide);
    const list = bySide.get(side) ?? [];
    bySide.set(side, list);
    list[pair] = Math.max(value, list[pair] ?? Number.NEGATIVE_INFINITY);
  }

  summaries(): Summary[] {
    const names = Object.keys(MEASURES) as MeasureName[];
    return names.flatMap((measure) => {
      const bySide = this.values.get(measure);
      if (!bySide) return [];
      const ours = bySide.get('ours');
      const kafka = bySide.get('kafka');
      const { unit, better } = MEASURES[measure];
      return {
        cell: this.cell,
        measure,
        unit,
        better,
        ours: ours && median(ours),
        kafka: kafka && median(kafka),
        ratio: better === 'neither' ? undefined : ours && kafka && ratioOf(ours, kafka, unit),
        values: { ...(ours && { ours }), ...(kafka && { kafka }) },
      };
    });
  }
}

/** Of each pair, then the middle one and the outermost. */
export function ratioOf(
  ours: readonly number[],
  kafka: readonly number[],
  unit: string,
): { median: number; min: number; max: number } {
  const floor = unit === 'ms' ? BELOW_ONE_MS : 0;
  const ratios = ours
    .slice(0, kafka.length)
    .map((value, pair) => Math.max(value, floor) / Math.max(kafka[pair]!, floor));
  return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) };
}
