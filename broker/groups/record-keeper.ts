import type { ReadRecord } from '../state/record-batch.ts';

/**
 * Another part of the broker whose records lie in `__consumer_offsets` beside those of the groups: share groups,
 * pending transactional offsets. Registered with the group coordinator before it starts.
 */
export interface RecordKeeper {
  /** Whether this record is its own: asked for every record, before the coordinator looks at it itself. */
  takes(record: ReadRecord, keyVersion: number): boolean;
  /** A record that it takes, in the order of the log. May keep nothing of it but copies. */
  replay(record: ReadRecord, keyVersion: number, partition: number): void;
  /** Groups of its own kind: an id is of one kind only. */
  readonly groups?: {
    readonly type: 'share';
    has(groupId: string): boolean;
    /** For ListGroups. */
    list?(): ReadonlyArray<{ readonly groupId: string; readonly state: string }>;
  };
}
