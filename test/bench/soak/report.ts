/** What a soak comes to: medians, slopes, curves. Pure. */
import { formatTable } from '../../../deploy/terminal/table.ts';
import { median, percentile } from '../statistics.ts';
import { formatValue } from '../table.ts';
import type { Pass } from './catch-up-process.ts';
import { plotSvg } from './plot.ts';
import type { Sample } from './sampler.ts';
import { settled, slope } from './slope.ts';

interface Result {
  readonly mibPerSecond: number;
  readonly maximumMibPerSecond: number;
  readonly sent: number;
  readonly read: number;
  readonly slow: { readonly records: number; readonly missed: number };
  readonly updates: { readonly sent: number; readonly records: number; readonly keys: number };
  readonly passes: readonly Pass[];
}

const QUANTITIES: ReadonlyArray<readonly [key: keyof Sample, what: string, unit: string]> = [
  ['rssMib', 'resident memory', 'MiB'],
  ['heapMib', 'heap', 'MiB'],
  ['externalMib', 'external memory', 'MiB'],
  ['fds', 'open files', ''],
  ['cpu', 'CPU', 'cores'],
  ['sentPerSecond', 'sent', 'records/s'],
  ['produceP50Ms', 'produce p50', 'ms'],
  ['produceP99Ms', 'produce p99', 'ms'],
  ['endToEndP50Ms', 'due to read p50', 'ms'],
  ['endToEndP99Ms', 'due to read p99', 'ms'],
  ['fetchP99Ms', 'fetch p99', 'ms'],
  ['turnP999Ms', 'event loop turn p99.9', 'ms'],
  ['turnMaxMs', 'longest turn', 'ms'],
  ['tailLag', 'lag at the end', 'records'],
  ['slowLag', 'lag of the slow reader', 'records'],
  ['diskMib', 'on the disk', 'MiB'],
];
const SECONDS_PER_HOUR = 3_600;

/** Each quantity without the first third: its middle, its high end, and how it changes in an hour. */
export function soakReport(samples: readonly Sample[], result: Result): string {
  const late = settled(samples);
  const rows = QUANTITIES.map(([key, what, unit]) => {
    const points = late.map((one) => ({ x: one.second, y: one[key] })).filter(({ y }) => Number.isFinite(y));
    const values = points.map(({ y }) => y);
    const perHour = slope(points) * SECONDS_PER_HOUR;
    return [
      what,
      formatValue(median(values)),
      formatValue(percentile(values, 0.99)),
      unit,
      formatSlope(perHour),
      `${unit}/h`,
    ];
  });
  const { sent, read, slow, updates, passes } = result;
  const passSeconds = median(passes.map(({ seconds }) => seconds));
  return [
    `${result.mibPerSecond.toFixed(1)} MiB/s of at most ${result.maximumMibPerSecond.toFixed(1)} MiB/s`,
    formatTable(['what', 'median', 'p99 of seconds', 'unit', 'slope', ''], rows, Number.POSITIVE_INFINITY),
    `${sent} records sent, ${read} read at the end`,
    `slow reader: ${slow.records} read, ${slow.missed} expired before it came`,
    `catching up: ${passes.length} passes, ${passSeconds.toFixed(1)} s each`,
    `compacted topic: ${updates.sent} updates, ${updates.records} records left, ${updates.keys} keys, all right`,
  ].join('\n');
}

function formatSlope(perHour: number): string {
  if (!Number.isFinite(perHour)) return '-';
  return `${perHour < 0 ? '-' : '+'}${formatValue(Math.abs(perHour))}`;
}

export function soakSvg(samples: readonly Sample[]): string {
  const of = (key: keyof Sample): number[] => samples.map((one) => one[key]);
  const panel = (
    title: string,
    unit: string,
    ...curves: ReadonlyArray<readonly [name: string, key: keyof Sample]>
  ) => ({ title, unit, curves: curves.map(([name, key]) => ({ name, values: of(key) })) });
  return plotSvg('Broker soak', of('second'), [
    panel('memory', 'MiB', ['resident', 'rssMib'], ['heap', 'heapMib'], ['external', 'externalMib']),
    panel('produce latency', 'ms', ['p50', 'produceP50Ms'], ['p99', 'produceP99Ms']),
    panel(
      'due to read',
      'ms',
      ['p50', 'endToEndP50Ms'],
      ['p99', 'endToEndP99Ms'],
      ['fetch p99', 'fetchP99Ms'],
    ),
    panel('event loop turns', 'ms', ['p99.9', 'turnP999Ms'], ['longest', 'turnMaxMs']),
    panel('sent', 'records/s', ['sent', 'sentPerSecond']),
    panel('lag', 'records', ['at the end', 'tailLag'], ['slow reader', 'slowLag']),
    panel('on the disk', 'MiB', ['bytes', 'diskMib']),
    panel('open files', 'files', ['open', 'fds']),
  ]);
}
