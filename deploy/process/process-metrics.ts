import { monitorEventLoopDelay } from 'node:perf_hooks';

import type { Metrics } from '../../broker/host/metrics.ts';
import { measureTurns } from './turn-times.ts';

/** What every process says of itself, under the names that Prometheus' own clients use. */
export function collectProcessMetrics(metrics: Metrics): void {
  const resident = metrics.gauge('process_resident_memory_bytes', 'Resident memory.');
  const heap = metrics.gauge('nodejs_heap_used_bytes', 'JavaScript heap in use.');
  const cpu = metrics.counter('process_cpu_seconds_total', 'User and system CPU time.');
  const start = metrics.gauge('process_start_time_seconds', 'When the process started, since 1970.');
  const lag = metrics.gauge(
    'nodejs_eventloop_lag_p99_seconds',
    'How late timers ran since the last collection, 99th percentile.',
  );
  const turnP999 = metrics.gauge(
    'nodejs_eventloop_turn_p999_seconds',
    'How long one turn of the event loop kept everything else waiting since the last collection, 99.9th percentile.',
  );
  const turnMax = metrics.gauge(
    'nodejs_eventloop_turn_max_seconds',
    'The longest turn of the event loop since the last collection.',
  );
  const turns = measureTurns();
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  let cpuBefore = 0;
  start.set(performance.timeOrigin / 1000);
  metrics.onCollect(() => {
    const { rss, heapUsed } = process.memoryUsage();
    resident.set(rss);
    heap.set(heapUsed);
    const { user, system } = process.cpuUsage();
    const cpuNow = (user + system) / 1e6;
    cpu.add(cpuNow - cpuBefore);
    cpuBefore = cpuNow;
    // The monitor counts its own 10 ms period.
    lag.set(Math.max(0, (delay.percentile(99) || 0) / 1e9 - 0.01));
    delay.reset();
    const { p999, max } = turns.collect();
    turnP999.set(p999);
    turnMax.set(max);
  });
}
