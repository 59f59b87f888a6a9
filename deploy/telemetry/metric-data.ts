/** Our snapshots as the OpenTelemetry SDK's metric data, so that its exporter can send them. */
import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api';
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type MetricDescriptor,
} from '@opentelemetry/sdk-metrics';

import type { MetricFamily, MetricSeries } from '../../broker/host/metrics.ts';
import type { PartMetrics } from '../process/messages.ts';

/** One metric a family and part; every point carries the attribute `part`. Counters start when the process did. */
export function metricDataOf({ part, startedMs, families }: PartMetrics, nowMs: number): MetricData[] {
  const startTime = hrTime(startedMs);
  const endTime = hrTime(nowMs);
  const point = <T>({ labels }: MetricSeries, value: T) => {
    const attributes: Attributes = { ...labels, part };
    return { startTime, endTime, attributes, value };
  };
  return families.map((family): MetricData => {
    const descriptor = descriptorOf(family);
    const aggregationTemporality = AggregationTemporality.CUMULATIVE;
    switch (family.type) {
      case 'counter':
        return {
          descriptor,
          aggregationTemporality,
          dataPointType: DataPointType.SUM,
          isMonotonic: true,
          dataPoints: family.series.map((series) => point(series, series.value)),
        };
      case 'gauge':
        return {
          descriptor,
          aggregationTemporality,
          dataPointType: DataPointType.GAUGE,
          dataPoints: family.series.map((series) => point(series, series.value)),
        };
      case 'histogram':
        return {
          descriptor,
          aggregationTemporality,
          dataPointType: DataPointType.HISTOGRAM,
          dataPoints: family.series.flatMap((series) =>
            series.buckets
              ? [
                  point(series, {
                    buckets: { boundaries: [...series.buckets.bounds], counts: [...series.buckets.counts] },
                    sum: series.value,
                    count: series.buckets.count,
                  }),
                ]
              : [],
          ),
        };
    }
  });
}

function descriptorOf({ name, help }: MetricFamily): MetricDescriptor {
  return { name, description: help, unit: unitOf(name), valueType: ValueType.DOUBLE };
}

/** The unit that the name carries, as UCUM. */
function unitOf(name: string): string {
  const base = name.replace(/_total$/, '');
  if (base.endsWith('_bytes')) return 'By';
  if (base.endsWith('_seconds')) return 's';
  if (base.endsWith('_ratio')) return '1';
  return '';
}

function hrTime(ms: number): HrTime {
  return [Math.floor(ms / 1000), Math.round((ms % 1000) * 1_000_000)];
}
