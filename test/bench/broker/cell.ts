import type { Workplace } from '../workplace.ts';
import type { Side } from './side.ts';

/** One row group of the report: a client, what it sends, and what is measured of it. */
export interface Cell {
  readonly name: string;
  readonly about: string;
  readonly client: 'java' | 'kafkajs' | 'platformatic' | 'librdkafka';
  readonly recordBytes: number;
  readonly partitions: number;
  readonly acks: '1' | 'all';
  /** Settings that Kafka's topic gets and ours does not. */
  readonly kafkaTopic?: Readonly<Record<string, string>>;
  /** For the first run, before the machine's own rate is known. */
  readonly recordsPerSecond: number;
  /** Where more can be read than sent: how many records make a read about as long as other runs. */
  readonly readPerSecond?: number;
  readonly work: (run: Run) => Promise<void>;
}

/** One cell under way: its brokers, both running, and where its figures go. */
export interface Run {
  readonly cell: Cell;
  readonly workplace: Workplace;
  readonly sides: readonly Side[];
  readonly pairs: number;
  /** About how long each timed piece of work takes. */
  readonly seconds: number;
  readonly client: Client;
  readonly note: (side: Side, measure: MeasureName, value: number) => void;
  /** Does it for every side `pairs` times, alternating, and shows the progress. */
  readonly alternate: (what: string, work: (side: Side, pair: number) => Promise<void>) => Promise<void>;
  /** What is done before anything counts, of all sides or some. */
  readonly prepare: (
    what: string,
    work: (side: Side) => Promise<void>,
    sides?: readonly Side[],
  ) => Promise<void>;
}

/** What a client sends in one go. */
export interface Order {
  readonly topic: string;
  readonly partitions: number;
  readonly recordBytes: number;
  readonly acks: '1' | 'all';
  readonly records: number;
  /** Default: as fast as it goes. */
  readonly recordsPerSecond?: number;
}

export interface Done {
  readonly records: number;
  readonly seconds: number;
}

export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** A client program or library, in a process that goes on over all runs, so that it is warm. */
export interface Client {
  /** Ends when everything is acknowledged. @throws when anything was refused */
  produce(side: Side, order: Order): Promise<Done & { readonly latency?: Latency }>;
  /** Reads the topic from its start, exactly so many records. @throws when there are fewer */
  consume(side: Side, order: Order): Promise<Done>;
  /** User and system time of the processes that do it, so far. */
  cpuSeconds(): number;
}

export interface Measure {
  readonly unit: string;
  /** Neither: what explains others. */
  readonly better: 'more' | 'less' | 'neither';
}

/** All that is ever measured, in the order in which it is reported. */
export const MEASURES = {
  produce: { unit: 'MiB/s', better: 'more' },
  'produce records': { unit: 'records/s', better: 'more' },
  'produce CPU': { unit: 'ms/MiB', better: 'less' },
  'produce client CPU': { unit: 'ms/MiB', better: 'neither' },
  'produce idle': { unit: '%', better: 'neither' },
  'produce warm-ups': { unit: 'runs', better: 'neither' },
  'produce p50': { unit: 'ms', better: 'less' },
  'produce p99': { unit: 'ms', better: 'less' },
  'produce p99.9': { unit: 'ms', better: 'less' },
  'idle at half the rate': { unit: '%', better: 'neither' },
  consume: { unit: 'MiB/s', better: 'more' },
  'consume records': { unit: 'records/s', better: 'more' },
  'consume CPU': { unit: 'ms/MiB', better: 'less' },
  'consume client CPU': { unit: 'ms/MiB', better: 'neither' },
  'consume idle': { unit: '%', better: 'neither' },
  'consume warm-ups': { unit: 'runs', better: 'neither' },
  'end to end mean': { unit: 'ms', better: 'less' },
  'end to end p50': { unit: 'ms', better: 'less' },
  'end to end p99': { unit: 'ms', better: 'less' },
  'end to end p99.9': { unit: 'ms', better: 'less' },
  'end to end warm-ups': { unit: 'runs', better: 'neither' },
  'event loop p99.9': { unit: 'ms', better: 'less' },
  'event loop max': { unit: 'ms', better: 'less' },
  'event loop p99.9 on processor': { unit: 'ms', better: 'less' },
  'tail p50': { unit: 'ms', better: 'less' },
  'tail p99': { unit: 'ms', better: 'less' },
  'tail p50 beside catch-up': { unit: 'ms', better: 'less' },
  'tail p99 beside catch-up': { unit: 'ms', better: 'less' },
  'catch-up': { unit: 'MiB/s', better: 'more' },
  'peak memory': { unit: 'MiB', better: 'less' },
  'memory after the start': { unit: 'MiB', better: 'less' },
  start: { unit: 's', better: 'less' },
} as const satisfies Readonly<Record<string, Measure>>;
export type MeasureName = keyof typeof MEASURES;
