import type { Attributes } from '../../../broker/records/otlp/model.ts';
import type { MetricToWrite, NumberPointToWrite } from '../../../broker/records/otlp/write-metrics.ts';
import { totalTimes } from './proc.ts';
import { CPU_MODES, type HostSample } from './sample.ts';

/** A value and what tells it from the others of its metric. */
type Series = readonly [attributes: Attributes, value: number];

/**
 * A sample as OpenTelemetry's system metrics (semantic conventions, "System metrics"). Counters count since
 * the machine's start. Utilisation of processors is over the time since `before`, so the first sample has none.
 */
export function toMetrics(
  sample: HostSample,
  before: HostSample | undefined,
  timeNs: bigint,
): MetricToWrite[] {
  const startNs = BigInt(sample.bootMs) * 1_000_000n;
  const metrics: MetricToWrite[] = [];
  const points = (series: readonly Series[], integers: boolean, start?: bigint): NumberPointToWrite[] =>
    series.map(([attributes, value]) => ({
      attributes,
      timeUnixNano: timeNs,
      value: integers ? BigInt(Math.round(value)) : value,
      ...(start ? { startTimeUnixNano: start } : {}),
    }));
  const gauge = (name: string, unit: string, series: readonly Series[]): void => {
    if (series.length > 0) metrics.push({ type: 'gauge', name, unit, points: points(series, false) });
  };
  const sum = (name: string, unit: string, series: readonly Series[], isMonotonic = true): void => {
    if (series.length === 0) return;
    metrics.push({ type: 'sum', name, unit, isMonotonic, points: points(series, unit !== 's', startNs) });
  };

  const { cpus, memory, load, disks, networks, fileSystems } = sample;
  sum(
    'system.cpu.time',
    's',
    cpus.flatMap((times, number) =>
      CPU_MODES.map((mode): Series => [{ 'cpu.mode': mode, 'cpu.logical_number': number }, times[mode]]),
    ),
  );
  gauge('system.cpu.utilization', '1', before ? cpuUtilization(sample, before) : []);
  sum('system.cpu.logical.count', '{cpu}', [[{}, cpus.length]], false);
  gauge('system.cpu.load_average.1m', '{thread}', [[{}, load[0]]]);
  gauge('system.cpu.load_average.5m', '{thread}', [[{}, load[1]]]);
  gauge('system.cpu.load_average.15m', '{thread}', [[{}, load[2]]]);

  const { totalBytes, freeBytes, buffersBytes, cachedBytes, swapTotalBytes, swapFreeBytes } = memory;
  const usedBytes = Math.max(totalBytes - freeBytes - buffersBytes - cachedBytes, 0);
  const states = { used: usedBytes, free: freeBytes, buffers: buffersBytes, cached: cachedBytes };
  const byState = Object.entries(states).map(([state, bytes]): Series => [
    { 'system.memory.state': state },
    bytes,
  ]);
  sum('system.memory.usage', 'By', byState, false);
  gauge('system.memory.utilization', '1', fractions(byState, totalBytes));
  sum('system.memory.limit', 'By', [[{}, totalBytes]], false);
  sum('system.linux.memory.available', 'By', [[{}, memory.availableBytes]], false);
  if (swapTotalBytes > 0) {
    const swap: Series[] = [
      [{ 'system.paging.state': 'used' }, swapTotalBytes - swapFreeBytes],
      [{ 'system.paging.state': 'free' }, swapFreeBytes],
    ];
    sum('system.paging.usage', 'By', swap, false);
    gauge('system.paging.utilization', '1', fractions(swap, swapTotalBytes));
  }

  const perDisk = (read: keyof (typeof disks)[number], write: keyof (typeof disks)[number]): Series[] =>
    disks.flatMap((disk): Series[] => [
      [{ 'system.device': disk.device, 'disk.io.direction': 'read' }, Number(disk[read])],
      [{ 'system.device': disk.device, 'disk.io.direction': 'write' }, Number(disk[write])],
    ]);
  sum('system.disk.io', 'By', perDisk('readBytes', 'writtenBytes'));
  sum('system.disk.operations', '{operation}', perDisk('reads', 'writes'));
  sum(
    'system.disk.io_time',
    's',
    disks.map((disk): Series => [{ 'system.device': disk.device }, disk.busySeconds]),
  );

  const perNetwork = (what: 'bytes' | 'packets' | 'errors' | 'dropped'): Series[] =>
    networks.flatMap(({ name, receive, transmit }): Series[] => [
      [{ 'network.interface.name': name, 'network.io.direction': 'receive' }, receive[what]],
      [{ 'network.interface.name': name, 'network.io.direction': 'transmit' }, transmit[what]],
    ]);
  sum('system.network.io', 'By', perNetwork('bytes'));
  sum('system.network.packet.count', '{packet}', perNetwork('packets'));
  sum('system.network.packet.dropped', '{packet}', perNetwork('dropped'));
  sum('system.network.errors', '{error}', perNetwork('errors'));

  const usage: Series[] = [];
  const utilization: Series[] = [];
  for (const one of fileSystems) {
    const attributes = {
      'system.device': one.device,
      'system.filesystem.mountpoint': one.path,
      'system.filesystem.type': one.type,
      'system.filesystem.mode': one.readOnly ? 'ro' : 'rw',
    };
    const used = one.totalBytes - one.freeBytes - one.reservedBytes;
    usage.push([{ ...attributes, 'system.filesystem.state': 'used' }, used]);
    usage.push([{ ...attributes, 'system.filesystem.state': 'free' }, one.freeBytes]);
    usage.push([{ ...attributes, 'system.filesystem.state': 'reserved' }, one.reservedBytes]);
    // As df counts: of what everybody may use.
    const usable = used + one.freeBytes;
    const fraction = usable > 0 ? used / usable : 0;
    utilization.push([{ ...attributes, 'system.filesystem.state': 'used' }, fraction]);
  }
  sum('system.filesystem.usage', 'By', usage, false);
  gauge('system.filesystem.utilization', '1', utilization);
  gauge('system.uptime', 's', [[{}, Number(timeNs / 1_000_000n - BigInt(sample.bootMs)) / 1000]]);
  return metrics;
}

function cpuUtilization(sample: HostSample, before: HostSample): Series[] {
  const now = totalTimes(sample.cpus);
  const then = totalTimes(before.cpus);
  // Some of Linux' counters step back at times.
  const spent = CPU_MODES.map((mode) => Math.max(now[mode] - then[mode], 0));
  const total = spent.reduce((sum, seconds) => sum + seconds, 0);
  if (total === 0) return [];
  return CPU_MODES.map((mode, index): Series => [{ 'cpu.mode': mode }, spent[index]! / total]);
}

function fractions(series: readonly Series[], total: number): Series[] {
  return total > 0 ? series.map(([attributes, value]): Series => [attributes, value / total]) : [];
}
