import {
  type AddEvent,
  type Answer,
  type EndEvent,
  type InitEvent,
  type Markers,
  needsProducerId,
  newTransaction,
  type Settings,
  step,
  storedTransaction,
  type Transaction,
  type TransactionEvent,
} from '../../broker/transactions/transaction.ts';
import type { TransactionValue } from '../../broker/transactions/transaction-value.ts';

/** Something that was appended to the one write-ahead log, in order. */
export type Appended =
  | { readonly kind: 'record'; readonly ticket: number; readonly value: TransactionValue | null }
  | { readonly kind: 'markers'; readonly markers: Markers };

export const PLACE = { topic: 't', partition: 0 };
export const OTHER = { topic: 't', partition: 1 };

/** Drives the state machine of one transactional id by hand: time, requests and the disk are the test's. */
export class TransactionDriver {
  transaction: Transaction;
  now = 1_000;
  settings: Settings;
  /** Answers by token. */
  readonly answers = new Map<number, Answer>();
  /** What lies in the log and is not yet durable. */
  pending: Appended[] = [];
  /** What is durable, oldest first. */
  readonly durable: Appended[] = [];
  readonly said: string[] = [];
  /** Whether the log refuses to append markers, records. */
  refusesMarkers = false;
  refusesRecords = false;
  /** Whether the disk is done at once. */
  autoSync = true;
  retries = 0;
  private nextProducerId = 8;
  private token = 0;

  constructor(version: Settings['version'] = 2, transaction = newTransaction('tx', 7, 1_000)) {
    this.settings = { version };
    this.transaction = transaction;
  }

  get value(): TransactionValue {
    return this.transaction.value;
  }

  event(event: TransactionEvent): void {
    const next = step(this.transaction, event, this.now, this.settings);
    this.transaction = next.transaction;
    for (const effect of next.effects) {
      switch (effect.kind) {
        case 'answer':
          if (this.answers.has(effect.to)) throw new Error(`request ${effect.to} was answered twice`);
          this.answers.set(effect.to, effect.answer);
          break;
        case 'store':
          this.append(this.refusesRecords, { kind: 'record', ticket: effect.ticket, value: effect.value });
          break;
        case 'markers':
          this.append(this.refusesMarkers, { kind: 'markers', markers: effect.markers }, effect.ticket);
          break;
        case 'retry':
          this.retries += 1;
          break;
        case 'log':
          this.said.push(effect.message);
          break;
      }
    }
    if (this.autoSync) this.sync();
  }

  /** The disk takes the first `count`, and refuses the others when it `fails`. */
  sync({ count = this.pending.length, fails = false } = {}): void {
    const taken = this.pending.slice(0, count);
    const left = this.pending.slice(count);
    this.pending = fails ? [] : left;
    this.durable.push(...taken);
    for (const one of taken) this.stored(one, 0);
    // Newest first, as the log gives them back.
    if (fails) for (const one of left.toReversed()) this.stored(one, 15);
  }

  /** The process ends; what was durable, and the first `count` of what was on its way, are there again. */
  crash(count = 0): void {
    this.durable.push(...this.pending.slice(0, count));
    this.pending = [];
    const records = this.durable.flatMap((one) => (one.kind === 'record' ? [one.value] : []));
    const value = records.at(-1);
    this.transaction = value
      ? storedTransaction('tx', { ...value, lastProducerEpoch: -1 })
      : newTransaction('tx', this.nextProducerId++, this.now);
    this.event({ kind: 'resume' });
  }

  init(given: Partial<InitEvent> = {}): number {
    const to = this.newToken();
    this.event({
      kind: 'init',
      to,
      timeoutMs: 10_000,
      expected: undefined,
      freshProducerId: this.fresh(),
      ...given,
    });
    return to;
  }

  add(given: Partial<AddEvent> = {}): number {
    const to = this.newToken();
    const { producerId, producerEpoch } = this.value;
    this.event({ kind: 'add', to, producerId, producerEpoch, places: [PLACE], version: 2, ...given });
    return to;
  }

  end(given: Partial<EndEvent> = {}): number {
    const to = this.newToken();
    const { producerId, producerEpoch } = this.value;
    const freshProducerId = this.fresh();
    this.event({
      kind: 'end',
      to,
      producerId,
      producerEpoch,
      commit: true,
      version: 2,
      freshProducerId,
      ...given,
    });
    return to;
  }

  at(now: number): void {
    this.now = now;
    this.event({ kind: 'tick', freshProducerId: this.fresh() });
  }

  /** The markers that were written, durable or not. */
  get markers(): Markers[] {
    return [...this.durable, ...this.pending].flatMap((one) => (one.kind === 'markers' ? [one.markers] : []));
  }

  code(token: number): number | undefined {
    return this.answers.get(token)?.errorCode;
  }

  private append(refused: boolean, one: Appended, ticket = one.kind === 'record' ? one.ticket : -1): void {
    if (refused) {
      this.event({ kind: 'stored', ticket, errorCode: 15 });
      return;
    }
    this.pending.push(one);
    const { autoSync } = this;
    // What follows in the same turn comes before any sync.
    this.autoSync = false;
    this.event({ kind: 'appended', ticket });
    this.autoSync = autoSync;
  }

  private stored(one: Appended, errorCode: number): void {
    const { autoSync } = this;
    this.autoSync = false;
    if (one.kind === 'record') this.event({ kind: 'stored', ticket: one.ticket, errorCode });
    this.autoSync = autoSync;
  }

  private fresh(): number | undefined {
    return needsProducerId(this.transaction) ? this.nextProducerId++ : undefined;
  }

  private newToken(): number {
    this.token += 1;
    return this.token;
  }
}
