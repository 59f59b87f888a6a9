/**
 * Positions that were committed within transactions which are still open: kept beside the committed ones, and put in
 * their place when the marker of a commit is durable. Where several commits meet at one place, the one whose record
 * is the newest holds, whatever the order in which their transactions end, as it will after a restart.
 */
import type { ReadRecord } from '../state/record-batch.ts';
import type { CommittedOffset } from './committed-offsets.ts';
import type { Place } from './commits.ts';
import { readCoordinatorRecord } from './coordinator-records.ts';
import { placeOf } from './group-entry.ts';
import type { RecordKeeper } from './record-keeper.ts';

export interface PendingOffset extends Place {
  readonly groupId: string;
  /** Null takes a position away. */
  readonly value: CommittedOffset | null;
  /** Rises with the order of records. */
  readonly order: number;
  /** A newer record for the same place counts already. */
  overtaken: boolean;
}

/** Where a committed position goes. */
export type Commit = (offset: PendingOffset) => void;

/** Transactions hold 15 minutes at most; more positions than this at once, about 300 MB, are refused. */
const PENDING_MAX = 1_000_000;

export class PendingOffsets implements RecordKeeper {
  /** By partition of `__consumer_offsets`, then by producer. */
  private readonly open = new Map<number, Map<number, Set<PendingOffset>>>();
  /** The same by group, then by place. */
  private readonly places = new Map<string, Map<string, Set<PendingOffset>>>();
  private readonly commit: Commit;
  private nextOrder = 1;
  private size = 0;

  constructor(commit: Commit) {
    this.commit = commit;
  }

  get isFull(): boolean {
    return this.size >= PENDING_MAX;
  }

  /** To be called in the order of the records. */
  add(
    partition: number,
    producerId: number,
    given: Pick<PendingOffset, 'groupId' | 'topic' | 'partition' | 'value'>,
  ): PendingOffset {
    const offset: PendingOffset = { ...given, order: this.nextOrder++, overtaken: false };
    let producers = this.open.get(partition);
    if (!producers) this.open.set(partition, (producers = new Map()));
    let offsets = producers.get(producerId);
    if (!offsets) producers.set(producerId, (offsets = new Set()));
    let groupPlaces = this.places.get(given.groupId);
    if (!groupPlaces) this.places.set(given.groupId, (groupPlaces = new Map()));
    const key = placeOf(given.topic, given.partition);
    let atPlace = groupPlaces.get(key);
    if (!atPlace) groupPlaces.set(key, (atPlace = new Set()));
    offsets.add(offset);
    atPlace.add(offset);
    this.size += 1;
    return offset;
  }

  /** The disk refused it. */
  remove(partition: number, producerId: number, offset: PendingOffset): void {
    const producers = this.open.get(partition);
    const offsets = producers?.get(producerId);
    if (!offsets?.delete(offset)) return;
    if (offsets.size === 0) producers!.delete(producerId);
    if (producers!.size === 0) this.open.delete(partition);
    this.leave(offset);
  }

  /** A position was written here outside of a transaction, or taken away: what is older will not count. */
  overtake(groupId: string, topic: string, partition: number): PendingOffset[] {
    const older = [...(this.places.get(groupId)?.get(placeOf(topic, partition)) ?? [])];
    const taken = older.filter(({ overtaken }) => !overtaken);
    for (const one of taken) one.overtaken = true;
    return taken;
  }

  /** The transaction has ended in this partition. */
  complete(partition: number, producerId: number, commit: boolean): void {
    const producers = this.open.get(partition);
    const offsets = producers?.get(producerId);
    if (!offsets) return;
    producers!.delete(producerId);
    if (producers!.size === 0) this.open.delete(partition);
    for (const offset of offsets) {
      if (commit && !offset.overtaken) {
        for (const other of this.places.get(offset.groupId)!.get(placeOf(offset.topic, offset.partition))!) {
          if (other.order < offset.order) other.overtaken = true;
        }
        this.commit(offset);
      }
      this.leave(offset);
    }
  }

  isPending(groupId: string, topic: string, partition: number): boolean {
    return this.places.get(groupId)?.has(placeOf(topic, partition)) ?? false;
  }

  placesOf(groupId: string): Place[] {
    return [...(this.places.get(groupId)?.values() ?? [])].flatMap((offsets) => [...offsets].slice(0, 1));
  }

  groupIds(): string[] {
    return [...this.places.keys()];
  }

  takes(record: ReadRecord): boolean {
    return record.transaction !== undefined;
  }

  replay(record: ReadRecord, _keyVersion: number, partition: number): void {
    const { producerId, end } = record.transaction!;
    if (end) {
      this.complete(partition, producerId, end === 'commit');
      return;
    }
    const read = readCoordinatorRecord(record);
    if (read?.kind === 'offset') this.add(partition, producerId, read);
  }

  private leave(offset: PendingOffset): void {
    const groupPlaces = this.places.get(offset.groupId)!;
    const key = placeOf(offset.topic, offset.partition);
    const atPlace = groupPlaces.get(key)!;
    atPlace.delete(offset);
    if (atPlace.size === 0) groupPlaces.delete(key);
    if (groupPlaces.size === 0) this.places.delete(offset.groupId);
    this.size -= 1;
  }
}
