/** The rules of KIP-714 for one client instance, pure: who may ask or push when. And the instances, within a bound. */
import type { ErrorName } from '../wire/errors.ts';

export interface Instance {
  readonly lastGetMs: number;
  readonly lastPushMs: number;
  readonly pushIntervalMs: number;
  readonly terminating: boolean;
  /** What the last request was refused with. */
  readonly lastError: ErrorName | undefined;
}

export const NEW_INSTANCE: Instance = {
  lastGetMs: Number.NEGATIVE_INFINITY,
  lastPushMs: Number.NEGATIVE_INFINITY,
  pushIntervalMs: 0,
  terminating: false,
  lastError: undefined,
};

/** After these a client has to ask again at once. */
const ASKED_TO_ASK: ReadonlySet<ErrorName | undefined> = new Set([
  'UNKNOWN_SUBSCRIPTION_ID',
  'UNSUPPORTED_COMPRESSION_TYPE',
]);

export interface Push {
  readonly subscriptionId: number;
  readonly terminating: boolean;
  readonly compressionType: number;
  readonly bytes: number;
}

export interface Expected {
  readonly subscriptionId: number;
  readonly bytesMax: number;
}

type Step = { readonly instance: Instance; readonly error: ErrorName | undefined };

export function onGet(instance: Instance, pushIntervalMs: number, nowMs: number): Step {
  const elapsedMs = nowMs - Math.max(instance.lastGetMs, instance.lastPushMs);
  const isEarly = elapsedMs < instance.pushIntervalMs && !ASKED_TO_ASK.has(instance.lastError);
  if (isEarly) return refused(instance, 'THROTTLING_QUOTA_EXCEEDED');
  return {
    instance: { ...instance, lastGetMs: nowMs, pushIntervalMs, lastError: undefined },
    error: undefined,
  };
}

/** The first push after a get may come early: clients spread it over their interval. A last one always may, once. */
export function onPush(instance: Instance, push: Push, expected: Expected, nowMs: number): Step {
  if (instance.terminating) return refused(instance, 'INVALID_REQUEST');
  const isFirst = instance.lastGetMs > instance.lastPushMs;
  const isDue = isFirst || nowMs - instance.lastPushMs >= instance.pushIntervalMs;
  if (!isDue && !push.terminating) return refused(instance, 'THROTTLING_QUOTA_EXCEEDED');
  const pushed = { ...instance, lastPushMs: nowMs, terminating: push.terminating };
  if (push.subscriptionId !== expected.subscriptionId) return refused(pushed, 'UNKNOWN_SUBSCRIPTION_ID');
  if (push.compressionType < 0 || push.compressionType > 4) {
    return refused(pushed, 'UNSUPPORTED_COMPRESSION_TYPE');
  }
  if (push.bytes > expected.bytesMax) return refused(pushed, 'TELEMETRY_TOO_LARGE');
  return { instance: { ...pushed, lastError: undefined }, error: undefined };
}

function refused(instance: Instance, error: ErrorName): Step {
  return { instance: { ...instance, lastError: error }, error };
}

/** Any client can make up instance ids; the one that was silent longest is forgotten. As Kafka's cache. */
export const INSTANCES_MAX = 16_384;

export class ClientInstances {
  private readonly byId = new Map<string, Instance>();

  get size(): number {
    return this.byId.size;
  }

  get(id: string): Instance {
    return this.byId.get(id) ?? NEW_INSTANCE;
  }

  set(id: string, instance: Instance): void {
    // Taken out first, so that the order is that of use.
    this.byId.delete(id);
    this.byId.set(id, instance);
    if (this.byId.size <= INSTANCES_MAX) return;
    const [oldest] = this.byId.keys();
    if (oldest !== undefined) this.byId.delete(oldest);
  }
}
