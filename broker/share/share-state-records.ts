/**
 * Records of `__share_group_state`, in Kafka's own schemas. A snapshot is all there is to know about one partition of
 * one group; an update changes some of it. The key's version says which of the two, so that both have the same key
 * behind it. Delivery states: 0 available, 2 acknowledged, 3 archiving, 4 archived.
 */
import type { StoredRecord } from '../state/record-batch.ts';
import { Reader } from '../wire/reader.ts';
import {
  shareSnapshotKey,
  shareSnapshotValue,
  shareUpdateKey,
  shareUpdateValue,
} from '../wire/schemas/share-state-records.ts';
import { decodeVersioned, encodeVersioned } from '../wire/versioned.ts';
import { isFinished } from './run.ts';
import type { StateBatch } from './share-partition.ts';

const SNAPSHOT = 0;
const UPDATE = 1;
const VALUE_VERSION = 0;
const STATE_CODES = { available: 0, acknowledged: 2, archiving: 3, archived: 4 } as const;
const STATES: ReadonlyMap<number, StateBatch['state']> = new Map(
  Object.entries(STATE_CODES).map(([name, code]) => [code, name as StateBatch['state']]),
);

export interface StateKey {
  readonly groupId: string;
  readonly topicId: string;
  readonly partition: number;
}

/** What the topic says about one partition of one group. */
export interface StoredState {
  readonly snapshotEpoch: number;
  readonly stateEpoch: number;
  readonly leaderEpoch: number;
  readonly startOffset: number;
  /** Ascending. */
  readonly batches: readonly StateBatch[];
}

export function snapshotRecord(key: StateKey, state: StoredState, nowMs: number): StoredRecord {
  const value = encodeVersioned(VALUE_VERSION, shareSnapshotValue, {
    snapshotEpoch: state.snapshotEpoch,
    stateEpoch: state.stateEpoch,
    leaderEpoch: state.leaderEpoch,
    startOffset: state.startOffset,
    deliveryCompleteCount: finishedIn(state.batches),
    createTimestamp: nowMs,
    writeTimestamp: nowMs,
    stateBatches: encodedBatches(state.batches),
  });
  return { key: keyBytes(SNAPSHOT, key), value };
}

export function updateRecord(
  key: StateKey,
  change: Omit<StoredState, 'stateEpoch'> & { readonly finished: number },
): StoredRecord {
  const value = encodeVersioned(VALUE_VERSION, shareUpdateValue, {
    snapshotEpoch: change.snapshotEpoch,
    leaderEpoch: change.leaderEpoch,
    startOffset: change.startOffset,
    deliveryCompleteCount: change.finished,
    stateBatches: encodedBatches(change.batches),
  });
  return { key: keyBytes(UPDATE, key), value };
}

/** The state is no more. */
export function stateTombstones(key: StateKey): StoredRecord[] {
  return [
    { key: keyBytes(UPDATE, key), value: null },
    { key: keyBytes(SNAPSHOT, key), value: null },
  ];
}

/** Which record it is, undefined for one that this version does not know. @throws WireError */
export function readStateKey(key: Buffer | null): (StateKey & { readonly isSnapshot: boolean }) | undefined {
  if (key === null) return undefined;
  const reader = new Reader(key);
  const kind = reader.int16();
  if (kind !== SNAPSHOT && kind !== UPDATE) return undefined;
  const message = kind === SNAPSHOT ? shareSnapshotKey : shareUpdateKey;
  return { ...message.decode(reader, 0), isSnapshot: kind === SNAPSHOT };
}

/** The state after a record; undefined when there is none any more. @throws WireError */
export function stateAfter(
  before: StoredState | undefined,
  isSnapshot: boolean,
  bytes: Buffer | null,
): StoredState | undefined {
  if (bytes === null) return isSnapshot ? undefined : before;
  if (isSnapshot) {
    const snapshot = decodeVersioned(bytes, shareSnapshotValue);
    const { snapshotEpoch, stateEpoch, leaderEpoch, startOffset, stateBatches } = snapshot;
    return { snapshotEpoch, stateEpoch, leaderEpoch, startOffset, batches: decodedBatches(stateBatches) };
  }
  const update = decodeVersioned(bytes, shareUpdateValue);
  // One that belongs to an older snapshot was overtaken by what replaced it.
  if (!before || update.snapshotEpoch < before.snapshotEpoch) return before;
  const startOffset = Math.max(before.startOffset, update.startOffset);
  return {
    ...before,
    leaderEpoch: update.leaderEpoch,
    startOffset,
    batches: overlaid(before.batches, decodedBatches(update.stateBatches)).filter(
      ({ last }) => last >= startOffset,
    ),
  };
}

/** The newer batches stand where they are, and the older beside them. */
export function overlaid(older: readonly StateBatch[], newer: readonly StateBatch[]): StateBatch[] {
  let rest = [...older];
  for (const { first, last } of newer) {
    rest = rest.flatMap((one) => {
      if (one.last < first || one.first > last) return [one];
      const parts: StateBatch[] = [];
      if (one.first < first) parts.push({ ...one, last: first - 1 });
      if (one.last > last) parts.push({ ...one, first: last + 1 });
      return parts;
    });
  }
  return [...rest, ...newer].toSorted((a, b) => a.first - b.first);
}

function keyBytes(kind: number, key: StateKey): Buffer {
  return encodeVersioned(kind, kind === SNAPSHOT ? shareSnapshotKey : shareUpdateKey, key);
}

function encodedBatches(batches: readonly StateBatch[]) {
  return batches.map(({ first, last, state, deliveryCount }) => ({
    firstOffset: first,
    lastOffset: last,
    deliveryState: STATE_CODES[state],
    deliveryCount,
  }));
}

function decodedBatches(
  batches: ReadonlyArray<{
    firstOffset: number;
    lastOffset: number;
    deliveryState: number;
    deliveryCount: number;
  }>,
): StateBatch[] {
  return batches.map(({ firstOffset, lastOffset, deliveryState, deliveryCount }) => ({
    first: firstOffset,
    last: lastOffset,
    // Acquired (1) is never written; should another writer have done so, its lock ended with that writer.
    state: STATES.get(deliveryState) ?? 'available',
    deliveryCount,
  }));
}

function finishedIn(batches: readonly StateBatch[]): number {
  return batches.reduce((sum, one) => sum + (isFinished(one) ? one.last - one.first + 1 : 0), 0);
}
