/**
 * Readers of what Linux says under /proc: text in, numbers out. Formats: proc(5) and the kernel's
 * Documentation/admin-guide/iostats.rst. Lines that are not understood are left out.
 */
import {
  CPU_MODES,
  type CpuTimes,
  type Disk,
  type Memory,
  type Mount,
  type Network,
  type Traffic,
} from './sample.ts';

/** Clock ticks a second in /proc/stat: USER_HZ, which is 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

/** A sector in /proc/diskstats, whatever the device's own are. */
const SECTOR_BYTES = 512;

/** /proc/stat: each processor's times and the time of the start, s since 1970. */
export function parseStat(text: string): { cpus: CpuTimes[]; bootSeconds: number } {
  const cpus: CpuTimes[] = [];
  let bootSeconds = 0;
  for (const line of text.split('\n')) {
    const [name = '', ...values] = line.split(/\s+/);
    if (name === 'btime') bootSeconds = Number(values[0]);
    if (!/^cpu\d+$/.test(name)) continue;
    const ticks = values.map(Number);
    const at = (index: number): number => (ticks[index] ?? 0) / TICKS_PER_SECOND;
    // user nice system idle iowait irq softirq steal; guest times are contained in user and nice.
    cpus.push({
      user: at(0),
      nice: at(1),
      system: at(2),
      idle: at(3),
      iowait: at(4),
      interrupt: at(5) + at(6),
      steal: at(7),
    });
  }
  return { cpus, bootSeconds };
}

/** /proc/meminfo. */
export function parseMeminfo(text: string): Memory {
  const bytes = new Map<string, number>();
  for (const [, name, value] of text.matchAll(/^([^:\s]+):\s+(\d+) kB$/gm)) {
    bytes.set(name!, Number(value) * 1024);
  }
  const of = (name: string): number => bytes.get(name) ?? 0;
  return {
    totalBytes: of('MemTotal'),
    freeBytes: of('MemFree'),
    buffersBytes: of('Buffers'),
    cachedBytes: of('Cached') + of('SReclaimable'),
    availableBytes: of('MemAvailable'),
    swapTotalBytes: of('SwapTotal'),
    swapFreeBytes: of('SwapFree'),
  };
}

/** /proc/loadavg. */
export function parseLoadavg(text: string): [number, number, number] {
  const [one, five, fifteen] = text.split(' ').map(Number);
  return [one ?? 0, five ?? 0, fifteen ?? 0];
}

/**
 * /proc/diskstats: whole disks that have ever done something. Partitions would be counted twice (`wholeDisks`
 * are the names in /sys/block), loop and RAM disks are not disks.
 */
export function parseDiskstats(text: string, wholeDisks: ReadonlySet<string>): Disk[] {
  const disks: Disk[] = [];
  for (const line of text.split('\n')) {
    const [, , device = '', ...values] = line.trim().split(/\s+/);
    if (!wholeDisks.has(device) || /^(loop|ram|zram)\d/.test(device)) continue;
    const [reads = 0, , sectorsRead = 0, , writes = 0, , sectorsWritten = 0, , , busyMs = 0] =
      values.map(Number);
    if (reads + writes === 0) continue;
    disks.push({
      device,
      reads,
      writes,
      readBytes: sectorsRead * SECTOR_BYTES,
      writtenBytes: sectorsWritten * SECTOR_BYTES,
      busySeconds: busyMs / 1000,
    });
  }
  return disks;
}

/** /proc/net/dev: every interface but the loopback. */
export function parseNetDev(text: string): Network[] {
  const networks: Network[] = [];
  for (const line of text.split('\n')) {
    const at = line.indexOf(':');
    if (at === -1) continue;
    const name = line.slice(0, at).trim();
    if (name === 'lo') continue;
    const values = line
      .slice(at + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    networks.push({ name, receive: trafficOf(values, 0), transmit: trafficOf(values, 8) });
  }
  return networks;
}

function trafficOf(values: readonly number[], from: number): Traffic {
  const [bytes = 0, packets = 0, errors = 0, dropped = 0] = values.slice(from, from + 4);
  return { bytes, packets, errors, dropped };
}

/** File systems on disks. Network ones are left out: asking one whose server is away may hang for ever. */
const DISK_TYPES = /^(ext[234]|xfs|btrfs|zfs|f2fs|jfs|reiserfs|bcachefs|vfat|exfat|ntfs3?|fuseblk|apfs|hfs)$/;

/**
 * /proc/self/mounts: the real file systems, each once although it may be mounted in several places (the first
 * counts). A container's overlay root is the one its processes write to, so it counts too.
 */
export function parseMounts(text: string): Mount[] {
  const mounts = new Map<string, Mount>();
  for (const line of text.split('\n')) {
    const [device, path, type, options] = line.split(' ').map(unescaped);
    if (device === undefined || path === undefined || type === undefined || options === undefined) continue;
    if (!DISK_TYPES.test(type) && !(type === 'overlay' && path === '/')) continue;
    if (/^\/dev\/loop\d/.test(device) || mounts.has(device)) continue;
    mounts.set(device, { device, path, type, readOnly: options.split(',').includes('ro') });
  }
  return [...mounts.values()];
}

/** Blanks and backslashes are written as three octal digits. */
function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The sum over all processors. */
export function totalTimes(cpus: readonly CpuTimes[]): CpuTimes {
  const total = { user: 0, system: 0, nice: 0, idle: 0, iowait: 0, interrupt: 0, steal: 0 };
  for (const cpu of cpus) for (const mode of CPU_MODES) total[mode] += cpu[mode];
  return total;
}
