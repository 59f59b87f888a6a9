import type { Host } from '../../broker/host/host.ts';
import type { AlertsConfig } from './config.ts';
import { DELIVERY_DEFAULTS, DeliveryQueue } from './delivery.ts';
import type { RuleState, Transition } from './engine.ts';
import type { HttpPost } from './http-post.ts';
import type { AlertMetrics } from './metrics.ts';
import { type Delivery, isWaiting, type Notification, notificationOf, withDelivery } from './notification.ts';
import { createNotifiers } from './notifiers.ts';

/** Notifications that are kept to be shown; more than this many waiting are given up, oldest first. */
const NOTIFICATIONS_KEPT = 100;
const NOTIFICATIONS_WAITING_MAX = 1_000;
/** For sends in flight at a stop: well below the 10 s that a whole system has for it. */
const SEND_GRACE_MS = 2_000;

/**
 * The intents to notify and what became of them. An entry is made by `note`, is to be durable before `send`, and
 * its outcome is to be stored after `onOutcome`: the owner sees to both.
 */
export class NotificationBook {
  private readonly host: Host;
  private readonly metrics: AlertMetrics;
  private readonly onOutcome: () => void;
  private readonly queues: DeliveryQueue[];
  /** In order of their judgement. */
  private readonly entries = new Map<string, Notification>();
  /**
   * Notifications of the run before, kept until everything is read once: where only some of the state was stored,
   * reading again comes to the same news, and must find that it was told.
   */
  private readonly recovered = new Set<string>();
  private unsent: Notification[] = [];
  private fromMs = -Infinity;
  private isPastTold = false;

  constructor(
    config: AlertsConfig,
    host: Host,
    post: HttpPost,
    metrics: AlertMetrics,
    onOutcome: () => void,
  ) {
    this.host = host;
    this.metrics = metrics;
    this.onOutcome = onOutcome;
    this.queues = createNotifiers(config).map(
      (notifier) =>
        new DeliveryQueue(notifier, post, host, DELIVERY_DEFAULTS, (id, target, delivery) =>
          this.noteOutcome(id, target, delivery),
        ),
    );
  }

  get notifications(): ReadonlyMap<string, Notification> {
    return this.entries;
  }

  /** What began before is not notified, unless it still fires when the reading has come to this time. */
  get notifyFromMs(): number {
    return this.fromMs;
  }

  get pastIsTold(): boolean {
    return this.isPastTold;
  }

  get hasRecovered(): boolean {
    return this.recovered.size > 0;
  }

  /** Sends that have no outcome yet. */
  get waiting(): number {
    return this.queues.reduce((sum, queue) => sum + queue.size, 0);
  }

  /** Puts what an earlier run stored in force. */
  takeOver(stored: Iterable<Notification>, notifyFromMs: number): void {
    this.fromMs = notifyFromMs;
    const notifications = [...stored];
    notifications.sort((a, b) => a.timings.evalMs - b.timings.evalMs);
    for (const notification of notifications) {
      this.entries.set(notification.id, notification);
      this.recovered.add(notification.id);
    }
  }

  /** Makes an intent of a transition that is news. */
  note(transition: Transition): void {
    const { to, atMs } = transition;
    if (atMs >= this.fromMs) this.add(transition);
    else if (to === 'firing' || to === 'resolved') this.metrics.suppressed.add(1);
  }

  /** Of what began before `notifyFromMs`, notes what still fires. Returns whether there was anything new. */
  tellPast(rules: Iterable<RuleState>): boolean {
    this.isPastTold = true;
    let isNews = false;
    for (const { alerts } of rules) {
      for (const alert of alerts.values()) {
        const { phase, startsAtMs = 0 } = alert.instance;
        if (phase !== 'firing' || startsAtMs >= this.fromMs) continue;
        if (this.add({ alert, from: 'inactive', to: 'firing', why: '', atMs: startsAtMs })) isNews = true;
      }
    }
    return isNews;
  }

  /** What was noted since the last call. */
  takeUnsent(): Notification[] {
    const news = this.unsent;
    this.unsent = [];
    return news;
  }

  /** Hands over to the targets that have not had it; one that waits already is not sent twice. */
  send(notifications: Iterable<Notification>): void {
    for (const notification of notifications) {
      for (const queue of this.queues) {
        const current = this.entries.get(notification.id)?.deliveries[queue.name];
        if (current?.outcome === 'waiting') queue.enqueue(notification);
      }
    }
  }

  /** Keeps the bounds: gives up the oldest of too many that wait, drops the oldest of those that are done. */
  forget(): void {
    const waiting = [...this.entries.values()].filter(isWaiting);
    for (const { id } of waiting.slice(0, Math.max(0, waiting.length - NOTIFICATIONS_WAITING_MAX))) {
      this.entries.delete(id);
      this.metrics.notifications.add(1, { target: 'any', outcome: 'overflowed' });
    }
    let spare = this.entries.size - waiting.length - NOTIFICATIONS_KEPT;
    for (const [id, notification] of this.entries) {
      if (spare <= 0) return;
      if (isWaiting(notification) || this.recovered.has(id)) continue;
      this.entries.delete(id);
      spare -= 1;
    }
  }

  /** Everything is read once: notifications of the run before are like any other. */
  releaseRecovered(): void {
    this.recovered.clear();
  }

  /** Starts no further send; one under way may end within the grace. */
  async stop(): Promise<void> {
    await Promise.all(this.queues.map((queue) => queue.stop(SEND_GRACE_MS)));
  }

  private add(transition: Transition): boolean {
    const targets = this.queues.map(({ name }) => name);
    const notification = notificationOf(transition, targets, this.host.clock.nowMs());
    if (!notification || this.entries.has(notification.id)) return false;
    this.entries.set(notification.id, notification);
    this.unsent.push(notification);
    return true;
  }

  private noteOutcome(id: string, target: string, delivery: Delivery): void {
    const [kind = ''] = target.split(' ');
    this.metrics.notifications.add(1, { target: kind, outcome: delivery.outcome });
    const notification = this.entries.get(id);
    if (!notification) return;
    const told = withDelivery(notification, target, delivery);
    this.entries.set(id, told);
    const { appendMs, evalMs, notifyMs } = told.timings;
    if (notifyMs !== undefined && notification.timings.notifyMs === undefined) {
      this.metrics.timeToNotify.observe(Math.max(0, notifyMs - (appendMs ?? evalMs)) / 1_000);
    }
    if (delivery.outcome !== 'delivered') {
      this.host.log.error({ target, id, outcome: delivery.outcome }, `cannot notify: ${delivery.lastError}`);
    }
    this.onOutcome();
  }
}
