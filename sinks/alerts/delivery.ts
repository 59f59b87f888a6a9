import type { Host } from '../../broker/host/host.ts';
import type { HttpPost } from './http-post.ts';
import type { Delivery, Notification } from './notification.ts';
import type { Notifier } from './notifiers.ts';
import { messageOf } from './rule-file.ts';

export interface DeliveryOptions {
  /** An attempt without an answer ends here; its outcome is unknown, so it is repeated. */
  readonly attemptTimeoutMs: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** From the judgement on; what is older is given up and counted. */
  readonly deadlineMs: number;
  /** Requests at a time to one target. */
  readonly concurrency: number;
}

export const DELIVERY_DEFAULTS: DeliveryOptions = {
  attemptTimeoutMs: 10_000,
  backoffMinMs: 500,
  backoffMaxMs: 30_000,
  deadlineMs: 3_600_000,
  concurrency: 4,
};

/**
 * Sends notifications to one target. News of one alert goes in order, firing before resolved; those of others
 * do not wait for it. The queue is bounded by what the notification book keeps.
 */
export class DeliveryQueue {
  private readonly notifier: Notifier;
  private readonly post: HttpPost;
  private readonly host: Host;
  private readonly options: DeliveryOptions;
  private readonly onOutcome: (id: string, target: string, delivery: Delivery) => void;
  /** By fingerprint: the head is being sent or is next. */
  private readonly lanes = new Map<string, Notification[]>();
  private readonly busy = new Set<string>();
  /** No further attempts. */
  private readonly stopping = new AbortController();
  /** Nor any answers. */
  private readonly abandoned = new AbortController();
  private onIdle: () => void = () => undefined;

  constructor(
    notifier: Notifier,
    post: HttpPost,
    host: Host,
    options: DeliveryOptions,
    onOutcome: (id: string, target: string, delivery: Delivery) => void,
  ) {
    this.notifier = notifier;
    this.post = post;
    this.host = host;
    this.options = options;
    this.onOutcome = onOutcome;
  }

  get name(): string {
    return this.notifier.name;
  }

  enqueue(notification: Notification): void {
    const lane = this.lanes.get(notification.fingerprint);
    if (lane?.some(({ id }) => id === notification.id)) return;
    if (lane) lane.push(notification);
    else this.lanes.set(notification.fingerprint, [notification]);
    this.pump();
  }

  get size(): number {
    let size = 0;
    for (const lane of this.lanes.values()) size += lane.length;
    return size;
  }

  /** Starts no further attempt; one under way may end within the grace, so that its outcome is known. */
  async stop(graceMs: number): Promise<void> {
    this.stopping.abort();
    if (this.busy.size > 0) {
      const idle = new Promise<void>((resolve) => (this.onIdle = resolve));
      await Promise.race([idle, this.host.timers.sleep(graceMs, this.abandoned.signal)]);
    }
    this.abandoned.abort();
  }

  private pump(): void {
    for (const [key, lane] of this.lanes) {
      if (this.busy.size >= this.options.concurrency || this.stopping.signal.aborted) return;
      if (this.busy.has(key)) continue;
      this.busy.add(key);
      void this.send(lane[0]!).then((delivery) => {
        this.busy.delete(key);
        if (this.busy.size === 0) this.onIdle();
        if (!delivery) return;
        lane.shift();
        if (lane.length === 0) this.lanes.delete(key);
        this.pump();
      });
    }
  }

  /** Until there is an outcome; undefined when stopped before. */
  private async send(notification: Notification): Promise<Delivery | undefined> {
    const { clock, timers } = this.host;
    const { signal } = this.stopping;
    let { attempts } = notification.deliveries[this.name] ?? { attempts: 0 };
    let backoffMs = this.options.backoffMinMs;
    for (;;) {
      attempts += 1;
      const result = await this.attempt(notification);
      if (signal.aborted && result !== 'delivered') return undefined;
      const atMs = clock.nowMs();
      if (result === 'delivered') return this.done(notification, { outcome: 'delivered', attempts, atMs });
      const { lastError } = result;
      if (!result.retriable)
        return this.done(notification, { outcome: 'rejected', attempts, atMs, lastError });
      if (atMs - notification.timings.evalMs >= this.options.deadlineMs) {
        return this.done(notification, { outcome: 'expired', attempts, atMs, lastError });
      }
      this.host.log.warn({ target: this.name, id: notification.id, attempts }, `cannot notify: ${lastError}`);
      // Jitter, so that the alerts of one outage do not come back as one wave.
      await timers.sleep(backoffMs * (0.5 + this.host.random.unit() / 2), signal);
      if (signal.aborted) return undefined;
      backoffMs = Math.min(backoffMs * 2, this.options.backoffMaxMs);
    }
  }

  private async attempt(
    notification: Notification,
  ): Promise<'delivered' | { readonly retriable: boolean; readonly lastError: string }> {
    const { clock, timers } = this.host;
    const attempt = new AbortController();
    const abort = (): void => attempt.abort();
    const cancel = timers.after(this.options.attemptTimeoutMs, abort);
    this.abandoned.signal.addEventListener('abort', abort, { once: true });
    try {
      const request = this.notifier.request(notification, clock.nowMs());
      const { status } = await this.post(this.notifier.url, request, attempt.signal);
      if (status >= 200 && status < 300) return 'delivered';
      // What the receiver does not want it will not want later, except when it says so.
      const retriable = status >= 500 || status === 408 || status === 429;
      return { retriable, lastError: `got status ${status}, want 2xx` };
    } catch (error) {
      const reason = attempt.signal.aborted
        ? `no answer in ${this.options.attemptTimeoutMs} ms`
        : causeOf(error);
      return { retriable: true, lastError: `got ${reason}, want an answer` };
    } finally {
      cancel();
      this.abandoned.signal.removeEventListener('abort', abort);
    }
  }

  private done(notification: Notification, delivery: Delivery): Delivery {
    this.onOutcome(notification.id, this.name, delivery);
    return delivery;
  }
}

/** fetch hides the reason (ECONNREFUSED) in its error's cause. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error) return 'code' in cause ? String(cause.code) : cause.message;
  return messageOf(error);
}
