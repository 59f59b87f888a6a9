import type { Workplace } from './workplace.ts';

/** One line of the table. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** What the value depends on: sizes, connections, durability. */
  readonly note?: string;
}

export interface BenchContext {
  /** How long each measured phase runs; totals are scaled by it where a phase has a fixed amount of work. */
  readonly seconds: number;
  readonly workplace: Workplace;
  /** Progress, for whoever waits. */
  readonly say: (text: string) => void;
  readonly report: (figure: Figure) => void;
}

/** A member of the list in `benches.ts`. Starts what it measures, and leaves cleaning up to the workplace. */
export interface Bench {
  readonly name: string;
  readonly about: string;
  readonly run: (context: BenchContext) => Promise<void>;
}
