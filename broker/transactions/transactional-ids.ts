import type { Transaction } from './transaction.ts';

/** A transactional id, and what is known of its transaction. */
export interface Entry {
  transaction: Transaction;
  /** Resolves when the last markers count, or were refused. */
  marked: Promise<void>;
}

/** Clients choose the ids: what they and their states may take of memory. Some 100,000 ids of usual length. */
const BYTES_MAX = 128 * 1024 * 1024;
const BYTES_PER_ID = 1_200;

/** All transactional ids of the broker, and whose producer is whose. */
export class TransactionalIds {
  private readonly entries = new Map<string, Entry>();
  private readonly byProducerId = new Map<number, Entry>();
  private bytes = 0;

  get(transactionalId: string): Entry | undefined {
    return this.entries.get(transactionalId);
  }

  ofProducer(producerId: number): Entry | undefined {
    return this.byProducerId.get(producerId);
  }

  /** Ids may go while they are walked over. */
  all(): MapIterator<Entry> {
    return this.entries.values();
  }

  hasRoomFor(transactionalId: string): boolean {
    return this.bytes + costOf(transactionalId) <= BYTES_MAX;
  }

  add(transaction: Transaction): Entry {
    const { transactionalId, value } = transaction;
    const entry: Entry = { transaction, marked: Promise.resolve() };
    this.entries.set(transactionalId, entry);
    this.byProducerId.set(value.producerId, entry);
    this.bytes += costOf(transactionalId);
    return entry;
  }

  /** Takes what became of the transaction, which may have another producer now. */
  replace(entry: Entry, transaction: Transaction): void {
    const before = entry.transaction.value.producerId;
    entry.transaction = transaction;
    const { producerId } = transaction.value;
    if (before === producerId) return;
    this.byProducerId.delete(before);
    this.byProducerId.set(producerId, entry);
  }

  /** When a tombstone is durable, or the first record never came to be. */
  forgetIfGone(entry: Entry): void {
    const { transactionalId, value, durable, storing } = entry.transaction;
    if (storing.length > 0 || (durable && durable.state !== 'Dead')) return;
    if (this.entries.get(transactionalId) !== entry) return;
    this.entries.delete(transactionalId);
    this.byProducerId.delete(value.producerId);
    this.bytes -= costOf(transactionalId);
  }
}

function costOf(transactionalId: string): number {
  return BYTES_PER_ID + 2 * transactionalId.length;
}
