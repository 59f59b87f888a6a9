/**
 * What producers say of their records: asked, acknowledged with an offset, failed for certain, or unknown. Fed with the
 * lines of their journals, which are, with fields separated by spaces:
 *
 *     L life                                 a new identity; what an earlier one left without an end is unknown
 *     I topic partition seq count txn        about to send records seq, seq + 1, …; transaction 0 is none
 *     O topic partition seq offset           acknowledged
 *     F topic partition seq reason           not written, for certain
 *     U topic partition seq reason           nobody knows
 *     B txn  |  C txn                        a transaction begins; is about to be committed
 *     D txn  |  A txn  |  X txn              was committed; was aborted or never asked to commit; has an unknown end
 */
export type Outcome = 'asked' | 'ok' | 'failed' | 'unknown';

/** All that one producer sends to one partition, by `seq`. */
export interface Lane {
  readonly producer: string;
  readonly topic: string;
  readonly partition: number;
  readonly outcomes: Outcome[];
  /** -1: none was told. */
  readonly offsets: number[];
  readonly transactions: number[];
  readonly lives: number[];
  /** The reading of the journals that found the acknowledgement; 0: none yet. */
  readonly okSince: number[];
}

export interface Transaction {
  state: 'open' | 'asked' | 'committed' | 'aborted' | 'unknown';
  /** The reading of the journals that found the commit's answer. */
  committedSince: number;
  readonly sends: Array<{ readonly lane: Lane; readonly seq: number }>;
}

export interface Outcomes {
  ok: number;
  failed: number;
  unknown: number;
}

export class Ledger {
  readonly lanes = new Map<string, Lane>();
  readonly transactions = new Map<string, Transaction>();
  /** Why sends did not end well, and how often. */
  readonly reasons = new Map<string, number>();
  /** Number of the reading of the journals that is under way. */
  reading = 0;
  readonly #lives = new Map<string, number>();

  lane(producer: string, topic: string, partition: number): Lane {
    const key = laneKey(producer, topic, partition);
    let lane = this.lanes.get(key);
    if (!lane) {
      lane = {
        producer,
        topic,
        partition,
        outcomes: [],
        offsets: [],
        transactions: [],
        lives: [],
        okSince: [],
      };
      this.lanes.set(key, lane);
    }
    return lane;
  }

  /** @throws Error on a line that no producer writes */
  take(producer: string, line: string): void {
    const [kind, ...fields] = line.split(' ');
    if (kind === 'L') {
      this.#lives.set(producer, Number(fields[0]));
      return;
    }
    if (kind === 'I') return this.#asked(producer, fields);
    if (kind === 'O' || kind === 'F' || kind === 'U') return this.#answered(kind, producer, fields);
    const key = transactionKey(producer, Number(fields[0]));
    if (kind === 'B') {
      this.transactions.set(key, { state: 'open', committedSince: 0, sends: [] });
      return;
    }
    const transaction = this.transactions.get(key);
    if (!transaction) throw new Error(`cannot read the journal of ${producer}: got ${line}`);
    if (kind === 'C') transaction.state = 'asked';
    else if (kind === 'A') transaction.state = 'aborted';
    else if (kind === 'X') transaction.state = 'unknown';
    else if (kind === 'D') {
      transaction.state = 'committed';
      transaction.committedSince = this.reading;
    } else throw new Error(`cannot read the journal of ${producer}: got ${line}`);
  }

  /** By producer; what has no end counts as unknown. */
  outcomes(): Map<string, Outcomes> {
    const all = new Map<string, Outcomes>();
    for (const { producer, outcomes } of this.lanes.values()) {
      const counts = all.get(producer) ?? { ok: 0, failed: 0, unknown: 0 };
      all.set(producer, counts);
      for (const outcome of outcomes) counts[outcome === 'asked' ? 'unknown' : outcome] += 1;
    }
    return all;
  }

  transactionStates(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { state } of this.transactions.values()) counts[state] = (counts[state] ?? 0) + 1;
    return counts;
  }

  #asked(producer: string, fields: readonly string[]): void {
    const [topic, partition, first, count, number] = fields;
    const lane = this.lane(producer, topic!, Number(partition));
    if (Number(first) !== lane.outcomes.length) {
      throw new Error(
        `cannot follow ${producer} in ${topic}-${partition}: got ${first}, want ${lane.outcomes.length}`,
      );
    }
    const transaction = this.transactions.get(transactionKey(producer, Number(number)));
    for (let i = 0; i < Number(count); i += 1) {
      transaction?.sends.push({ lane, seq: lane.outcomes.length });
      lane.outcomes.push('asked');
      lane.offsets.push(-1);
      lane.transactions.push(Number(number));
      lane.lives.push(this.#lives.get(producer) ?? 0);
      lane.okSince.push(0);
    }
  }

  #answered(kind: 'O' | 'F' | 'U', producer: string, fields: readonly string[]): void {
    const [topic, partition, number, last] = fields;
    const lane = this.lane(producer, topic!, Number(partition));
    const seq = Number(number);
    if (seq >= lane.outcomes.length) throw new Error(`cannot follow ${producer}: ${seq} was never sent`);
    if (kind === 'O') {
      lane.outcomes[seq] = 'ok';
      lane.offsets[seq] = Number(last);
      lane.okSince[seq] = this.reading;
      return;
    }
    lane.outcomes[seq] = kind === 'F' ? 'failed' : 'unknown';
    const reason = `${producer} ${kind === 'F' ? 'failed' : 'unknown'} ${fields.slice(3).join(' ')}`;
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
  }
}

export function laneKey(producer: string, topic: string, partition: number): string {
  return `${producer} ${topic} ${partition}`;
}

export function transactionKey(producer: string, number: number): string {
  return `${producer} ${number}`;
}
