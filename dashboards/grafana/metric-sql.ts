/**
 * SQL over the OpenTelemetry metric tables. `TimeUnix` is `DateTime` or `DateTime64(9)`, by the age of the
 * table; every expression here takes both.
 */
export interface MetricSelection {
  /** Its name, or several names whose series belong into one chart. */
  readonly metric: string | readonly string[];
  /** `service.name` of the sender. */
  readonly service: string;
  /** SQL condition on `Attributes`, `ResourceAttributes`. */
  readonly where?: string;
  /** SQL string expression that names the series: one label, so that the legend shows just its value. */
  readonly by?: readonly [name: string, expression: string];
}

/** The gauge's value in each interval, one line for each value of `by`. */
export function gaugeSql(selection: MetricSelection, aggregate: 'max' | 'min' | 'avg' | 'sum'): string {
  // sum: several series make one line, and each of them may have several samples in the interval.
  const of = aggregate === 'sum' ? 'sum(latest)' : `${aggregate}(Value)`;
  const { by } = selection;
  const columns = by ? `, ${by[1]} AS ${by[0]}` : '';
  const names = by ? `, ${by[0]}` : '';
  if (aggregate === 'sum') {
    return `SELECT time${names}, ${of} AS Value
FROM (
  SELECT $__timeInterval(TimeUnix) AS time${columns}, argMax(Value, TimeUnix) AS latest
  FROM otel_metrics_gauge
  WHERE ${conditions(selection)}
  GROUP BY time${names}, cityHash64(ResourceAttributes, Attributes)
)
GROUP BY time${names}
ORDER BY time`;
  }
  return `SELECT $__timeInterval(TimeUnix) AS time${columns}, ${of} AS Value
FROM otel_metrics_gauge
WHERE ${conditions(selection)}
GROUP BY time${names}
ORDER BY time`;
}

/** A series that appears later than its process began within one export: exports are never further apart. */
const EXPORT_SECONDS_MAX = 5;

/**
 * Increase per second of a cumulative counter, summed over its series.
 *
 * A process that died starts again at zero: a fall is read as a restart, and what was counted since is the
 * increase. Dividing by the time between samples instead of by the interval keeps the rate right when
 * interval and export period do not divide.
 *
 * The first sample counts too, from zero when its process started within the range: a fresh start shows its
 * rate after one export, and a topic that is written to only once is seen at all.
 */
export function rateSql(selection: MetricSelection): string {
  const { by } = selection;
  const columns = by ? `, ${by[1]} AS ${by[0]}` : '';
  const names = by ? `, ${by[0]}` : '';
  return `SELECT time${names}, sum(rate) AS Value
FROM (
  SELECT time${names}, series, sum(increase) / sum(seconds) AS rate
  FROM (
    SELECT
      $__timeInterval(TimeUnix) AS time${columns},
      cityHash64(MetricName, ResourceAttributes, Attributes) AS series,
      toFloat64(toDateTime64(TimeUnix, 3)) AS at,
      toFloat64(toDateTime64(StartTimeUnix, 3)) AS started,
      min(at) OVER (PARTITION BY started) AS first,
      lagInFrame(at, 1, nan) OVER samples AS previous,
      multiIf(
        NOT isNaN(previous), at - previous,
        started < toFloat64($__fromTime), nan,
        at = first, at - started,
        least(at - first, ${EXPORT_SECONDS_MAX})) AS seconds,
      lagInFrame(Value, 1, 0) OVER samples AS before,
      if(Value >= before, Value - before, Value) AS increase
    FROM otel_metrics_sum
    WHERE ${conditions(selection)}
    WINDOW samples AS (PARTITION BY series ORDER BY at ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
  )
  WHERE seconds > 0
  GROUP BY time${names}, series
)
GROUP BY time${names}
ORDER BY time`;
}

function conditions({ metric, service, where }: MetricSelection): string {
  const extra = where === undefined ? '' : ` AND ${where}`;
  const names =
    typeof metric === 'string' ? `= '${metric}'` : `IN (${metric.map((one) => `'${one}'`).join(', ')})`;
  return `ServiceName = '${service}' AND MetricName ${names} AND $__timeFilter(TimeUnix)${extra}`;
}
