import type { Transition } from './engine.ts';
import { fingerprint, type Labels, labelsKey } from './labels.ts';

/**
 * The intent to tell somebody about a firing or resolved alert. It is durable before the first send, and keeps
 * its id over retries and restarts, so that a receiver can tell a repeat from news.
 */
export interface Notification {
  /** Of rule, labels, start and status. */
  readonly id: string;
  readonly status: 'firing' | 'resolved';
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly value: number;
  readonly startsAtMs: number;
  readonly endsAtMs?: number;
  /** Of the labels: what Alertmanager calls it. */
  readonly fingerprint: string;
  /** How often the rule is judged: an Alertmanager forgets the alert some intervals after the last word. */
  readonly intervalMs: number;
  readonly timings: Timings;
  /** By target. None at all when nobody is configured to be told. */
  readonly deliveries: Readonly<Record<string, Delivery>>;
}

/** ms since 1970. Event and append time are those of the record that decided it, where one did. */
export interface Timings {
  readonly eventMs?: number;
  readonly appendMs?: number;
  /** When it was judged. */
  readonly evalMs: number;
  /** When the first target had taken it. */
  readonly notifyMs?: number;
}

export interface Delivery {
  readonly outcome: 'waiting' | 'delivered' | 'rejected' | 'expired';
  readonly attempts: number;
  readonly atMs?: number;
  readonly lastError?: string;
}

/** Undefined for transitions that are nobody's news. */
export function notificationOf(
  { alert, to, eventMs, appendMs }: Transition,
  targets: readonly string[],
  evalMs: number,
): Notification | undefined {
  const { instance, labels, annotations, rule } = alert;
  if (to !== 'firing' && to !== 'resolved') return undefined;
  const startsAtMs = instance.startsAtMs ?? instance.activeAtMs;
  const ofLabels = fingerprint(labelsKey(labels));
  return {
    id: fingerprint(rule.id, ofLabels, String(startsAtMs), to),
    status: to,
    labels,
    annotations,
    value: instance.value,
    startsAtMs,
    ...(instance.endsAtMs === undefined ? {} : { endsAtMs: instance.endsAtMs }),
    fingerprint: ofLabels,
    intervalMs: rule.intervalMs,
    timings: {
      ...(eventMs === undefined ? {} : { eventMs }),
      ...(appendMs === undefined ? {} : { appendMs }),
      evalMs,
    },
    deliveries: Object.fromEntries(targets.map((target) => [target, { outcome: 'waiting', attempts: 0 }])),
  };
}

export function isWaiting({ deliveries }: Notification): boolean {
  return Object.values(deliveries).some(({ outcome }) => outcome === 'waiting');
}

export function withDelivery(notification: Notification, target: string, delivery: Delivery): Notification {
  const { timings } = notification;
  const notifyMs = timings.notifyMs ?? (delivery.outcome === 'delivered' ? delivery.atMs : undefined);
  return {
    ...notification,
    timings: { ...timings, ...(notifyMs === undefined ? {} : { notifyMs }) },
    deliveries: { ...notification.deliveries, [target]: delivery },
  };
}
