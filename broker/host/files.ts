/**
 * Files as the log needs them: positioned reads and writes, explicit syncs, nothing hidden.
 *
 * Paths are absolute. Errors are Node's own `ErrnoException`s (`code` is ENOSPC, EIO, ENOENT, …).
 */
export interface Files {
  /** `read`: must exist. `write`: read and write, created when absent. `create`: as `write`, must not exist. */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<FileHandle>;
  /** Whole file, or undefined when absent. */
  readFile(path: string): Promise<Buffer | undefined>;
  /** Creates parents too; fine when it exists. */
  makeDirectory(path: string): Promise<void>;
  /** Names of the entries, sorted; empty when the directory is absent. */
  list(path: string): Promise<string[]>;
  /** Undefined when absent. */
  stat(path: string): Promise<FileStat | undefined>;
  rename(from: string, to: string): Promise<void>;
  /** Fine when absent. */
  remove(path: string): Promise<void>;
  /** The directory and everything below it; fine when absent. */
  removeTree(path: string): Promise<void>;
  /** Makes creations, renames and removals in this directory durable. */
  syncDirectory(path: string): Promise<void>;
  space(path: string): Promise<{ freeBytes: number; totalBytes: number }>;
  /** Keeps other processes out of a directory; freed when the process dies. Undefined when another has it. */
  lockDirectory(path: string): Promise<(() => Promise<void>) | undefined>;
}

export interface FileHandle {
  /** Reads into `target`, returns the bytes read: fewer than asked only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>;
  /**
   * One gathered write; returns the bytes written, which may be fewer than given (a full disk writes a part
   * and fails only at the next call). Use `writeAll`. The buffers may not change until it returns.
   */
  write(chunks: readonly Uint8Array[], position: number): Promise<number>;
  /** fdatasync: data and size are on the disk when it returns. After a failure the file's state is unknown. */
  datasync(): Promise<void>;
  truncate(size: number): Promise<void>;
  stat(): Promise<FileStat>;
  close(): Promise<void>;
}

export interface FileStat {
  readonly size: number;
  readonly modifiedMs: number;
  /** Device and inode, which together identify the file across renames. */
  readonly device: number;
  readonly inode: number;
  readonly isDirectory: boolean;
}

/** Most buffers one gathered write may take (IOV_MAX on Linux). */
const CHUNKS_MAX = 1024;

/** Writes everything or throws: loops over short writes and over more buffers than one call may take. */
export async function writeAll(
  file: FileHandle,
  chunks: readonly Uint8Array[],
  position: number,
): Promise<number> {
  let at = position;
  let index = 0;
  let skip = 0;
  while (index < chunks.length) {
    const slice = chunks.slice(index, index + CHUNKS_MAX);
    if (skip > 0) slice[0] = slice[0]!.subarray(skip);
    let written = await file.write(slice, at);
    if (written === 0 && slice.some((chunk) => chunk.length > 0)) {
      throw Object.assign(new Error(`cannot write at ${at}: the disk took no byte`), { code: 'ENOSPC' });
    }
    at += written;
    for (const chunk of slice) {
      if (written < chunk.length) break;
      written -= chunk.length;
      index += 1;
      skip = 0;
    }
    skip += written;
  }
  return at - position;
}

/**
 * Replaces a small file as a whole: a reader after a crash sees the old content or the new, never a mix.
 * Temporary file, sync, rename, sync of the directory.
 */
export async function replaceFile(
  files: Files,
  path: string,
  content: Uint8Array | readonly Uint8Array[],
): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = await files.open(temporary, 'write');
  try {
    await file.truncate(0);
    await writeAll(file, content instanceof Uint8Array ? [content] : content, 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await files.rename(temporary, path);
  await files.syncDirectory(path.slice(0, path.lastIndexOf('/')) || '/');
}
