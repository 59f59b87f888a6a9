import { expect, test } from 'vitest';

import type { CpuTimes, HostSample } from './sample.ts';
import { toMetrics } from './to-metrics.ts';

const CPU: CpuTimes = { user: 10, system: 5, nice: 0, idle: 80, iowait: 5, interrupt: 0, steal: 0 };

function sampleOf(cpus: readonly CpuTimes[]): HostSample {
  return {
    bootMs: 1_000,
    cpus,
    memory: {
      totalBytes: 1_000,
      freeBytes: 500,
      buffersBytes: 100,
      cachedBytes: 200,
      availableBytes: 800,
      swapTotalBytes: 0,
      swapFreeBytes: 0,
    },
    load: [0.5, 0.25, 0.125],
    disks: [{ device: 'vda', readBytes: 512, writtenBytes: 1_024, reads: 1, writes: 2, busySeconds: 0.5 }],
    networks: [
      {
        name: 'eth0',
        receive: { bytes: 7, packets: 1, errors: 0, dropped: 0 },
        transmit: { bytes: 9, packets: 2, errors: 0, dropped: 0 },
      },
    ],
    fileSystems: [
      {
        device: '/dev/vda',
        path: '/',
        type: 'ext4',
        readOnly: false,
        totalBytes: 1_000,
        freeBytes: 600,
        reservedBytes: 200,
      },
    ],
  };
}

const before = sampleOf([CPU, CPU]);
const after = sampleOf([CPU, { ...CPU, user: 13, idle: 81 }]);
const metrics = toMetrics(after, before, 61_000_000_000n);

/** Attribute values and value of each point. */
function pointsOf(name: string): unknown[] {
  const metric = metrics.find((one) => one.name === name);
  if (!metric || metric.type === 'histogram') throw new Error(`no metric ${name}`);
  return metric.points.map(({ attributes, value }) => [...Object.values(attributes ?? {}), value]);
}

test('names, units and kinds are those of the semantic conventions', () => {
  const kinds = metrics.map((one) => [
    one.name,
    one.unit,
    one.type === 'sum' ? (one.isMonotonic ? 'counter' : 'updowncounter') : one.type,
  ]);
  expect(kinds).toEqual([
    ['system.cpu.time', 's', 'counter'],
    ['system.cpu.utilization', '1', 'gauge'],
    ['system.cpu.logical.count', '{cpu}', 'updowncounter'],
    ['system.cpu.load_average.1m', '{thread}', 'gauge'],
    ['system.cpu.load_average.5m', '{thread}', 'gauge'],
    ['system.cpu.load_average.15m', '{thread}', 'gauge'],
    ['system.memory.usage', 'By', 'updowncounter'],
    ['system.memory.utilization', '1', 'gauge'],
    ['system.memory.limit', 'By', 'updowncounter'],
    ['system.linux.memory.available', 'By', 'updowncounter'],
    ['system.disk.io', 'By', 'counter'],
    ['system.disk.operations', '{operation}', 'counter'],
    ['system.disk.io_time', 's', 'counter'],
    ['system.network.io', 'By', 'counter'],
    ['system.network.packet.count', '{packet}', 'counter'],
    ['system.network.packet.dropped', '{packet}', 'counter'],
    ['system.network.errors', '{error}', 'counter'],
    ['system.filesystem.usage', 'By', 'updowncounter'],
    ['system.filesystem.utilization', '1', 'gauge'],
    ['system.uptime', 's', 'gauge'],
  ]);
});

test('utilisation of processors is over the time between two samples, of all together', () => {
  expect(pointsOf('system.cpu.utilization')).toEqual([
    ['user', 0.75],
    ['system', 0],
    ['nice', 0],
    ['idle', 0.25],
    ['iowait', 0],
    ['interrupt', 0],
    ['steal', 0],
  ]);
  const first = toMetrics(after, undefined, 61_000_000_000n).map(({ name }) => name);
  expect(first).not.toContain('system.cpu.utilization');
});

test('memory states add up to all of it', () => {
  expect(pointsOf('system.memory.usage')).toEqual([
    ['used', 200n],
    ['free', 500n],
    ['buffers', 100n],
    ['cached', 200n],
  ]);
  expect(pointsOf('system.memory.utilization')[0]).toEqual(['used', 0.2]);
});

test('disks, networks and file systems by device and direction', () => {
  expect(pointsOf('system.disk.io')).toEqual([
    ['vda', 'read', 512n],
    ['vda', 'write', 1_024n],
  ]);
  expect(pointsOf('system.network.io')).toEqual([
    ['eth0', 'receive', 7n],
    ['eth0', 'transmit', 9n],
  ]);
  expect(pointsOf('system.filesystem.usage').map((point) => (point as unknown[]).slice(-2))).toEqual([
    ['used', 200n],
    ['free', 600n],
    ['reserved', 200n],
  ]);
  expect(pointsOf('system.filesystem.utilization')).toEqual([['/dev/vda', '/', 'ext4', 'rw', 'used', 0.25]]);
});

test('counters count since the start of the machine', () => {
  const metric = metrics.find(({ name }) => name === 'system.disk.io');
  expect(metric?.points[0]).toMatchObject({
    startTimeUnixNano: 1_000_000_000n,
    timeUnixNano: 61_000_000_000n,
  });
});
