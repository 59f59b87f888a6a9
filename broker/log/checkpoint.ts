import type { Files } from '../host/files.ts';
import { readChecked, writeChecked } from './checked-file.ts';
import type { StoredProducerEntry } from './producer-state.ts';
import type { SegmentFacts } from './segment.ts';

/**
 * What is durable in segments: recovery trusts it, cuts segments to it and replays the write-ahead log from
 * `walFile` on. Written after the segments were synced, before older write-ahead log files are removed.
 */
export interface Checkpoint {
  readonly version: 1;
  readonly walFile: number;
  /** As `meta.properties` has it; absent in files of before it was kept here too. */
  readonly clusterId?: string;
  readonly partitions: readonly PartitionCheckpoint[];
}

export interface PartitionCheckpoint {
  readonly topicId: string;
  readonly partition: number;
  readonly startOffset: number;
  /** End of what the segments below hold. */
  readonly endOffset: number;
  readonly epochs: readonly EpochStart[];
  /** Ranges without batches, lost to damage: [from, to). */
  readonly gaps: ReadonlyArray<readonly [from: number, to: number]>;
  readonly segments: readonly SegmentFacts[];
  readonly producers: ReadonlyArray<readonly [producerId: number, entry: StoredProducerEntry]>;
  /** Compaction has seen what is below; absent where it never did. */
  readonly cleanedTo?: number;
  /** Aborted transactions, in the rows of `TransactionIndex.aborted`; absent in files of before there were any. */
  readonly aborted?: readonly number[];
}

export interface EpochStart {
  readonly epoch: number;
  readonly startOffset: number;
}

const NAME = 'checkpoint.json';

export function checkpointPath(directory: string): string {
  return `${directory}/${NAME}`;
}

export async function writeCheckpoint(
  files: Files,
  directory: string,
  checkpoint: Checkpoint,
): Promise<void> {
  await writeChecked(files, checkpointPath(directory), checkpoint);
}

export async function readCheckpoint(
  files: Files,
  directory: string,
): Promise<{ checkpoint: Checkpoint | undefined; damaged: boolean }> {
  const read = await readChecked(files, checkpointPath(directory));
  if (read.state !== 'good') return { checkpoint: undefined, damaged: read.state === 'damaged' };
  const checkpoint = read.value as Checkpoint;
  if (checkpoint.version !== 1) {
    throw new Error(`cannot open log: got version ${String(checkpoint.version)} of ${NAME}, want 1`);
  }
  return { checkpoint, damaged: false };
}
