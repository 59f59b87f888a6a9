import { readdir, readFile, statfs } from 'node:fs/promises';
import * as os from 'node:os';

import { parseDiskstats, parseLoadavg, parseMeminfo, parseMounts, parseNetDev, parseStat } from './proc.ts';
import type { FileSystem, HostSample, Mount } from './sample.ts';

/** What the machine says now: from /proc where that is, else as much as Node knows. */
export function readHost(): Promise<HostSample> {
  return process.platform === 'linux' ? readLinux() : Promise.resolve(readOther());
}

async function readLinux(): Promise<HostSample> {
  // What a container or a hardened system hides is left out.
  const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
  const [stat, meminfo, loadavg, diskstats, netDev, mounts, blocks] = await Promise.all([
    read('/proc/stat'),
    read('/proc/meminfo'),
    read('/proc/loadavg'),
    read('/proc/diskstats'),
    read('/proc/net/dev'),
    read('/proc/self/mounts'),
    readdir('/sys/block').catch(() => []),
  ]);
  const { cpus, bootSeconds } = parseStat(stat);
  const fileSystems = await Promise.all(parseMounts(mounts).map(fileSystemOf));
  return {
    bootMs: bootSeconds * 1000,
    cpus,
    memory: parseMeminfo(meminfo),
    load: parseLoadavg(loadavg),
    disks: parseDiskstats(diskstats, new Set(blocks)),
    networks: parseNetDev(netDev),
    fileSystems: fileSystems.filter((one) => one !== undefined),
  };
}

async function fileSystemOf(mount: Mount): Promise<FileSystem | undefined> {
  try {
    const { bsize, blocks, bfree, bavail } = await statfs(mount.path);
    if (blocks === 0) return undefined;
    const freeBytes = bavail * bsize;
    return { ...mount, totalBytes: blocks * bsize, freeBytes, reservedBytes: bfree * bsize - freeBytes };
  } catch {
    return undefined;
  }
}

function readOther(): HostSample {
  const cpus = os.cpus().map(({ times }) => ({
    user: times.user / 1000,
    system: times.sys / 1000,
    nice: times.nice / 1000,
    idle: times.idle / 1000,
    iowait: 0,
    interrupt: times.irq / 1000,
    steal: 0,
  }));
  const [one = 0, five = 0, fifteen = 0] = os.loadavg();
  return {
    bootMs: Math.round(Date.now() - os.uptime() * 1000),
    cpus,
    memory: {
      totalBytes: os.totalmem(),
      freeBytes: os.freemem(),
      buffersBytes: 0,
      cachedBytes: 0,
      availableBytes: os.freemem(),
      swapTotalBytes: 0,
      swapFreeBytes: 0,
    },
    load: [one, five, fifteen],
    disks: [],
    networks: [],
    fileSystems: [],
  };
}
