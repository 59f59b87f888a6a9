import type { Files } from '../../host/files.ts';
import { LOG_DEFAULTS } from '../config.ts';
import { listWal, walPath } from '../wal/wal-scan.ts';
import {
  CannotInspect,
  type DataDirectory,
  findDataDirectory,
  openDataDirectory,
  partitionCheckpoint,
} from './data-directory.ts';
import { Report } from './finding.ts';
import { verifyPartition, verifyUnnamed } from './verify-partition.ts';
import { verifySmallFiles } from './verify-small-files.ts';
import { verifyWal } from './verify-wal.ts';

export interface VerifyPlan {
  /** The broker's data directory, or the one above it. */
  readonly path: string;
  /** Segments of these only; small files and the write-ahead log are looked at in any case. */
  readonly topic?: string | undefined;
  readonly partition?: number | undefined;
  readonly reserveBytes?: number;
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/**
 * Looks at every file of a data directory and says what is not as it was written. Takes no lock and writes nothing;
 * under a running broker the newest bytes may look torn.
 * @throws CannotInspect
 */
export async function verifyLog(files: Files, plan: VerifyPlan): Promise<{ path: string; report: Report }> {
  const path = await findDataDirectory(files, plan.path);
  const directory = await openDataDirectory(files, path);
  const chosen = choose(directory, plan);
  const totalBytes = await sizeOf(directory, chosen);
  const report = new Report((bytes) => plan.onProgress?.(bytes, totalBytes));
  await verifySmallFiles(directory, plan.reserveBytes ?? LOG_DEFAULTS.reserveBytes, report);
  await verifyWal(directory, report);
  for (const place of chosen) {
    if (directory.checkpoint === undefined) await verifyUnnamed(directory, place, report);
    else {
      const checkpoint = partitionCheckpoint(directory, place.topicId, place.partition);
      await verifyPartition(directory, { ...place, checkpoint }, report);
    }
  }
  if (plan.topic === undefined) await noteStrangers(directory, report);
  return { path, report };
}

interface Place {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
}

export function choose(
  { topics, path }: Pick<DataDirectory, 'topics' | 'path'>,
  { topic, partition }: { topic?: string | undefined; partition?: number | undefined },
): Place[] {
  const chosen = topics
    .filter(({ name }) => topic === undefined || name === topic)
    .flatMap(({ name, id, partitions }) =>
      Array.from({ length: partitions }, (_, i) => ({ topic: name, topicId: id, partition: i })),
    )
    .filter((one) => partition === undefined || one.partition === partition);
  if (topic !== undefined && chosen.length === 0) {
    const what = partition === undefined ? `topic ${topic}` : `partition ${partition} of topic ${topic}`;
    throw new CannotInspect(`cannot inspect ${path}: got no ${what} in topics.json`);
  }
  return chosen;
}

async function sizeOf(directory: DataDirectory, chosen: readonly Place[]): Promise<number> {
  const { files, path, checkpoint } = directory;
  let bytes = 0;
  for (const { topicId, partition } of chosen) {
    for (const { bytes: size } of partitionCheckpoint(directory, topicId, partition).segments) bytes += size;
  }
  for (const number of await listWal(files, `${path}/wal`)) {
    if (number < (checkpoint?.walFile ?? 0)) continue;
    bytes += (await files.stat(walPath(`${path}/wal`, number)))?.size ?? 0;
  }
  return bytes;
}

/** Directories of no topic: a crash in a creation or deletion leaves them, an orderly close does not. */
async function noteStrangers(
  { files, path, topics, topicsLost, isClean }: DataDirectory,
  report: Report,
): Promise<void> {
  const ids = new Set(topics.map(({ id }) => id));
  for (const name of await files.list(`${path}/topics`)) {
    if (ids.has(name) || (!isClean && !topicsLost)) continue;
    report.add({
      severity: topicsLost ? 'damage' : 'note',
      file: `topics/${name}`,
      problem: topicsLost ? 'got no topics.json to tell its name' : 'got a directory of no topic',
      consequence: topicsLost ? 'the start is refused' : 'is removed with all that is in it',
    });
  }
}
