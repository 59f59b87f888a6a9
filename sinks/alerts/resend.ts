import type { Host } from '../../broker/host/host.ts';
import type { RuleState } from './engine.ts';
import type { HttpPost } from './http-post.ts';
import { type AlertmanagerInput, alertmanagerAlert, alertmanagerUrl } from './notifiers.ts';
import { messageOf } from './rule-file.ts';

/** An alert that has ended is told again for so long: an Alertmanager that was away must not wait for its end. */
const RESOLVED_RESEND_MS = 5 * 60_000;
/** Well below the interval between two rounds, so that they never overlap. */
const ATTEMPT_TIMEOUT_MS = 10_000;
/** Alerts of one request: some 4 MB at most, as an Alertmanager takes it. */
const ALERTS_PER_REQUEST = 1_000;

/** What Alertmanagers are told every minute, news or not: they forget what is not repeated. */
export function alertsToResend(rules: Iterable<RuleState>, nowMs: number): AlertmanagerInput[] {
  const found: AlertmanagerInput[] = [];
  for (const { alerts, rule } of rules) {
    for (const { labels, annotations, instance } of alerts.values()) {
      const { phase, startsAtMs = nowMs, endsAtMs = nowMs } = instance;
      const ended = phase === 'resolved' ? { endsAtMs } : {};
      if (phase === 'firing' || (phase === 'resolved' && nowMs - endsAtMs < RESOLVED_RESEND_MS)) {
        found.push({ labels, annotations, startsAtMs, ...ended, intervalMs: rule.intervalMs });
      }
    }
  }
  return found;
}

/** Tells each Alertmanager all of it, once. What fails is said and left to the next round. */
export async function resend(
  alerts: readonly AlertmanagerInput[],
  to: { readonly alertmanagers: readonly string[]; readonly externalUrl: string },
  post: HttpPost,
  host: Host,
): Promise<void> {
  const nowMs = host.clock.nowMs();
  const bodies: string[] = [];
  for (let at = 0; at < alerts.length; at += ALERTS_PER_REQUEST) {
    const some = alerts.slice(at, at + ALERTS_PER_REQUEST);
    bodies.push(JSON.stringify(some.map((alert) => alertmanagerAlert(alert, to.externalUrl, nowMs))));
  }
  await Promise.all(
    to.alertmanagers.map(async (base) => {
      const attempt = new AbortController();
      const cancel = host.timers.after(ATTEMPT_TIMEOUT_MS, () => attempt.abort());
      try {
        for (const body of bodies) {
          const { status } = await post(alertmanagerUrl(base), { headers: {}, body }, attempt.signal);
          if (status < 200 || status >= 300) throw new Error(`got status ${status}, want 2xx`);
        }
      } catch (error) {
        host.log.warn({ error: messageOf(error) }, 'cannot repeat alerts');
      } finally {
        cancel();
      }
    }),
  );
}
