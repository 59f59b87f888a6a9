/**
 * Owns all transactional ids: steps their state machines and applies the effects. Everything is a record in
 * `__transaction_state` first and true for others once it is durable.
 */
import type { Cancel, Host } from '../host/host.ts';
import type { Counter } from '../host/metrics.ts';
import type { GroupCoordinator } from '../groups/coordinator.ts';
import type { BrokerLog, PartitionLog, TransactionEnd } from '../log/log.ts';
import type { Features } from '../server/features.ts';
import { InternalTopic, OFFSETS_TOPIC, TRANSACTIONS_TOPIC } from '../state/internal-topic.ts';
import { ParkedRequests } from '../state/parked-requests.ts';
import { CODE } from '../wire/errors.ts';
import { verify } from './add-partitions.ts';
import { HangingTransactions } from './hanging.ts';
import { MarkerWriter } from './marker-writer.ts';
import { keyOf, type Place } from './place.ts';
import type { ProducerIds } from './producer-ids.ts';
import { refusal } from './progress.ts';
import {
  type AddEvent,
  type Answer,
  type Effect,
  type EndEvent,
  type InitEvent,
  needsProducerId,
  newTransaction,
  step,
  storedTransaction,
  type TransactionEvent,
} from './transaction.ts';
import { TransactionLog } from './transaction-log.ts';
import { readTransactionRecord } from './transaction-record.ts';
import { isPreparing, type TransactionValue, type TransactionVersion } from './transaction-value.ts';
import { type Entry, TransactionalIds } from './transactional-ids.ts';

export interface TransactionsConfig {
  readonly transactionMaxTimeoutMs: number;
  /** How often transactions that took too long are looked for. */
  readonly transactionAbortIntervalMs: number;
  readonly transactionalIdExpirationMs: number;
  readonly transactionTopicPartitions: number;
  readonly transactionPartitionVerification: boolean;
}

export interface TransactionParts {
  readonly log: BrokerLog;
  readonly groups: GroupCoordinator;
  readonly producerIds: ProducerIds;
  readonly features: Features;
}

type Producer = Pick<AddEvent, 'producerId' | 'producerEpoch'>;

const EXPIRY_CHECK_MS = 60 * 60 * 1000;
const MARKER_RETRY_MS = 500;
export class TransactionCoordinator {
  readonly topic: InternalTopic;
  private readonly config: TransactionsConfig;
  private readonly host: Host;
  private readonly parts: TransactionParts;
  private readonly log: TransactionLog;
  private readonly markers: MarkerWriter;
  private readonly ids = new TransactionalIds();
  private readonly parked = new ParkedRequests<Answer>();
  /** Positions for a transaction that does not exist. */
  readonly orphanedOffsets: Counter;
  private readonly ended: Counter;
  private readonly refusedIds: Counter;
  private readonly hanging: HangingTransactions;
  private stopped = false;
  private readonly timers: Cancel[] = [];

  constructor(config: TransactionsConfig, host: Host, parts: TransactionParts) {
    this.config = config;
    this.host = host;
    this.parts = parts;
    this.topic = new InternalTopic(parts.log, host, {
      name: TRANSACTIONS_TOPIC,
      partitions: config.transactionTopicPartitions,
    });
    this.log = new TransactionLog(this.topic, host);
    this.markers = new MarkerWriter(parts.log, parts.groups, host);
    const { metrics } = host;
    this.ended = metrics.counter('millrace_broker_transactions_total', 'Transactions ended, by result.');
    this.refusedIds = metrics.counter(
      'millrace_broker_refused_transactional_ids_total',
      'Transactional ids that there was no room for.',
    );
    this.orphanedOffsets = metrics.counter(
      'millrace_broker_orphaned_offsets_total',
      'Positions committed by producers without a transaction, which nothing can ever make count.',
    );
    const open = metrics.gauge('millrace_broker_open_transactions', 'Transactions that are not ended.');
    this.hanging = new HangingTransactions(host);
    metrics.onCollect(() => open.set(this.countOpen()));
  }

  /** After the groups. Reads `__transaction_state`, and goes on where the last run stopped. */
  async start(): Promise<void> {
    const values = new Map<string, TransactionValue>();
    await this.topic.replay((record) => {
      const read = readTransactionRecord(record);
      if (read?.value) values.set(read.transactionalId, read.value);
      else if (read) values.delete(read.transactionalId);
    });
    for (const [transactionalId, value] of values) {
      this.ids.add(storedTransaction(transactionalId, value));
    }
    this.hanging.find(this.parts.log, (producerId, partition) => this.isOpenIn(producerId, partition));
    for (const entry of this.ids.all()) this.step(entry, { kind: 'resume' });
    // A broker that is restarted often would never come to its first round, and readers wait for these.
    void this.abortTimedOut();
    const { timers } = this.host;
    this.timers.push(
      timers.every(this.config.transactionAbortIntervalMs, () => void this.abortTimedOut()),
      timers.every(EXPIRY_CHECK_MS, () => this.expireIds()),
    );
  }

  /** Whoever waits is told by the log when it closes; later requests are refused with a retriable code. */
  stop(): void {
    this.stopped = true;
    for (const cancel of this.timers) cancel();
    this.log.stop();
  }

  async initProducerId(
    transactionalId: string,
    { timeoutMs, expected }: Pick<InitEvent, 'timeoutMs' | 'expected'>,
  ): Promise<Answer> {
    if (this.stopped) return refusal(CODE.COORDINATOR_NOT_AVAILABLE);
    if (timeoutMs <= 0 || timeoutMs > this.config.transactionMaxTimeoutMs) {
      return refusal(CODE.INVALID_TRANSACTION_TIMEOUT);
    }
    await this.topic.ensure();
    const freshProducerId = await this.freshProducerId(transactionalId, true);
    const entry = this.ids.get(transactionalId) ?? this.make(transactionalId, freshProducerId!);
    if (!entry) return refusal(CODE.COORDINATOR_NOT_AVAILABLE);
    return this.ask(entry, { kind: 'init', to: 0, timeoutMs, expected, freshProducerId }).answered;
  }

  /** @returns 0 when durable */
  async addPartitions(
    transactionalId: string,
    producer: Producer,
    places: readonly Place[],
    version: TransactionVersion = 0,
  ): Promise<number> {
    const added = this.addNow(transactionalId, producer, places, version);
    return typeof added === 'number' ? added : added.durable;
  }

  /**
   * Judged and appended in this turn: what the caller appends in the same turn cannot become durable without it.
   * @returns a code where it is refused, else the promise of one: 0 when durable
   */
  addNow(
    transactionalId: string,
    { producerId, producerEpoch }: Producer,
    places: readonly Place[],
    version: TransactionVersion,
  ): number | { readonly durable: Promise<number> } {
    if (this.stopped) return CODE.COORDINATOR_NOT_AVAILABLE;
    const entry = this.ids.get(transactionalId);
    if (!entry) return CODE.INVALID_PRODUCER_ID_MAPPING;
    const asked = this.ask(entry, { kind: 'add', to: 0, producerId, producerEpoch, places, version });
    const now = asked.now();
    if (now && now.errorCode !== CODE.NONE) return now.errorCode;
    return { durable: asked.answered.then(({ errorCode }) => errorCode) };
  }

  async end(
    transactionalId: string,
    given: Pick<EndEvent, 'producerId' | 'producerEpoch' | 'commit' | 'version'>,
  ): Promise<Answer> {
    if (this.stopped) return refusal(CODE.COORDINATOR_NOT_AVAILABLE);
    const freshProducerId = await this.freshProducerId(transactionalId, false);
    const entry = this.ids.get(transactionalId);
    if (!entry) return refusal(CODE.INVALID_PRODUCER_ID_MAPPING);
    return this.ask(entry, { kind: 'end', to: 0, freshProducerId, ...given }).answered;
  }

  /** Whether this producer has added this partition to a transaction that is open. */
  verify(transactionalId: string, producer: Producer, place: Place): number {
    const entry = this.ids.get(transactionalId);
    return entry ? verify(entry.transaction, producer, place) : CODE.INVALID_PRODUCER_ID_MAPPING;
  }

  get verifiesWrites(): boolean {
    return this.config.transactionPartitionVerification;
  }

  /** The transactional id whose producer this is. */
  transactionalIdOf(producerId: number): string | undefined {
    return this.ids.ofProducer(producerId)?.transaction.transactionalId;
  }

  /** For kafka-transactions: ends a transaction in one partition, whatever the coordinator knows of it. */
  async writeMarker(place: Place, marker: TransactionEnd): Promise<number> {
    return this.markers.write(place, marker);
  }

  /** As it is durable. */
  get(transactionalId: string): TransactionValue | undefined {
    return this.ids.get(transactionalId)?.transaction.durable;
  }

  *list(): Generator<{ transactionalId: string; value: TransactionValue }> {
    for (const { transaction } of this.ids.all()) {
      const { transactionalId, durable } = transaction;
      if (durable) yield { transactionalId, value: durable };
    }
  }

  async abortTimedOut(): Promise<void> {
    for (const entry of this.ids.all()) {
      if (isOpen(entry)) await this.tick(entry);
    }
  }

  expireIds(): void {
    const afterMs = this.config.transactionalIdExpirationMs;
    for (const entry of this.ids.all()) this.step(entry, { kind: 'expire', afterMs });
  }

  private async tick(entry: Entry): Promise<void> {
    const { transaction } = entry;
    try {
      const isLast = transaction.value.state === 'Ongoing' && needsProducerId(transaction);
      const freshProducerId = isLast ? await this.parts.producerIds.next() : undefined;
      if (!this.stopped && this.ids.get(transaction.transactionalId) === entry) {
        this.step(entry, { kind: 'tick', freshProducerId });
      }
    } catch (error) {
      this.host.log.error({ err: error }, 'cannot take a block of producer ids');
    }
  }

  /** Defined where the next step of this id may want one. */
  private async freshProducerId(transactionalId: string, forNew: boolean): Promise<number | undefined> {
    const needed = () => {
      const entry = this.ids.get(transactionalId);
      return entry ? needsProducerId(entry.transaction) : forNew;
    };
    let fresh: number | undefined;
    // Another request may have come between.
    while (fresh === undefined && needed()) fresh = await this.parts.producerIds.next();
    return fresh;
  }

  private ask(
    entry: Entry,
    event: Extract<TransactionEvent, { to: number }>,
  ): { now: () => Answer | undefined; answered: Promise<Answer> } {
    let answer: Answer | undefined;
    const answered = new Promise<Answer>((resolve) => {
      const to = this.parked.park((given) => {
        answer = given;
        resolve(given);
      });
      this.step(entry, { ...event, to });
    });
    return { now: () => answer, answered };
  }

  private step(entry: Entry, event: TransactionEvent): void {
    const { features } = this.parts;
    const version = features.level('transaction.version') as TransactionVersion;
    const next = step(entry.transaction, event, this.host.clock.nowMs(), { version });
    this.ids.replace(entry, next.transaction);
    for (const effect of next.effects) this.apply(entry, effect);
    this.ids.forgetIfGone(entry);
  }

  private apply(entry: Entry, effect: Effect): void {
    const { transactionalId } = entry.transaction;
    switch (effect.kind) {
      case 'answer':
        this.parked.answer(effect.to, effect.answer);
        break;
      case 'store':
        this.store(entry, effect.ticket, effect.value);
        break;
      case 'markers': {
        const { ticket, markers } = effect;
        const written = this.markers.writeAll(markers, this.coordinatorEpoch(transactionalId));
        if (written) {
          entry.marked = written;
          this.ended.add(1, { result: markers.commit ? 'commit' : 'abort' });
          this.step(entry, { kind: 'appended', ticket });
        } else {
          this.step(entry, { kind: 'stored', ticket, errorCode: CODE.COORDINATOR_NOT_AVAILABLE });
        }
        break;
      }
      case 'retry':
        if (!this.stopped) this.host.timers.after(MARKER_RETRY_MS, () => void this.tick(entry));
        break;
      case 'log':
        this.host.log.info({ transactionalId }, `transaction ${transactionalId}: ${effect.message}`);
        break;
    }
  }

  private store(entry: Entry, ticket: number, value: TransactionValue | null): void {
    const ended = this.log.append(entry.transaction.transactionalId, value);
    if (!ended) {
      this.step(entry, { kind: 'stored', ticket, errorCode: CODE.COORDINATOR_NOT_AVAILABLE });
      return;
    }
    const marked = () => entry.marked;
    void ended.then(async (errorCode) => {
      // The group's positions count before anybody hears that the transaction is over.
      await marked();
      this.step(entry, { kind: 'stored', ticket, errorCode });
    });
    this.step(entry, { kind: 'appended', ticket });
  }

  /** Grows with unclean starts, like the epochs that markers of former runs carry. */
  private coordinatorEpoch(transactionalId: string): number {
    return this.topic.partitionFor(transactionalId)?.leaderEpoch ?? 0;
  }

  private make(transactionalId: string, producerId: number): Entry | undefined {
    if (!this.ids.hasRoomFor(transactionalId)) {
      this.refusedIds.add(1);
      return undefined;
    }
    return this.ids.add(newTransaction(transactionalId, producerId, this.host.clock.nowMs()));
  }

  /** Whether this producer's transaction is open, with this partition in it. */
  private isOpenIn(producerId: number, partition: PartitionLog): boolean {
    const entry = this.ids.ofProducer(producerId);
    return entry !== undefined && isOpen(entry) && entry.transaction.value.partitions.has(keyOf(partition));
  }

  private countOpen(): number {
    let count = 0;
    for (const entry of this.ids.all()) if (isOpen(entry)) count += 1;
    return count;
  }
}

/** The partition of `__consumer_offsets` that holds a group's positions, as a place of transactions. */
export function offsetsPlace({ partition }: Pick<PartitionLog, 'partition'>): Place {
  return { topic: OFFSETS_TOPIC, partition };
}

function isOpen({ transaction: { value } }: Entry): boolean {
  return value.state === 'Ongoing' || isPreparing(value);
}
