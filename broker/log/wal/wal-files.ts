import { type FileHandle, type Files, writeAll } from '../../host/files.ts';
import { encodeWalHeader, WAL_HEADER_BYTES } from './wal-entry.ts';
import { encodeGroup, type WalItem } from './wal-group.ts';
import { walPath } from './wal-scan.ts';

/** A file that holds what no checkpoint covers yet. */
export interface WalPlace {
  readonly file: number;
  /** What of it counts. */
  end: number;
  /** What of that is on the disk for sure. */
  synced: number;
}

/** The files of the write-ahead log that are still needed, oldest first; the last is being written. */
export class WalFiles {
  readonly directory: string;
  kept: WalPlace[] = [];
  /** Number of the next file: never one that was used before. */
  nextFile = 1;
  readonly #files: Files;

  constructor(files: Files, directory: string) {
    this.#files = files;
    this.directory = directory;
  }

  get current(): number {
    return this.kept.at(-1)?.file ?? 0;
  }

  get bytes(): number {
    let bytes = 0;
    for (const { end } of this.kept) bytes += end;
    return bytes;
  }

  /** Takes files over from an earlier run, which may have died between a write and its sync. */
  async adopt(kept: ReadonlyArray<{ file: number; end: number }>): Promise<void> {
    this.kept = kept.map(({ file, end }) => ({ file, end, synced: end }));
    // The next file's header says that these bytes count, so they have to be there after a power cut.
    for (const { file } of kept) {
      const handle = await this.#files.open(walPath(this.directory, file), 'write');
      try {
        await handle.datasync();
      } finally {
        await handle.close();
      }
    }
  }

  /** Starts a file that begins with what the one before owes; durable, with its name, when it resolves. */
  async start(owed: readonly WalItem[]): Promise<WalFile> {
    const file = this.nextFile++;
    const previous = this.kept.at(-1);
    const header = encodeWalHeader({
      file,
      previousFile: previous?.file ?? 0,
      previousEnd: previous?.end ?? 0,
    });
    let end = WAL_HEADER_BYTES;
    const handle = await this.#files.open(walPath(this.directory, file), 'create');
    try {
      // Before the header, which ends the file before: a process that dies between finds them in either.
      if (owed.length > 0) end += await writeAll(handle, encodeGroup(owed, file, end, end), end);
      await writeAll(handle, [header], 0);
      await handle.datasync();
      await this.#files.syncDirectory(this.directory);
    } catch (error) {
      await handle.close().catch(() => {});
      await this.#files.remove(walPath(this.directory, file)).catch(() => {});
      throw error;
    }
    const started = new WalFile(handle, file, end);
    this.kept.push(started);
    return started;
  }

  /** Takes back the last one. */
  async discardLast(): Promise<void> {
    const { file } = this.kept.pop()!;
    await this.#files.remove(walPath(this.directory, file)).catch(() => {});
  }

  /** Forgets files below `file`, which a checkpoint covers, and removes them. */
  async removeBefore(file: number): Promise<void> {
    const gone = this.kept.filter((one) => one.file < file);
    this.kept = this.kept.filter((one) => one.file >= file);
    for (const one of gone) await this.#files.remove(walPath(this.directory, one.file));
  }
}

/** The file that is being written. */
export class WalFile implements WalPlace {
  readonly file: number;
  end: number;
  synced: number;
  readonly #handle: FileHandle;
  /** A further sync would succeed without having written anything. */
  #syncFailure: { readonly cause: unknown } | undefined;

  constructor(handle: FileHandle, file: number, end: number) {
    this.#handle = handle;
    this.file = file;
    this.end = end;
    this.synced = end;
  }

  /** Writes behind what counts. Resolves to the bytes, which count when `end` says so. */
  write(group: readonly WalItem[]): Promise<number> {
    return writeAll(this.#handle, encodeGroup(group, this.file, this.end, this.synced), this.end);
  }

  /** Everything that counted at the call is on the disk when it resolves. */
  async datasync(): Promise<void> {
    if (this.#syncFailure) throw this.#syncFailure.cause;
    const { end } = this;
    try {
      await this.#handle.datasync();
    } catch (error) {
      this.#syncFailure = { cause: error };
      throw error;
    }
    this.synced = end;
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(() => {});
  }
}
