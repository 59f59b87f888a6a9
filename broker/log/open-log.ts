import type { Host } from '../host/host.ts';
import { type LogConfig, LOG_DEFAULTS } from './config.ts';
import { DiskLog } from './disk-log.ts';
import type { BrokerLog } from './log.ts';
import { clusterIdOf, takeCleanMarker, META_NAME } from './durable/meta-properties.ts';

/**
 * Opens the log in `dataDir`, which is made when absent, and recovers what a crash left. A full or failing disk
 * does not stop it: reads work, appends are refused until there is room.
 *
 * @throws Error when another process has the directory, or it holds something that cannot be read
 */
export async function openLog(
  config: Partial<LogConfig> & { readonly dataDir: string },
  host: Host,
): Promise<BrokerLog> {
  return await openDiskLog(config, host);
}

/** The same with the log's own operations in reach, for tests. */
export async function openDiskLog(
  config: Partial<LogConfig> & { readonly dataDir: string },
  host: Host,
): Promise<DiskLog> {
  const full: LogConfig = { ...LOG_DEFAULTS, ...config };
  const { dataDir } = full;
  await makeDurable(host, dataDir);
  const unlock = await host.files.lockDirectory(dataDir);
  if (!unlock) throw new Error(`cannot open log: got ${dataDir} in use by another process, want it alone`);
  try {
    const log = new DiskLog(full, host, await clusterIdOf(host, dataDir));
    const clean = await takeCleanMarker(host, dataDir);
    if (!clean) host.log.info({ dataDir }, 'the last run was not closed in order, or this is the first');
    await log.recover(clean);
    log.start();
    log.onClosed = unlock;
    return log;
  } catch (error) {
    await unlock();
    throw error;
  }
}

/** A new directory is durable only when its name is, and so on up; what may not be opened was there before. */
async function makeDurable(host: Host, dataDir: string): Promise<void> {
  // One that a start before made may have no durable name yet: that start did not get as far as this file.
  const isNew = (await host.files.stat(`${dataDir}/${META_NAME}`)) === undefined;
  await host.files.makeDirectory(dataDir);
  if (!isNew) return;
  for (let at = dataDir.lastIndexOf('/'); at >= 0; at = dataDir.lastIndexOf('/', at - 1)) {
    await host.files.syncDirectory(dataDir.slice(0, at) || '/').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EACCES' && error.code !== 'EPERM') throw error;
    });
    if (at === 0) break;
  }
}
