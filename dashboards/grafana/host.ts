/** One machine: processors, memory, disks, file systems and network, as its agent reports them. */
import { clickhouseQuery } from './clickhouse-query.ts';
import { dashboard } from './dashboard.ts';
import { gaugeSql, rateSql } from './metric-sql.ts';
import { stat, steps, timeSeries } from './panel.ts';
import { datasourceVariable, queryVariable } from './variable.ts';

// Agents report every 5 s, each at its own moment: two samples an interval, so that sums over hosts do not dip.
const INTERVAL = '10s';

const HOST = "$__conditionalAll(ResourceAttributes['host.name'] IN (${host:sqlstring}), $host)";

/** Today's semantic conventions first; OpenTelemetry Collectors still send the older attribute. */
function either(current: string, older: string): string {
  return `if(Attributes['${current}'] != '', Attributes['${current}'], Attributes['${older}'])`;
}

const MODE = either('cpu.mode', 'state');
const MEMORY_STATE = either('system.memory.state', 'state');
const DEVICE = either('system.device', 'device');
const DISK_DIRECTION = either('disk.io.direction', 'direction');
const INTERFACE = either('network.interface.name', 'device');
const NETWORK_DIRECTION = either('network.io.direction', 'direction');
const MOUNT = either('system.filesystem.mountpoint', 'mountpoint');

interface Selection {
  readonly metric: string;
  readonly where?: string;
  readonly by?: readonly [name: string, expression: string];
}

function on({ metric, where, by }: Selection) {
  const filter = where === undefined ? HOST : `${HOST} AND ${where}`;
  return { metric, service: 'host', where: filter, ...(by ? { by } : {}) };
}

function rate(selection: Selection) {
  return [clickhouseQuery('timeseries', rateSql(on(selection)))];
}

function gauge(selection: Selection, aggregate: 'max' | 'avg' | 'sum') {
  return [clickhouseQuery('timeseries', gaugeSql(on(selection), aggregate))];
}

/** Usage by state is an up-down counter: a sum that is not monotonic, read like a gauge. */
function level(selection: Selection) {
  const sql = gaugeSql(on(selection), 'sum').replace('FROM otel_metrics_gauge', 'FROM otel_metrics_sum');
  return [clickhouseQuery('timeseries', sql)];
}

/** Busy share of all processors: what was not spent idle or waiting for a disk. */
const BUSY_SQL = `SELECT time, sumIf(rate, mode NOT IN ('idle', 'iowait', 'wait')) / sum(rate) AS Value
FROM (
${rateSql(on({ metric: 'system.cpu.time', by: ['mode', MODE] })).replaceAll('sum(rate) AS Value', 'sum(rate) AS rate')}
)
GROUP BY time
HAVING sum(rate) > 0
ORDER BY time`;

const PERCENT = steps(['green'], ['orange', 0.8], ['red', 0.95]);

export const host = dashboard({
  uid: 'millrace-host',
  title: 'Host',
  description: 'Processors, memory, disks, file systems and network of the machines that an agent runs on.',
  tags: ['millrace', 'host'],
  from: 'now-5m',
  refresh: '5s',
  variables: [
    datasourceVariable(),
    queryVariable({
      name: 'host',
      label: 'Host',
      description: 'host.name as the agent reports it.',
      rawSql: `SELECT ResourceAttributes['host.name'] AS host FROM otel_metrics_gauge
WHERE ServiceName = 'host' AND MetricName = 'system.cpu.load_average.1m' AND $__timeFilter(TimeUnix)
GROUP BY host ORDER BY host LIMIT 1000`,
    }),
  ],
  sections: [
    {
      height: 4,
      panels: [
        stat({
          id: 1,
          title: 'CPU busy',
          description: 'Share of all processor time that was neither idle nor waiting for a disk.',
          unit: 'percentunit',
          decimals: 1,
          max: 1,
          width: 6,
          interval: INTERVAL,
          thresholds: PERCENT,
          targets: [clickhouseQuery('timeseries', BUSY_SQL)],
        }),
        stat({
          id: 2,
          title: 'Memory used',
          description: 'Share of the physical memory that is neither free nor reclaimable cache.',
          unit: 'percentunit',
          decimals: 1,
          max: 1,
          width: 6,
          interval: INTERVAL,
          thresholds: PERCENT,
          targets: gauge({ metric: 'system.memory.utilization', where: `${MEMORY_STATE} = 'used'` }, 'max'),
        }),
        stat({
          id: 3,
          title: 'Load, 1 minute',
          description: 'Processes running or waiting to run: compare with the number of processors.',
          unit: 'short',
          decimals: 2,
          width: 6,
          interval: INTERVAL,
          targets: gauge({ metric: 'system.cpu.load_average.1m' }, 'max'),
        }),
        stat({
          id: 4,
          title: 'Fullest file system',
          description: 'Used share of the file system that is nearest to full.',
          unit: 'percentunit',
          decimals: 1,
          max: 1,
          width: 6,
          interval: INTERVAL,
          thresholds: PERCENT,
          targets: gauge({ metric: 'system.filesystem.utilization' }, 'max'),
        }),
      ],
    },
    {
      title: 'Processors and memory',
      id: 10,
      height: 8,
      panels: [
        timeSeries({
          id: 11,
          title: 'CPU by mode',
          description: 'Processor cores in each mode, idle left out: 1 is one whole core.',
          unit: 'short',
          decimals: 2,
          width: 12,
          stacking: 'normal',
          fillOpacity: 40,
          interval: INTERVAL,
          targets: rate({ metric: 'system.cpu.time', where: `${MODE} != 'idle'`, by: ['mode', MODE] }),
        }),
        timeSeries({
          id: 12,
          title: 'Load average',
          description: 'Mean number of processes running or waiting to run, over 1, 5 and 15 minutes.',
          unit: 'short',
          decimals: 2,
          width: 12,
          interval: INTERVAL,
          targets: [
            clickhouseQuery(
              'timeseries',
              `SELECT $__timeInterval(TimeUnix) AS time,
  maxOrNullIf(Value, MetricName = 'system.cpu.load_average.1m') AS "1 minute",
  maxOrNullIf(Value, MetricName = 'system.cpu.load_average.5m') AS "5 minutes",
  maxOrNullIf(Value, MetricName = 'system.cpu.load_average.15m') AS "15 minutes"
FROM otel_metrics_gauge
WHERE ServiceName = 'host' AND startsWith(MetricName, 'system.cpu.load_average.') AND $__timeFilter(TimeUnix) AND ${HOST}
GROUP BY time
ORDER BY time`,
            ),
          ],
        }),
        timeSeries({
          id: 13,
          title: 'Memory by state',
          description: 'Physical memory in each state.',
          unit: 'bytes',
          width: 12,
          stacking: 'normal',
          fillOpacity: 40,
          interval: INTERVAL,
          targets: level({ metric: 'system.memory.usage', by: ['state', MEMORY_STATE] }),
        }),
        timeSeries({
          id: 14,
          title: 'Network',
          description: 'Bytes per second over all interfaces except the loopback.',
          unit: 'Bps',
          width: 12,
          interval: INTERVAL,
          targets: rate({
            metric: 'system.network.io',
            where: `${INTERFACE} != 'lo'`,
            by: ['direction', NETWORK_DIRECTION],
          }),
        }),
      ],
    },
    {
      title: 'Disks',
      id: 20,
      height: 8,
      panels: [
        timeSeries({
          id: 21,
          title: 'Disk throughput',
          description: 'Bytes per second read from and written to each device.',
          unit: 'Bps',
          width: 12,
          interval: INTERVAL,
          targets: rate({
            metric: 'system.disk.io',
            by: ['device', `concat(${DEVICE}, ' ', ${DISK_DIRECTION})`],
          }),
        }),
        timeSeries({
          id: 22,
          title: 'File systems',
          description: 'Used share of each mounted file system.',
          unit: 'percentunit',
          max: 1,
          width: 12,
          interval: INTERVAL,
          thresholds: PERCENT,
          targets: gauge({ metric: 'system.filesystem.utilization', by: ['mount', MOUNT] }, 'max'),
        }),
      ],
    },
  ],
});
