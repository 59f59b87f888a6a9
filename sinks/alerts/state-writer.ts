import type { ProduceRecord } from '../../broker/client/port.ts';
import { encode } from './state.ts';

/** One thing to store: `source` changes identity whenever the value changes. */
export interface StateEntry {
  readonly key: string;
  readonly source: unknown;
  readonly value: () => object;
}

/**
 * Knows what the topic holds, and so which records bring it up to date: the changed ones, and a null for each
 * key that is gone.
 */
export class StateWriter {
  /** By key: what was written last, or UNKNOWN while a write of it has no outcome. */
  private readonly written = new Map<string, unknown>();

  /** Keys that the topic holds from an earlier run: written again, or removed. */
  remember(keys: Iterable<string>): void {
    for (const key of keys) this.written.set(key, UNKNOWN);
  }

  /** Records to send; `done` once they are durable. Without it the next call gives them again. */
  changes(entries: readonly StateEntry[]): { records: ProduceRecord[]; done: () => void } {
    const changed = entries.filter(({ key, source }) => this.written.get(key) !== source);
    const present = new Set(entries.map(({ key }) => key));
    const gone = [...this.written.keys()].filter((key) => !present.has(key));
    const records = [
      ...gone.map((key) => ({ key: Buffer.from(key), value: null, partition: 0 })),
      ...changed.map(({ key, value }) => ({ key: Buffer.from(key), value: encode(value()), partition: 0 })),
    ];
    for (const { key } of changed) this.written.set(key, UNKNOWN);
    return {
      records,
      done: () => {
        for (const key of gone) this.written.delete(key);
        for (const { key, source } of changed) this.written.set(key, source);
      },
    };
  }
}

const UNKNOWN = Symbol('a write without an outcome');
