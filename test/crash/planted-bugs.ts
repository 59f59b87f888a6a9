import type { FileHandle } from '../../broker/host/files.ts';
import { encodeFrame, FRAME_BYTES, WAL_HEADER_BYTES } from '../../broker/log/wal/wal-entry.ts';
import type { SimHost } from '../sim/sim-host.ts';

/**
 * Mistakes that a log could make in its use of the disk, each planted between the log and the simulated files.
 * They prove that the crash tests would notice.
 */
export interface PlantedBug {
  readonly name: string;
  /** Only noticed when the disk also fails without a power cut. */
  readonly needsFaults?: boolean;
  /** A seed that shows it, where few do. */
  readonly seed?: number;
  readonly plant: (host: SimHost) => SimHost;
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'the write-ahead log is not synced',
    plant: (host) => withHandles(host, '.wal', { datasync: async () => {} }),
  },
  {
    name: 'segments are not synced before a checkpoint',
    plant: (host) => withHandles(host, '.log', { datasync: async () => {} }),
  },
  {
    name: 'acknowledged before the sync returns',
    plant: (host) =>
      withHandles(host, '.wal', (file) => ({
        datasync: async () => void file.datasync().catch(() => {}),
      })),
  },
  {
    name: 'small files are replaced without a sync',
    plant: (host) => withHandles(host, '.tmp', { datasync: async () => {} }),
  },
  { name: 'directories are not synced', plant: (host) => withFiles(host, { syncDirectory: async () => {} }) },
  {
    name: 'the last acknowledged entry is cut off with a torn tail',
    plant: (host) =>
      withHandles(host, '.wal', (file) => ({
        stat: async () => {
          const stat = await file.stat();
          return stat.size > 300 ? { ...stat, size: stat.size - 60 } : stat;
        },
      })),
  },
  {
    name: 'the checkpoint does not count what it replaces: the write-ahead log goes without one',
    plant: (host) =>
      withFiles(host, {
        rename: async (from, to) =>
          to.endsWith('checkpoint.json') ? undefined : await host.files.rename(from, to),
      }),
  },
  {
    name: 'a failed sync of the write-ahead log is taken for a good one',
    needsFaults: true,
    plant: (host) =>
      withHandles(host, '.wal', (file) => ({ datasync: () => file.datasync().catch(() => {}) })),
  },
  {
    name: 'a failed sync of a segment is taken for a good one',
    needsFaults: true,
    plant: (host) =>
      withHandles(host, '.log', (file) => ({ datasync: () => file.datasync().catch(() => {}) })),
  },
  {
    name: 'a short write is taken for a whole one',
    needsFaults: true,
    plant: (host) =>
      withHandles(host, '.wal', (file) => ({
        write: async (chunks, position) => {
          await file.write(chunks, position);
          return bytesOf(chunks);
        },
      })),
  },
  {
    name: "a new segment's directory is not synced",
    plant: (host) =>
      withFiles(host, {
        syncDirectory: async (path) => {
          if (!/\/topics\/[^/]+\/\d+$/.test(path)) await host.files.syncDirectory(path);
        },
      }),
  },
];

/** Mistakes with lax topics. */
export const LAX_BUGS: readonly PlantedBug[] = [
  {
    name: 'entries call synced what was only written',
    seed: 108,
    plant: (host) =>
      withHandles(host, '.wal', (file) => ({
        write: (chunks, position) => file.write([claimSynced(Buffer.concat(chunks), position)], position),
      })),
  },
];

/** Mistakes in the repair after a failed sync of a lax topic. */
export const OWED_BUGS: readonly PlantedBug[] = [
  {
    name: 'what a given-up file owes is not written again',
    plant: (host) =>
      withHandles(host, '.wal', (file) => {
        let begun = false;
        return {
          write: async (chunks, position) => {
            begun ||= position === 0;
            return begun ? file.write(chunks, position) : bytesOf(chunks);
          },
        };
      }),
  },
];

/** Mistakes that compaction could make. */
export const COMPACTION_BUGS: readonly PlantedBug[] = [
  {
    name: 'compacted segments are not synced',
    plant: (host) => withHandles(host, /-\d+\.log$/, { datasync: async () => {} }),
  },
  {
    name: 'the old segments go without a checkpoint that names the new ones',
    plant(host) {
      let checkpoints = 0;
      return withFiles(host, {
        rename: async (from, to) => {
          if (to.endsWith('checkpoint.json') && (checkpoints += 1) > 1) return;
          await host.files.rename(from, to);
        },
      });
    },
  },
];

/** What plants the mistakes, without one: must change nothing. */
export const NO_BUG: PlantedBug = { name: 'none', plant: (host) => withHandles(host, '.wal', {}) };

/** The same entries, each with everything in front of its write as synced. */
function claimSynced(bytes: Buffer, position: number): Buffer {
  if (position < WAL_HEADER_BYTES) return bytes;
  for (let at = 0; at + FRAME_BYTES < bytes.length;) {
    const length = bytes.readUInt32BE(at + 4);
    const entry = bytes.subarray(at, at + FRAME_BYTES + length);
    const place = { file: bytes.readUInt32BE(at + 8), position: position + at, synced: position };
    encodeFrame(entry, Buffer.from(entry.subarray(20, 36)), entry.readUInt32BE(36), place);
    at += FRAME_BYTES + length;
  }
  return bytes;
}

function bytesOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}

function withFiles(host: SimHost, changed: Partial<SimHost['files']>): SimHost {
  return { ...host, files: overlay(host.files, changed) };
}

function withHandles(
  host: SimHost,
  suffix: string | RegExp,
  changed: Partial<FileHandle> | ((file: FileHandle) => Partial<FileHandle>),
): SimHost {
  return withFiles(host, {
    open: async (path, mode) => {
      const file = await host.files.open(path, mode);
      const meant = typeof suffix === 'string' ? path.endsWith(suffix) : suffix.test(path);
      if (!meant) return file;
      return overlay(file, typeof changed === 'function' ? changed(file) : changed);
    },
  });
}

/** The object with some methods replaced; the others keep their own `this`. */
function overlay<T extends object>(target: T, changed: Partial<T>): T {
  return new Proxy(target, {
    get(from, key) {
      const replaced = changed[key as keyof T];
      if (replaced !== undefined) return replaced;
      const value: unknown = Reflect.get(from, key, from);
      return typeof value === 'function' ? value.bind(from) : value;
    },
    set: (from, key, value) => Reflect.set(from, key, value, from),
  });
}
