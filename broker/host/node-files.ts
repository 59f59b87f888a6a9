import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';

import { lockDirectory } from './directory-lock.ts';
import type { FileHandle, Files, FileStat } from './files.ts';

const FLAGS = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR | constants.O_CREAT,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
} as const;

export const nodeFiles: Files = {
  async open(path, mode) {
    return handleOf(await fs.open(path, FLAGS[mode], 0o640));
  },
  readFile: (path) => absentIsUndefined(fs.readFile(path)),
  async makeDirectory(path) {
    await fs.mkdir(path, { recursive: true, mode: 0o750 });
  },
  async list(path) {
    return ((await absentIsUndefined(fs.readdir(path))) ?? []).sort();
  },
  async stat(path) {
    const stat = await absentIsUndefined(fs.stat(path));
    return stat && statOf(stat);
  },
  rename: (from, to) => fs.rename(from, to),
  remove: (path) => fs.rm(path, { force: true }),
  removeTree: (path) => fs.rm(path, { force: true, recursive: true }),
  async syncDirectory(path) {
    const directory = await fs.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  },
  async space(path) {
    const { bavail, blocks, bsize } = await fs.statfs(path);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  },
  lockDirectory,
};

function handleOf(file: fs.FileHandle): FileHandle {
  return {
    async read(target, position) {
      let got = 0;
      while (got < target.length) {
        const { bytesRead } = await file.read(target, got, target.length - got, position + got);
        if (bytesRead === 0) break;
        got += bytesRead;
      }
      return got;
    },
    async write(chunks, position) {
      return (await file.writev(chunks, position)).bytesWritten;
    },
    datasync: () => file.datasync(),
    truncate: (size) => file.truncate(size),
    stat: async () => statOf(await file.stat()),
    close: () => file.close(),
  };
}

function statOf(stat: {
  size: number;
  mtimeMs: number;
  dev: number;
  ino: number;
  isDirectory(): boolean;
}): FileStat {
  return {
    size: stat.size,
    modifiedMs: stat.mtimeMs,
    device: stat.dev,
    inode: stat.ino,
    isDirectory: stat.isDirectory(),
  };
}

async function absentIsUndefined<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
