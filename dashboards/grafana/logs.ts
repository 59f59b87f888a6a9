/** Log lines and their volume by level, from the OpenTelemetry log table. */
import { clickhouseQuery } from './clickhouse-query.ts';
import { dashboard } from './dashboard.ts';
import { LEVELS, LEVEL_SQL } from './level-sql.ts';
import { type FieldOverride, logLines, timeSeries } from './panel.ts';
import { customVariable, datasourceVariable, queryVariable, textboxVariable } from './variable.ts';

/** The colours that Grafana users know. */
const COLOURS: Readonly<Record<(typeof LEVELS)[number], string>> = {
  fatal: '#C4162A',
  critical: '#C4162A',
  error: '#F2495C',
  warn: '#FF9830',
  info: '#73BF69',
  debug: '#5794F2',
  trace: '#B877D9',
  unknown: '#8E8E8E',
};

// Both bounds are needed: the first prunes by the sort key, the second is exact.
const CONDITIONS = `toStartOfFiveMinutes(Timestamp) >= toStartOfFiveMinutes($__fromTime)
  AND toStartOfFiveMinutes(Timestamp) <= toStartOfFiveMinutes($__toTime)
  AND $__timeFilter_ms(Timestamp)
  AND $__conditionalAll(ServiceName IN (\${service:sqlstring}), $service)
  AND $__conditionalAll(level IN (\${level:sqlstring}), $level)
  AND $__conditionalAll(positionCaseInsensitiveUTF8(Body, \${search:sqlstring}) > 0, $search)`;

const OVERRIDES: FieldOverride[] = LEVELS.map((level) => ({
  matcher: { id: 'byName', options: level },
  properties: [{ id: 'color', value: { mode: 'fixed', fixedColor: COLOURS[level] } }],
}));

export const logs = dashboard({
  uid: 'millrace-logs',
  title: 'Logs',
  description: 'Log lines of all services, by level, service and text.',
  tags: ['millrace', 'logs'],
  from: 'now-15m',
  refresh: '10s',
  variables: [
    datasourceVariable(),
    queryVariable({
      name: 'service',
      label: 'Service',
      description: 'service.name of the sender; for tailed files the file name.',
      rawSql: `SELECT ServiceName FROM otel_logs
WHERE toStartOfFiveMinutes(Timestamp) >= toStartOfFiveMinutes($__fromTime) AND $__timeFilter(Timestamp)
GROUP BY ServiceName ORDER BY ServiceName LIMIT 1000`,
    }),
    customVariable({
      name: 'level',
      label: 'Level',
      description: 'Severity of the line.',
      values: LEVELS,
    }),
    textboxVariable({ name: 'search', label: 'Search', description: 'Text in the line, in any case.' }),
  ],
  sections: [
    {
      height: 6,
      panels: [
        timeSeries({
          id: 1,
          title: 'Volume by level',
          description: 'Log lines in each interval, stacked by level.',
          unit: 'short',
          noValue: 'no lines',
          width: 24,
          draw: 'bars',
          stacking: 'normal',
          calcs: ['sum'],
          legend: 'list',
          maxDataPoints: 120,
          overrides: OVERRIDES,
          targets: [
            clickhouseQuery(
              'timeseries',
              `SELECT $__timeInterval(Timestamp) AS time, ${LEVEL_SQL} AS level, count() AS Value
FROM otel_logs
WHERE ${CONDITIONS}
GROUP BY time, level
ORDER BY time`,
            ),
          ],
        }),
      ],
    },
    {
      height: 22,
      panels: [
        logLines({
          id: 2,
          title: 'Lines',
          description: 'The newest 1,000 lines of the time range, newest first.',
          width: 24,
          targets: [
            clickhouseQuery(
              'logs',
              `SELECT Timestamp AS timestamp, Body AS body, ${LEVEL_SQL} AS level,
  ServiceName AS service, ResourceAttributes AS resource, LogAttributes AS attributes,
  TraceId AS trace_id, SpanId AS span_id
FROM otel_logs
WHERE ${CONDITIONS}
ORDER BY toStartOfFiveMinutes(Timestamp) DESC, Timestamp DESC, _partition DESC, _offset DESC, _index DESC
LIMIT 1000`,
            ),
          ],
        }),
      ],
    },
  ],
});
