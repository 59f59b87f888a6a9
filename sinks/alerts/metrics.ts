import type { Host } from '../../broker/host/host.ts';
import type { EngineCounts } from './engine.ts';

/** What the alert part counts. */
export function createAlertMetrics(host: Host) {
  const { metrics } = host;
  const gauge = (name: string, help: string) => metrics.gauge(`millrace_alerts_${name}`, help);
  const counter = (name: string, help: string) => metrics.counter(`millrace_alerts_${name}_total`, help);
  const byCount: Record<keyof EngineCounts, ReturnType<typeof counter>> = {
    records: counter('records', 'Log records that the rules have seen.'),
    evaluations: counter('evaluations', 'Judgements of rules.'),
    failures: counter('evaluation_failures', 'Judgements that met a limit or failed.'),
    early: counter('early_firings', 'Alerts that fired on the record that crossed the threshold.'),
    late: counter('late_records', 'Matching records older than the last judgement of their rule.'),
    lateDropped: counter('late_dropped_records', 'Late records outside every window that is still open.'),
    ahead: counter('ahead_records', 'Records over a minute ahead of their append time, counted at that.'),
    refusedSeries: counter('refused_series_records', 'Matching records not counted for a limit on series.'),
  };
  let told: EngineCounts | undefined;
  return {
    rulesLoaded: gauge('rules', 'Rules that run.'),
    rulesFailed: gauge('rule_problems', 'Problems in rule files.'),
    alerts: gauge('alerts', 'Alerts by state.'),
    watermarkLag: gauge('watermark_lag_seconds', 'How far the judged event time trails the clock.'),
    waiting: gauge('waiting_notifications', 'Notifications that a target has not taken yet.'),
    notifications: counter('notifications', 'Notifications by target kind and outcome.'),
    suppressed: counter('suppressed_notifications', 'Alerts of the past at a first start, not notified.'),
    undecodable: counter('undecodable_records', 'Kafka records that are no OTLP logs.'),
    checkpoints: counter('checkpoints', 'Writes of the state.'),
    missed: counter('missed_records', 'Kafka records that expired before the rules had read them.'),
    transitions: counter('transitions', 'Changes of state of alerts.'),
    timeToNotify: metrics.histogram(
      'millrace_alerts_notify_seconds',
      'From the record that decided an alert, when it was appended, to the first target that took it.',
      [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60],
    ),
    /** Adds what the engine counted since the last call. */
    tell(counts: EngineCounts): void {
      for (const name of Object.keys(byCount) as Array<keyof EngineCounts>) {
        const more = counts[name] - (told?.[name] ?? 0);
        if (more > 0) byCount[name].add(more);
      }
      told = { ...counts };
    },
  };
}

export type AlertMetrics = ReturnType<typeof createAlertMetrics>;
