import { fingerprint } from './labels.ts';
import type { Notification } from './notification.ts';
import { timeText } from './time-text.ts';

/** Somebody who is told: one request a notification. */
export interface Notifier {
  /** Names it in state, metrics and logs. Without the URL's path, which may hold a secret. */
  readonly name: string;
  readonly url: string;
  readonly request: (notification: Notification, nowMs: number) => NotifierRequest;
}

export interface NotifierRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface NotifierConfig {
  readonly webhooks: ReadonlyArray<{ readonly url: string }>;
  readonly alertmanagers: readonly string[];
  readonly externalUrl: string;
}

/** All who are told. A new kind of notifier is a function like these and a line here. */
export function createNotifiers(config: NotifierConfig): Notifier[] {
  return [
    ...config.webhooks.map(({ url }) => webhook(url, config.externalUrl)),
    ...config.alertmanagers.map((url) => alertmanager(url, config.externalUrl)),
  ];
}

export const NOTIFICATION_ID_HEADER = 'X-Millrace-Notification-Id';

/** Alertmanager's webhook body, version 4, with one alert. */
function webhook(url: string, externalUrl: string): Notifier {
  return {
    name: nameOf('webhook', url),
    url,
    request: (notification) => {
      const { id, status, labels, annotations, startsAtMs, endsAtMs, value } = notification;
      const body = {
        version: '4',
        groupKey: `{}:{alertname=${JSON.stringify(labels['alertname'] ?? '')}}`,
        truncatedAlerts: 0,
        status,
        receiver: 'millrace',
        groupLabels: { alertname: labels['alertname'] },
        commonLabels: labels,
        commonAnnotations: annotations,
        externalURL: externalUrl,
        notificationId: id,
        alerts: [
          {
            status,
            labels,
            annotations,
            startsAt: timeText(startsAtMs),
            // Zero, as Alertmanager writes it for an alert that has not ended.
            endsAt: endsAtMs === undefined ? '0001-01-01T00:00:00Z' : timeText(endsAtMs),
            generatorURL: generatorUrl(externalUrl),
            fingerprint: notification.fingerprint,
            value,
          },
        ],
      };
      return { headers: { [NOTIFICATION_ID_HEADER]: id }, body: JSON.stringify(body) };
    },
  };
}

function alertmanager(base: string, externalUrl: string): Notifier {
  return {
    name: nameOf('alertmanager', base),
    url: alertmanagerUrl(base),
    request: (notification, nowMs) => ({
      headers: { [NOTIFICATION_ID_HEADER]: notification.id },
      body: JSON.stringify([alertmanagerAlert(notification, externalUrl, nowMs)]),
    }),
  };
}

/** How often firing alerts are told again to an Alertmanager, which forgets what is not repeated. */
export const RESEND_INTERVAL_MS = 60_000;

export function alertmanagerUrl(base: string): string {
  return `${base.replace(/\/+$/, '')}/api/v2/alerts`;
}

export type AlertmanagerInput = Pick<
  Notification,
  'labels' | 'annotations' | 'startsAtMs' | 'endsAtMs' | 'intervalMs'
>;

/** One element of `POST /api/v2/alerts`. An end in the future means: firing until then unless told again. */
export function alertmanagerAlert(alert: AlertmanagerInput, externalUrl: string, nowMs: number): object {
  const endsAtMs = alert.endsAtMs ?? nowMs + 4 * Math.max(alert.intervalMs, RESEND_INTERVAL_MS);
  return {
    labels: alert.labels,
    annotations: alert.annotations,
    startsAt: timeText(alert.startsAtMs),
    endsAt: timeText(endsAtMs),
    generatorURL: generatorUrl(externalUrl),
  };
}

function generatorUrl(externalUrl: string): string {
  return externalUrl === '' ? '' : `${externalUrl.replace(/\/+$/, '')}/alerts`;
}

function nameOf(kind: string, url: string): string {
  return `${kind} ${new URL(url).host} ${fingerprint(url).slice(0, 6)}`;
}
