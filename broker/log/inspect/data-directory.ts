import type { Files } from '../../host/files.ts';
import { readChecked } from '../durable/checked-file.ts';
import { type Checkpoint, type PartitionCheckpoint, readCheckpoint } from '../durable/checkpoint.ts';
import { CLEAN_NAME, META_NAME, parseMeta } from '../durable/meta-properties.ts';
import { emptyCheckpoint } from '../durable/recovery.ts';
import type { TopicEntry } from '../topics/topic-catalog.ts';

/** Thrown where there is nothing to look at, or nothing that this version can read. */
export class CannotInspect extends Error {
  override readonly name = 'CannotInspect';
}

/** A broker's data directory as it stands. Nothing here, or in what it is given to, writes. */
export interface DataDirectory {
  readonly files: Files;
  readonly path: string;
  readonly topics: readonly TopicEntry[];
  /** Neither copy of the topics can be read. */
  readonly topicsLost: boolean;
  readonly checkpoint: Checkpoint | undefined;
  /** The last run was closed in order, so that nothing is left over from a crash. */
  readonly isClean: boolean;
}

export const TOPIC_COPIES = ['topics.json', 'topics.copy.json'] as const;

/** The broker's own directory: the one given, or `broker` in it, which is where `millrace up` has it. */
export async function findDataDirectory(files: Files, given: string): Promise<string> {
  for (const path of [given, `${given}/broker`]) {
    for (const name of [META_NAME, 'wal', 'checkpoint.json']) {
      if (await files.stat(`${path}/${name}`)) return path;
    }
  }
  throw new CannotInspect(`cannot inspect ${given}: got no ${META_NAME} there or in ${given}/broker`);
}

/** @throws CannotInspect for a format that this version does not know */
export async function openDataDirectory(files: Files, path: string): Promise<DataDirectory> {
  const meta = await files.readFile(`${path}/${META_NAME}`);
  if (meta) {
    try {
      parseMeta(meta, `${path}/${META_NAME}`);
    } catch (error) {
      // A damaged one is a finding; one of a newer version leaves nothing to say about the rest.
      if (/newer/.test((error as Error).message)) throw new CannotInspect((error as Error).message);
    }
  }
  let topics: { revision: number; topics: readonly TopicEntry[] } | undefined;
  let copies = 0;
  for (const name of TOPIC_COPIES) {
    const read = await readChecked(files, `${path}/${name}`);
    if (read.state !== 'absent') copies += 1;
    if (read.state !== 'good') continue;
    const content = read.value as { version: number; revision: number; topics: readonly TopicEntry[] };
    refuseNewer(content.version, name);
    if (!topics || content.revision > topics.revision) topics = content;
  }
  let checkpoint: Checkpoint | undefined;
  try {
    checkpoint = (await readCheckpoint(files, path)).checkpoint;
  } catch (error) {
    throw new CannotInspect((error as Error).message);
  }
  const isClean = (await files.stat(`${path}/${CLEAN_NAME}`)) !== undefined;
  return {
    files,
    path,
    topics: topics?.topics ?? [],
    topicsLost: copies > 0 && !topics,
    checkpoint,
    isClean,
  };
}

export function partitionCheckpoint(
  { checkpoint }: Pick<DataDirectory, 'checkpoint'>,
  topicId: string,
  partition: number,
): PartitionCheckpoint {
  const found = checkpoint?.partitions.find((one) => one.topicId === topicId && one.partition === partition);
  return found ?? emptyCheckpoint(topicId, partition);
}

function refuseNewer(version: number, name: string): void {
  if (version !== 1) throw new CannotInspect(`cannot inspect ${name}: got version ${version}, want 1`);
}
