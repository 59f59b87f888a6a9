import { expect, test } from 'vitest';

import {
  parseDiskstats,
  parseLoadavg,
  parseMeminfo,
  parseMounts,
  parseNetDev,
  parseStat,
  totalTimes,
} from './proc.ts';

// Captured on a two-processor virtual machine (Linux 6.1), shortened.
const STAT = `cpu  43314 1030 35351 437983 8004 0 1585 9384 0 0
cpu0 19721 545 17101 224245 2201 0 95 4764 0 0
cpu1 23592 485 18250 213738 5803 7 1489 4620 0 0
intr 2671051 0 0
ctxt 6994929
btime 1795333500
processes 23520
procs_running 3
`;

test('/proc/stat', () => {
  const { cpus, bootSeconds } = parseStat(STAT);
  expect(bootSeconds).toBe(1_795_333_500);
  expect(cpus).toEqual([
    { user: 197.21, nice: 5.45, system: 171.01, idle: 2242.45, iowait: 22.01, interrupt: 0.95, steal: 47.64 },
    { user: 235.92, nice: 4.85, system: 182.5, idle: 2137.38, iowait: 58.03, interrupt: 14.96, steal: 46.2 },
  ]);
  expect(totalTimes(cpus).idle).toBeCloseTo(4379.83);
});

test('/proc/meminfo', () => {
  const memory = parseMeminfo(`MemTotal:       24684096 kB
MemFree:        23070188 kB
MemAvailable:   23967948 kB
Buffers:            6764 kB
Cached:          1044920 kB
SwapCached:            0 kB
SwapTotal:       1000000 kB
SwapFree:         900000 kB
SReclaimable:     142648 kB
HugePages_Total:       0
`);
  expect(memory).toEqual({
    totalBytes: 24_684_096 * 1024,
    freeBytes: 23_070_188 * 1024,
    availableBytes: 23_967_948 * 1024,
    buffersBytes: 6_764 * 1024,
    cachedBytes: (1_044_920 + 142_648) * 1024,
    swapTotalBytes: 1_024_000_000,
    swapFreeBytes: 921_600_000,
  });
});

test('/proc/loadavg', () => {
  expect(parseLoadavg('0.55 0.52 0.51 3/122 23520\n')).toEqual([0.55, 0.52, 0.51]);
});

test('/proc/diskstats: whole disks that did something', () => {
  const text = `   7       0 loop0 12 0 4 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 254       0 vda 109109 13983 7150642 294027 1726728 110064 62421912 370317 0 135668 712637 77987 52 50897656 18044 271194 30247
 254       1 vda1 109000 13983 7150000 294027 1726728 110064 62421912 370317 0 135668 712637 77987 52 50897656 18044 0 0
 253       0 zram0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
   8       0 sda 0 0 0 0 0 0 0 0 0 0 0
`;
  expect(parseDiskstats(text, new Set(['loop0', 'vda', 'zram0', 'sda']))).toEqual([
    {
      device: 'vda',
      reads: 109_109,
      writes: 1_726_728,
      readBytes: 7_150_642 * 512,
      writtenBytes: 62_421_912 * 512,
      busySeconds: 135.668,
    },
  ]);
});

test('/proc/net/dev: all but the loopback', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 77189622    4432    0    0    0     0          0         0 77189622    4432    0    0    0     0       0          0
  eth0:678553324   15880    1    2    0     0          0         0  1041303    9191    3    4    0     0       0          0
`;
  expect(parseNetDev(text)).toEqual([
    {
      name: 'eth0',
      receive: { bytes: 678_553_324, packets: 15_880, errors: 1, dropped: 2 },
      transmit: { bytes: 1_041_303, packets: 9_191, errors: 3, dropped: 4 },
    },
  ]);
});

test('/proc/self/mounts: real file systems, each once', () => {
  const text = `proc /proc proc rw,relatime 0 0
tmpfs /dev/shm tmpfs rw,relatime,size=24684096k 0 0
/dev/vda / ext4 rw,relatime,discard 0 0
/dev/vda /srv/again ext4 rw,relatime,discard 0 0
/dev/loop3 /snap/core squashfs ro,nodev,relatime 0 0
server:/export /mnt/nfs nfs4 rw,relatime 0 0
/dev/sdb1 /mnt/my\\040disk xfs ro,noatime 0 0
cgroup2 /sys/fs/cgroup cgroup2 rw,relatime 0 0
`;
  expect(parseMounts(text)).toEqual([
    { device: '/dev/vda', path: '/', type: 'ext4', readOnly: false },
    { device: '/dev/sdb1', path: '/mnt/my disk', type: 'xfs', readOnly: true },
  ]);
  expect(parseMounts('overlay / overlay rw,lowerdir=/a 0 0\noverlay /x overlay rw 0 0')).toHaveLength(1);
});
