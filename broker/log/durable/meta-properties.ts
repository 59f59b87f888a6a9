import { replaceFile } from '../../host/files.ts';
import type { Host } from '../../host/host.ts';
import { readCheckpoint } from './checkpoint.ts';
import { crc32c } from '../batch/crc32c.ts';

export const META_NAME = 'meta.properties';
export const CLEAN_NAME = 'clean-shutdown';

/** Version of the data directory as a whole; FORMAT.md says what each changed. */
export const FORMAT = 1;
const FORMAT_KEY = 'millrace.format';
/** Last line: over what stands in front of it. */
const CRC_KEY = 'millrace.crc32c';

export interface MetaProperties {
  readonly clusterId: string;
  /** 1 where it is not said. */
  readonly format: number;
  /** False in files of before there was a checksum. */
  readonly isChecked: boolean;
}

/**
 * Says whose directory it is, in the form that Kafka's tools know. Made at the first start; returns the cluster id. The
 * checkpoint has that too: a file that is damaged or lost is made again from it.
 *
 * @throws Error when the directory is not for this version, or the file is damaged and no checkpoint can tell
 */
export async function clusterIdOf(host: Host, directory: string): Promise<string> {
  const path = `${directory}/${META_NAME}`;
  const bytes = await host.files.readFile(path);
  const meta = bytes && metaOrDamage(bytes, path);
  if (meta && !(meta instanceof DamagedMeta) && meta.isChecked && meta.format === FORMAT) {
    return meta.clusterId;
  }
  const stored = (await readCheckpoint(host.files, directory)).checkpoint?.clusterId;
  if (meta instanceof DamagedMeta && !stored) throw meta;
  // A file that was cut off in the middle looks like one of before there was a checksum.
  if (meta && !(meta instanceof DamagedMeta) && (stored ?? meta.clusterId) === meta.clusterId) {
    // Before anything is written as this version does: from here on an older one has to refuse the directory.
    const written = replaceFile(host.files, path, encodeMeta(meta.clusterId));
    // The number stands already: a full disk need not stop the start for a checksum.
    await (meta.format === FORMAT
      ? written.catch((error: unknown) => untouched(host, path, error))
      : written);
    return meta.clusterId;
  }
  if (stored) {
    host.log.error(
      { path, clusterId: stored },
      'the file was damaged or lost: its cluster id is in the checkpoint',
    );
    // A full disk need not stop the start: the next one tries again.
    await replaceFile(host.files, path, encodeMeta(stored)).catch((error: unknown) =>
      untouched(host, path, error),
    );
    return stored;
  }
  // Kafka's form of a cluster id: 16 random bytes in URL-safe base64.
  const clusterId = host.random.bytes(16).toString('base64url');
  await replaceFile(host.files, path, encodeMeta(clusterId));
  return clusterId;
}

/** The file is not what was written. */
class DamagedMeta extends Error {}

function metaOrDamage(bytes: Buffer, path: string): MetaProperties | DamagedMeta {
  try {
    return parseMeta(bytes, path);
  } catch (error) {
    if (error instanceof DamagedMeta) return error;
    throw error;
  }
}

/** @throws Error when the directory is not for this version; DamagedMeta */
export function parseMeta(bytes: Buffer, path: string): MetaProperties {
  const lines = bytes.toString('utf8').split('\n');
  const properties = new Map(lines.map((line) => [line.split('=')[0]!, line.slice(line.indexOf('=') + 1)]));
  const crc = properties.get(CRC_KEY);
  if (crc !== undefined && crc !== crcOf(bytes.subarray(0, bytes.lastIndexOf(CRC_KEY)))) {
    throw new DamagedMeta(
      `cannot open log: got damage in ${path}, want it restored; once its cluster.id is known to be right, ` +
        `the line ${CRC_KEY} may be removed, and is made again`,
    );
  }
  const version = properties.get('version');
  const clusterId = properties.get('cluster.id');
  if (version !== '1' || !clusterId) {
    // Cut off: a checksum would have told of anything else.
    throw new (crc === undefined ? DamagedMeta : Error)(
      `cannot open log: got version ${version ?? 'none'} in ${path}, want 1 and a cluster.id`,
    );
  }
  const given = properties.get(FORMAT_KEY) ?? '1';
  const format = /^[1-9]\d*$/.test(given) ? Number(given) : Number.NaN;
  if (!(format <= FORMAT)) {
    const todo = format > FORMAT ? 'a newer Millrace wrote this directory, and is needed to read it' : path;
    throw new (Number.isNaN(format) ? DamagedMeta : Error)(
      `cannot open log: got ${FORMAT_KEY} ${JSON.stringify(given)}, want 1 to ${FORMAT}: ${todo}`,
    );
  }
  return { clusterId, format, isChecked: crc !== undefined };
}

function encodeMeta(clusterId: string): Buffer {
  const content = `version=1\ncluster.id=${clusterId}\nnode.id=1\n${FORMAT_KEY}=${FORMAT}\n`;
  return Buffer.from(`${content}${CRC_KEY}=${crcOf(Buffer.from(content))}\n`);
}

function crcOf(bytes: Buffer): string {
  return crc32c(bytes).toString(16).padStart(8, '0');
}

/** Whether the last run was closed in order: then lax topics have lost nothing either. */
export async function takeCleanMarker(host: Host, directory: string): Promise<boolean> {
  const clean = (await host.files.stat(`${directory}/${CLEAN_NAME}`)) !== undefined;
  if (clean) await host.files.remove(`${directory}/${CLEAN_NAME}`);
  return clean;
}

export async function leaveCleanMarker(host: Host, directory: string): Promise<void> {
  await replaceFile(host.files, `${directory}/${CLEAN_NAME}`, Buffer.from('clean\n'));
}

function untouched({ log }: Pick<Host, 'log'>, path: string, error: unknown): void {
  log.warn({ path, error: String(error) }, 'cannot write the file anew: the next start tries again');
}
