import { type History, type Operation, polled, type Polled, type Send, sends } from './history.ts';

export interface Write {
  readonly operation: Operation;
  readonly send: Send;
}

/**
 * A history from the other side: by value and by offset. The order of versions of a partition is the order of its
 * offsets, as acknowledgements and readers tell them.
 */
export class IndexedHistory {
  readonly operations: readonly Operation[];
  readonly complete: boolean;
  readonly writes = new Map<string, Write>();
  /** Where each value was said to be, `partition:offset`. */
  readonly places = new Map<string, Set<string>>();
  /** What was said to be at each place. */
  readonly values = new Map<string, Set<string>>();
  /** Read by somebody who reads committed records only. */
  readonly read = new Set<string>();
  /** Highest offset that such a reader got, by partition. */
  readonly readTo = new Map<number, number>();
  /** Offsets, ascending, by partition: committed for certain or read as such. */
  readonly #committed = new Map<number, number[]>();
  readonly #committedPlaces = new Set<string>();
  /** All that are known. */
  readonly #known = new Map<number, number[]>();

  constructor({ operations, complete }: History) {
    this.operations = operations;
    this.complete = complete;
    for (const operation of operations) {
      for (const send of sends(operation)) {
        if (this.writes.has(send.value)) throw new Error(`cannot check: ${send.value} was sent twice`);
        this.writes.set(send.value, { operation, send });
        if (send.offset === undefined) continue;
        this.#place(send.partition, send.offset, send.value, operation.outcome === 'ok');
      }
      const committed = operation.session?.isolation === 'read_committed';
      for (const record of polled(operation)) this.#readAt(record, committed);
    }
    for (const offsets of [...this.#committed.values(), ...this.#known.values()]) {
      offsets.sort((a, b) => a - b);
    }
  }

  /** The first place of the value, if any is known. */
  offsetOf(value: string): number | undefined {
    const [place] = this.places.get(value) ?? [];
    return place === undefined ? undefined : Number(place.split(':')[1]);
  }

  /** A known record between the two offsets, which a reader of that kind has to get; undefined when there is none. */
  between(partition: number, after: number, before: number, committed: boolean): number | undefined {
    const offsets = (committed ? this.#committed : this.#known).get(partition) ?? [];
    let low = 0;
    let high = offsets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (offsets[middle]! > after) high = middle;
      else low = middle + 1;
    }
    const next = offsets[low];
    return next !== undefined && next < before ? next : undefined;
  }

  committedOffsets(): ReadonlyMap<number, readonly number[]> {
    return this.#committed;
  }

  valueAt(partition: number, offset: number): string {
    return [...(this.values.get(`${partition}:${offset}`) ?? [])].join(' and ');
  }

  /** Committed for certain, or with an unknown end but read as committed. */
  happened(operation: Operation): boolean {
    if (operation.outcome !== 'unknown') return operation.outcome === 'ok';
    return sends(operation).some(({ value }) => this.read.has(value));
  }

  #readAt({ partition, offset, value }: Polled, committed: boolean): void {
    this.#place(partition, offset, value, committed);
    if (!committed) return;
    this.read.add(value);
    this.readTo.set(partition, Math.max(offset, this.readTo.get(partition) ?? -1));
  }

  #place(partition: number, offset: number, value: string, committed: boolean): void {
    const place = `${partition}:${offset}`;
    if (!this.values.has(place)) pushTo(this.#known, partition, offset);
    addTo(this.values, place, value);
    addTo(this.places, value, place);
    if (!committed || this.#committedPlaces.has(place)) return;
    this.#committedPlaces.add(place);
    pushTo(this.#committed, partition, offset);
  }
}

function addTo(sets: Map<string, Set<string>>, key: string, value: string): void {
  const found = sets.get(key);
  if (found) found.add(value);
  else sets.set(key, new Set([value]));
}

function pushTo(lists: Map<number, number[]>, key: number, value: number): void {
  const found = lists.get(key);
  if (found) found.push(value);
  else lists.set(key, [value]);
}
