import { connect, createServer } from 'node:net';
import * as fs from 'node:fs/promises';

/**
 * One process per data directory. On Linux the lock is an abstract socket named after the directory's device and
 * inode: the kernel frees it with the process, however that dies, and no stale file is left. It sees processes of
 * the same network namespace: two containers that share a directory are kept apart by their orchestration.
 * Elsewhere it is a file with the process id, stale when no such process lives.
 *
 * @returns how to release it, or undefined when another process holds it
 */
export async function lockDirectory(path: string): Promise<(() => Promise<void>) | undefined> {
  const { dev, ino } = await fs.stat(path);
  return process.platform === 'linux'
    ? await lockSocket(`\0millrace-${dev}-${ino}`)
    : await lockFile(`${path}/lock`);
}

function lockSocket(name: string): Promise<(() => Promise<void>) | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(name, () => {
      server.unref();
      resolve(() => new Promise((done) => void server.close(() => done())));
    });
  });
}

/** The variant for other systems. */
export async function lockFile(path: string): Promise<(() => Promise<void>) | undefined> {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      await fs.writeFile(path, `${process.pid}\n`, { flag: 'wx' });
      return () => fs.rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const pid = Number(await fs.readFile(path, 'utf8').catch(() => ''));
    if (pid > 0 && pid !== process.pid && lives(pid)) return undefined;
    await fs.rm(path, { force: true });
  }
  return undefined;
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether a process holds the directory, without taking it even for a moment. */
export async function directoryIsLocked(path: string): Promise<boolean> {
  if (process.platform === 'linux') {
    const { dev, ino } = await fs.stat(path);
    return await new Promise((resolve) => {
      const socket = connect(`\0millrace-${dev}-${ino}`);
      const done = (isLocked: boolean): void => {
        socket.destroy();
        resolve(isLocked);
      };
      socket.once('connect', () => done(true));
      socket.once('error', () => done(false));
    });
  }
  const pid = Number(await fs.readFile(`${path}/lock`, 'utf8').catch(() => ''));
  return pid > 0 && lives(pid);
}
