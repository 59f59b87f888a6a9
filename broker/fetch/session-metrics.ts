import type { Metrics } from '../host/metrics.ts';
import type { SessionCache } from './session-cache.ts';

export function reportFetchSessions(metrics: Metrics, cache: SessionCache): void {
  const sessions = metrics.gauge('kafka_fetch_sessions', 'Fetch sessions that are kept.');
  const partitions = metrics.gauge('kafka_fetch_session_partitions', 'Partitions in all fetch sessions.');
  const evicted = metrics.counter(
    'kafka_fetch_sessions_evicted_total',
    'Fetch sessions given up for others.',
  );
  let counted = 0;
  metrics.onCollect(() => {
    sessions.set(cache.size);
    partitions.set(cache.partitions);
    evicted.add(cache.evicted - counted);
    counted = cache.evicted;
  });
}
