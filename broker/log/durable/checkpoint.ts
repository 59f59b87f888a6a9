import type { Files } from '../../host/files.ts';
import type { Host } from '../../host/host.ts';
import { readChecked, writeCheckedJson } from './checked-file.ts';
import type { StoredProducerEntry } from '../producers/producer-state.ts';
import type { SegmentFacts } from '../segment/segment.ts';

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

/** What is put together in one turn of the event loop: half a millisecond. */
const TURN_CHARACTERS = 64 * 1024;
/** Elements of a list that are put together at a time. */
const SLICE = 128;

export async function writeCheckpoint(
  { files, timers }: Pick<Host, 'files' | 'timers'>,
  directory: string,
  checkpoint: Checkpoint,
): Promise<void> {
  const pieces: Buffer[] = [];
  let text = '';
  for (const part of jsonOf(checkpoint)) {
    text += part;
    if (text.length < TURN_CHARACTERS) continue;
    pieces.push(Buffer.from(text));
    text = '';
    await new Promise<void>((resolve) => timers.soon(resolve));
  }
  pieces.push(Buffer.from(text));
  await writeCheckedJson(files, checkpointPath(directory), pieces);
}

/** `JSON.stringify`, a little at a time: partitions have up to 50,000 producers each, and there are thousands of them. */
function* jsonOf(checkpoint: Checkpoint): Generator<string> {
  const { partitions, ...rest } = checkpoint;
  yield `${JSON.stringify(rest).slice(0, -1)},"partitions":[`;
  for (let i = 0; i < partitions.length; i += 1) {
    yield i === 0 ? '{' : ',{';
    let separator = '';
    for (const [name, value] of Object.entries(partitions[i]!)) {
      if (value === undefined) continue;
      yield `${separator}"${name}":`;
      separator = ',';
      if (Array.isArray(value)) yield* listJson(value);
      else yield JSON.stringify(value);
    }
    yield '}';
  }
  yield ']}';
}

function* listJson(list: readonly unknown[]): Generator<string> {
  yield '[';
  for (let at = 0; at < list.length; at += SLICE) {
    yield `${at === 0 ? '' : ','}${JSON.stringify(list.slice(at, at + SLICE)).slice(1, -1)}`;
  }
  yield ']';
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
